"""Capacity and cost of a deployment as a linear function of its runs: pure functions over a table of figures.

The figures are of one machine. They show which part grows first and about how large a deployment must be, and
do not replace a load test.
"""

from collections.abc import Mapping
from math import ceil, floor
from typing import Final

from msgspec import Struct

SOURCE: Final = "tests/bench/test_capacity.py, 2 cores (AMD EPYC), Python 3.11, 2026-11-30"
MINUTES_A_MONTH: Final = 60 * 24 * 365 / 12
_CLOUD: Final = "Temporal Cloud"
UTILISATION: Final = 0.6
"""Planned use of a core: the rest is for peaks and for what a restarted process has to catch up on."""


class Coefficient(Struct, frozen=True, kw_only=True):
    """What one run costs of one resource: a fixed amount, and more per step and per approval."""

    run: float
    step: float
    approval: float

    def per_run(self, workload: "Workload") -> float:
        return self.run + self.step * workload.steps + self.approval * workload.approvals


class Workload(Struct, frozen=True, kw_only=True):
    """What a deployment has to do.

    Attributes:
        steps: activity calls per run, one after another.
        approvals: questions per run, each answered once.
        step_cpu_ms: the CPU time of a call's own work, which the figures do not contain.
        step_s: how long a call takes; the heartbeats of a long one are billed.
        redis_days: how long Redis holds the stream of a run after its end.
        history_days: Temporal's retention of histories.
    """

    runs_per_minute: float
    steps: float = 5.0
    approvals: float = 1.0
    step_cpu_ms: float = 0.0
    step_s: float = 0.0
    redis_days: float = 7.0
    history_days: float = 30.0


class Prices(Struct, frozen=True, kw_only=True):
    """US dollars, assumed: about what large clouds list. Replace them with your own."""

    core_month: float = 35.0
    memory_gb_month: float = 4.0
    redis_gb_month: float = 30.0
    storage_gb_month: float = 0.2
    pubsub_tb: float = 40.0
    million_actions: float = 50.0


class PartCapacity(Struct, frozen=True, kw_only=True):
    """One part of the deployment.

    Attributes:
        cores: CPU in use on average.
        processes: to keep each below `UTILISATION` of a core, and at least the part's minimum.
        memory_mb: of all processes.
    """

    name: str
    cores: float
    processes: int
    memory_mb: float


class Capacity(Struct, frozen=True, kw_only=True):
    """The result.

    Attributes:
        costs: dollars a month by item.
        warnings: where the model ends: what must be divided or measured before such a load.
    """

    parts: tuple[PartCapacity, ...]
    redis_gb: float
    history_gb: float
    pubsub_tb_month: float
    actions_month: float
    costs: Mapping[str, float]
    warnings: tuple[str, ...]

    @property
    def total(self) -> float:
        return sum(self.costs.values())

    @property
    def total_without_temporal_cloud(self) -> float:
        """For a Temporal server of one's own, whose machines are to be added."""
        return sum(dollars for item, dollars in self.costs.items() if not item.startswith(_CLOUD))


CPU_MS: Final[Mapping[str, Coefficient]] = {
    "gateway": Coefficient(run=10.6, step=1.3, approval=7.6),
    "receiver": Coefficient(run=2.9, step=1.5, approval=2.7),
    "worker": Coefficient(run=11.1, step=4.2, approval=6.5),
    "temporal": Coefficient(run=21.4, step=6.5, approval=11.4),
    "redis": Coefficient(run=1.5, step=0.4, approval=0.8),
}
"""CPU milliseconds of each part, one person watching each run. Temporal: its development server on SQLite."""
REDIS_BYTES: Final = Coefficient(run=7_500, step=1_150, approval=2_000)
HISTORY_BYTES: Final = Coefficient(run=3_300, step=2_200, approval=5_500)
ACTIONS: Final = Coefficient(run=2, step=1, approval=3)
"""What Temporal Cloud bills, heartbeats aside."""
FIRST_HEARTBEAT_S: Final = 1.0
HEARTBEAT_INTERVAL_S: Final = 2.0
"""How often a worker's heartbeats reach Temporal while a call runs; each is billed."""
EVENTS: Final = Coefficient(run=2, step=2, approval=2)
"""Milestones, each one message of Pub/Sub: started and ended, and for an approval requested and decided."""
PROCESS_MB: Final[Mapping[str, float]] = {"gateway": 100, "receiver": 65, "worker": 125}
"""Under load. A worker's processes for CPU-heavy steps come on top."""
MIN_PROCESSES: Final[Mapping[str, int]] = {"gateway": 2, "receiver": 2, "worker": 2}
"""Two of each service, so that one may be restarted. Temporal and Redis are counted in cores."""
_EVENT_KB: Final = 1.0
"""Pub/Sub bills a message as at least 1 kB."""
_TRANSFERS: Final = 3
"""An event is published once and delivered to two subscriptions, `projector` and `ledger`."""
_MB_PER_GB: Final = 1_000
_REDIS_NODE_GB: Final = 64
_MEASURED_CORES: Final = 2


def estimate(workload: Workload, prices: Prices = Prices()) -> Capacity:  # noqa: B008 - frozen
    """Compute the capacity that a workload needs, and what it costs a month."""
    runs_month = workload.runs_per_minute * MINUTES_A_MONTH
    days = MINUTES_A_MONTH / (60 * 24)
    parts = tuple(_part(name, cost, workload) for name, cost in CPU_MS.items())
    redis_gb = REDIS_BYTES.per_run(workload) * runs_month * workload.redis_days / days / 1e9
    history_gb = HISTORY_BYTES.per_run(workload) * runs_month * workload.history_days / days / 1e9
    pubsub_tb = EVENTS.per_run(workload) * runs_month * _EVENT_KB * _TRANSFERS / 1e9
    actions = (ACTIONS.per_run(workload) + workload.steps * _heartbeats(workload.step_s)) * runs_month
    services = [part for part in parts if part.name in PROCESS_MB]
    return Capacity(
        parts=parts,
        redis_gb=redis_gb,
        history_gb=history_gb,
        pubsub_tb_month=pubsub_tb,
        actions_month=actions,
        costs={
            "services, CPU": sum(part.processes for part in services) * prices.core_month,
            "services, memory": sum(part.memory_mb for part in services)
            / _MB_PER_GB
            * prices.memory_gb_month,
            "Redis": max(1.0, redis_gb) * prices.redis_gb_month,
            "Pub/Sub": pubsub_tb * prices.pubsub_tb,
            f"{_CLOUD}, actions": actions / 1e6 * prices.million_actions,
            f"{_CLOUD}, storage": history_gb * prices.storage_gb_month,
        },
        warnings=_warnings({part.name: part for part in parts}, redis_gb),
    )


def _heartbeats(step_s: float) -> int:
    """How many heartbeats of a call reach Temporal."""
    return 1 + floor((step_s - FIRST_HEARTBEAT_S) / HEARTBEAT_INTERVAL_S) if step_s > FIRST_HEARTBEAT_S else 0


def _part(name: str, cost: Coefficient, workload: Workload) -> PartCapacity:
    cpu_ms = cost.per_run(workload)
    if name == "worker":
        cpu_ms += workload.step_cpu_ms * workload.steps
    cores = cpu_ms / 1000 * workload.runs_per_minute / 60
    processes = max(MIN_PROCESSES.get(name, 1), ceil(cores / UTILISATION))
    return PartCapacity(
        name=name, cores=cores, processes=processes, memory_mb=processes * PROCESS_MB.get(name, 0.0)
    )


def _warnings(parts: Mapping[str, PartCapacity], redis_gb: float) -> tuple[str, ...]:
    found = []
    if parts["redis"].cores > UTILISATION:
        found.append("Redis needs most of a core or more, and a node uses one")
    if redis_gb > _REDIS_NODE_GB:
        found.append(f"Redis needs more than {_REDIS_NODE_GB} GB for the streams of ended runs")
    if parts["temporal"].cores > _MEASURED_CORES:
        found.append("Temporal needs more cores than it was measured on, with SQLite: measure your cluster")
    return tuple(found)
