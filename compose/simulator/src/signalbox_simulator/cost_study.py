"""Estimates burst workers, duration and monthly cost of imports, and whether the provider's quotas suffice.

Calculated from configured prices, quotas and sizes; no provider is called.
"""

import math
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput

MONTH_S: Final = 30 * 86_400
_Positive = Annotated[float, Meta(gt=0)]
_Count = Annotated[int, Meta(ge=1)]


class CloudPrices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices and quotas of a provider; the defaults are those of Cloud Run, tier 1.

    Attributes:
        vcpu_s, gib_s: price of one vCPU and of one GiB per second.
        tasks_per_execution, running_executions: quotas per project and region.
    """

    vcpu_s: Decimal = Decimal("0.000018")
    gib_s: Decimal = Decimal("0.000002")
    currency: str = "USD"
    tasks_per_execution: _Count = 10_000
    running_executions: _Count = 1_000


class StudyScenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fleet and its workload.

    Attributes:
        seconds_each: duration of one activity.
        base_vcpu, base_gib: size of each base worker; base workers run all month.
        rate_per_s: total rate limit of the portal; None: unlimited.
    """

    name: str
    companies: _Count
    invoices: _Count
    imports_per_month: _Count
    seconds_each: _Positive = 1.0
    base_workers: Annotated[int, Meta(ge=0)] = 1
    base_slots: _Count = 200
    base_vcpu: _Positive = 1.0
    base_gib: _Positive = 2.0
    burst_slots: _Count = 50
    burst_vcpu: _Positive = 1.0
    burst_gib: _Positive = 2.0
    max_workers: Annotated[int, Meta(ge=0)] = 100
    workers_per_launch: _Count = 5
    slo_s: _Positive = 60.0
    cold_start_s: _Positive = 20.0
    idle_exit_s: _Positive = 15.0
    rate_per_s: _Positive | None = None


class CostEstimate(Struct, frozen=True, kw_only=True):
    """The estimate for one scenario.

    Attributes:
        workers: burst workers launched per import.
        makespan_s: duration of one import.
        executions: requests to the provider per import.
        fits: whether they are within the quotas.
        base, burst: cost per month.
    """

    scenario: StudyScenario
    workers: int
    makespan_s: float
    executions: int
    fits: bool
    base: Decimal
    burst: Decimal


_HUNDRED: Final = StudyScenario(
    name="100 x 1,000, monthly", companies=100, invoices=1_000, imports_per_month=1
)
_MANY: Final = replace(_HUNDRED, name="10,000 x 1,000, monthly", companies=10_000)
_DAILY: Final = replace(_MANY, name="10,000 x 1,000, daily", imports_per_month=30, base_workers=4)
STUDY: Final = (
    replace(_HUNDRED, name="100 x 1,000, monthly, smallest base", base_vcpu=0.67, base_gib=1.0),
    _HUNDRED,
    replace(_HUNDRED, name="100 x 1,000, daily", imports_per_month=30),
    _MANY,
    replace(
        _MANY,
        name="10,000 x 1,000, monthly, 500 slots a worker",
        burst_slots=500,
        burst_vcpu=2.0,
        burst_gib=4.0,
    ),
    _DAILY,
    replace(
        _DAILY,
        name="10,000 x 1,000, daily, 500 slots a worker",
        burst_slots=500,
        burst_vcpu=2.0,
        burst_gib=4.0,
    ),
    replace(_DAILY, name="10,000 x 1,000, twice a day", imports_per_month=60),
    replace(_DAILY, name="10,000 x 1,000, daily, portal allows 600/s", base_workers=1, rate_per_s=600.0),
    replace(_DAILY, name="10,000 x 1,000, daily, 104 base workers", base_workers=104, max_workers=0),
)


def estimate(scenario: StudyScenario, prices: CloudPrices) -> CostEstimate:
    """Size the fleet as the autoscaler does, (W - C·T*) / (slots·(T* - L)) within its caps, and price it."""
    work_s = scenario.companies * scenario.invoices * scenario.seconds_each
    base = scenario.base_workers * scenario.base_slots
    use_s = max(1.0, scenario.slo_s - scenario.cold_start_s)
    need = max(0, math.ceil((work_s - base * scenario.slo_s) / (scenario.burst_slots * use_s)))
    if scenario.rate_per_s is not None:
        useful = 1.15 * scenario.rate_per_s * scenario.seconds_each
        need = min(need, max(0, math.ceil((useful - base) / scenario.burst_slots)))
    workers = min(need, scenario.max_workers)
    slots = base + workers * scenario.burst_slots
    late_s = workers * scenario.burst_slots * scenario.cold_start_s
    makespan_s = (work_s + late_s) / slots if slots else math.inf
    if scenario.rate_per_s is not None:
        makespan_s = max(makespan_s, scenario.companies * scenario.invoices / scenario.rate_per_s)
    executions = math.ceil(workers / scenario.workers_per_launch)
    paid_s = workers * (makespan_s + scenario.idle_exit_s) * scenario.imports_per_month
    return CostEstimate(
        scenario=scenario,
        workers=workers,
        makespan_s=makespan_s,
        executions=executions,
        fits=executions <= prices.running_executions
        and scenario.workers_per_launch <= prices.tasks_per_execution,
        base=_cost(prices, scenario.base_vcpu, scenario.base_gib, scenario.base_workers * float(MONTH_S)),
        burst=_cost(prices, scenario.burst_vcpu, scenario.burst_gib, paid_s),
    )


def rows(bills: list[CostEstimate]) -> list[tuple[str, ...]]:
    return [
        (
            found.scenario.name,
            f"{found.workers:,}",
            _duration(found.makespan_s),
            f"{found.executions:,}",
            "yes" if found.fits else "no",
            f"{found.base:,.2f}",
            f"{found.burst:,.2f}",
            f"{found.base + found.burst:,.2f}",
        )
        for found in bills
    ]


HEADINGS: Final = (
    "scenario",
    "workers",
    "one import",
    "executions",
    "in quota",
    "base/month",
    "burst/month",
    "total/month",
)


def read_study(path: Path) -> tuple[CloudPrices, tuple[StudyScenario, ...]]:
    """Read prices and scenarios from a TOML file: `[prices]` and `[[scenario]]`, each optional.

    Raises:
        InvalidInput: the file cannot be read, or a value is out of range.
    """
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=_StudyFile)
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise InvalidInput(f"scale study {path}: {error}", field="scale-study") from None
    return found.prices, found.scenario or STUDY


class _StudyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    prices: CloudPrices = CloudPrices()
    scenario: tuple[StudyScenario, ...] = ()


def _cost(prices: CloudPrices, vcpu: float, gib: float, worker_s: float) -> Decimal:
    each = prices.vcpu_s * Decimal(str(vcpu)) + prices.gib_s * Decimal(str(gib))
    return (each * Decimal(str(round(worker_s, 3)))).quantize(Decimal("0.01"))


def _duration(seconds: float) -> str:
    if seconds < 300:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7_200 else f"{seconds / 3_600:,.1f} h"
