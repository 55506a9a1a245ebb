"""Drives invoice imports on a running stack: start, answer captchas through the API, compare results."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
from msgspec import Struct

from signalbox_client import AsyncSignalbox, Run
from signalbox_client.commands.prompts import picture_of
from signalbox_core.errors import Conflict, NotFound, SignalboxError
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_devstack.emulators.portal.ground_truth import GroundTruth
from signalbox_devstack.emulators.portal.solver import solve
from signalbox_devstack.stack.keys import TENANT
from signalbox_pipelines.invoice_import.results import ImportResult
from support.drivers.journeys import ended_run
from support.servers.portal import Portal
from support.servers.stack import RunningStack

FIRST, LAST = "2026-07-01", "2026-09-30"


def pace(
    portal: Portal, *, spacing_ms: int = 0, in_flight: int = 6, timeout_s: float = 10.0
) -> Mapping[str, str]:
    """The worker's environment variables for the portal."""
    own = {
        "URL": portal.url,
        **{f"{lane}_SPACING_MS": str(spacing_ms) for lane in ("QUERY", "EXPORT")},
        **{f"{lane}_IN_FLIGHT": str(in_flight) for lane in ("QUERY", "EXPORT")},
        **{f"{lane}_TIMEOUT_S": str(timeout_s) for lane in ("QUERY", "EXPORT")},
    }
    return {f"SIGNALBOX_WORKER_PORTAL_{name}": value for name, value in own.items()}


async def start_import(
    client: AsyncSignalbox, mst: str, *, first: str = FIRST, last: str = LAST, **more: object
) -> str:
    given = {"tax_code": mst, "secret_ref": f"portal-{mst}", "first_day": first, "last_day": last, **more}
    return (await client.start("invoice_import", given)).run_id


class CaptchaAnswerer:
    """Answers every captcha that any run asks, through the API as a person would."""

    def __init__(self, client: AsyncSignalbox) -> None:
        self._client = client
        self.answered: Counter[str] = Counter()
        self.other_questions: list[str] = []

    async def work(self) -> None:
        while True:
            try:
                for entry in await self._client.approvals():
                    await self._answer(entry.run_id, entry.approval_id)
            except SignalboxError:
                pass  # the gateway is restarting, or the question is gone: try again
            await asyncio.sleep(0.05)

    async def _answer(self, run_id: str, approval_id: str) -> None:
        try:
            approval = await self._client.approval(run_id, approval_id)
            picture = picture_of(approval) if approval.status == "pending" else None
            if picture is None:
                self.other_questions += [f"{run_id} {approval_id}"] if approval.status == "pending" else []
                return
            await self._client.decide(
                run_id, approval_id, {"text": solve(picture.body.decode())}, digest=approval.digest
            )
            self.answered[run_id] += 1
        except (Conflict, NotFound):
            return


@asynccontextmanager
async def answering_captchas(stack: RunningStack) -> AsyncIterator[CaptchaAnswerer]:
    async with stack.client() as client:
        answerer = CaptchaAnswerer(client)
        task = asyncio.create_task(answerer.work())
        try:
            yield answerer
        finally:
            await cancel_and_wait(task)


async def imported(client: AsyncSignalbox, run_id: str, *, within_s: float = 240) -> ImportResult:
    """Wait for a run that must complete, and return its result."""
    run = await ended_run(client, run_id, within_s=within_s)
    assert run.status == "completed", run.error
    return msgspec.json.decode(await client.result(run_id), type=ImportResult)


async def failed(client: AsyncSignalbox, run_id: str, *, within_s: float = 120) -> Run:
    """Wait for a run that must fail, and return it."""
    run = await ended_run(client, run_id, within_s=within_s)
    assert run.status == "failed", run.status
    return run


def stored(stack: RunningStack, mst: str, ending: str) -> set[str]:
    """The keys of the invoices whose file is stored; `ending` is `xml` or `json`."""
    folder = stack.folder / "objects" / "gdt" / TENANT / mst
    return {path.name.removesuffix(f".{ending}") for path in folder.glob(f"*.{ending}")}


def check_import(stack: RunningStack, result: ImportResult, truth: GroundTruth) -> None:
    """Check that rows and originals are exactly those of the portal, and the totals to the đồng."""
    keys = {row.key for row in truth.rows}
    with_original = {row.key for row in truth.rows if row.has_original}
    assert result.status == "complete", (result.first_failed, result.months)
    assert result.rows == len(keys) == sum(line.rows or 0 for line in result.months)
    assert stored(stack, truth.mst, "xml") == with_original
    assert stored(stack, truth.mst, "json") == keys
    assert (result.xml, result.no_original) == (len(with_original), len(keys) - len(with_original))
    assert result.mismatches == sum(row.differs != 0 and row.has_original for row in truth.rows)
    assert _imported_totals(result) == _portal_totals(truth)
    assert _imported_rates(result) == _portal_rates(truth)


def _imported_totals(result: ImportResult) -> Mapping[str, tuple[int, int, Decimal, Decimal, Decimal]]:
    return {
        total.direction: (total.counted, total.excluded, total.net, total.tax, total.gross)
        for total in result.totals
    }


def _portal_totals(truth: GroundTruth) -> Mapping[str, tuple[int, int, int, int, int]]:
    sums: dict[str, tuple[int, int, int, int, int]] = {}
    for direction in {row.direction for row in truth.rows}:
        rows = [row for row in truth.rows if row.direction == direction]
        counted = [row for row in rows if row.is_counted]
        money = (
            sum(row.amount for row in counted),
            sum(row.tax for row in counted),
            sum(row.total for row in counted),
        )
        sums[direction] = (len(counted), len(rows) - len(counted), *money)
    return sums


def _imported_rates(result: ImportResult) -> Mapping[tuple[str, str], tuple[Decimal, Decimal]]:
    return {(rate.direction, rate.rate): (rate.net, rate.tax) for rate in result.rates}


def _portal_rates(truth: GroundTruth) -> Mapping[tuple[str, str], tuple[int, int]]:
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for total in truth.totals:
        for rate in total.rates:
            net, tax = sums.get((total.direction, rate.rate), (0, 0))
            sums[total.direction, rate.rate] = (net + rate.amount, tax + rate.tax)
    return sums


class LaneStats(Struct, frozen=True, kw_only=True):
    """How the calls of a lane reached the portal (`/_sim/stats`)."""

    calls: int
    most_in_flight: int
    least_gap_ms: float | None
    seconds: float
    most_within_s: Mapping[str, int]


class Politeness(Struct, frozen=True, kw_only=True):
    lanes: Mapping[str, LaneStats] = {}
    asked: int = 0
    repeated: int = 0
    faults: Mapping[str, int] = {}
    most_repeated: Sequence[str] = ()


def politeness(portal: Portal, mst: str) -> Politeness:
    return msgspec.convert(portal.stats(mst), Politeness)
