"""The demo of invoice_import: imports one month of an invented company from the simulated portal.

The portal rate-limits the import once. The captcha is an approval as in production: in a terminal you type
it,
unattended the solver of the simulated captcha does.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx2
import msgspec
from msgspec import Struct

from signalbox_client.commands.prompts import picture_of
from signalbox_client.commands.runs import save_artifacts
from signalbox_client.models import Approval
from signalbox_client.stream_follower import Update
from signalbox_core.errors import Unavailable
from signalbox_devstack.demo.scenario import (
    DemoContext,
    DemoResult,
    DemoSetup,
    PendingApproval,
    approvals_of_run,
)
from signalbox_devstack.emulators.portal.companies import companies
from signalbox_devstack.emulators.portal.solver import solve
from signalbox_pipelines.invoice_import.results import ImportResult

MST: Final = companies(1)[0]
_URL: Final = "SIGNALBOX_WORKER_PORTAL_URL"
_PACE: Final = {
    "SIGNALBOX_WORKER_PORTAL_QUERY_SPACING_MS": "60",
    "SIGNALBOX_WORKER_PORTAL_QUERY_IN_FLIGHT": "4",
    "SIGNALBOX_WORKER_PORTAL_EXPORT_SPACING_MS": "60",
}
"""Faster than a real portal would tolerate."""
_BUSY: Final = {"kind": "rate_limit", "on": ["detail", "xml"], "after": 120, "times": 1, "retry_after_s": 6}
"""After 120 calls the portal responds once with 429 and a Retry-After of six seconds."""


class InvoiceImportDemo:
    pipeline = "invoice_import"

    def setup(self, environ: Mapping[str, str]) -> DemoSetup:
        if _URL in environ:
            raise Unavailable(f"the demo works with the simulated portal only: unset {_URL}")
        return DemoSetup(environ={name: environ.get(name, value) for name, value in _PACE.items()})

    async def prepare(self, context: DemoContext) -> Mapping[str, object]:
        async with httpx2.AsyncClient(trust_env=False) as client:
            (await client.put(f"{_address(context)}/_sim/faults/{MST}", json=[_BUSY])).raise_for_status()
        return {
            "tax_code": MST,
            "secret_ref": f"portal-{MST}",
            "first_day": "2026-08-01",
            "last_day": "2026-08-31",
        }

    def pending_approvals(self, update: Update) -> Sequence[PendingApproval]:
        return approvals_of_run(update)

    def answer(self, approval: Approval) -> Mapping[str, object]:
        picture = picture_of(approval)
        if picture is None:
            raise Unavailable(
                f"the demo has no predefined answer to {approval.title!r}: run it in a terminal"
            )
        return {"text": solve(picture.body.decode())}

    async def finish(self, context: DemoContext, run_id: str) -> DemoResult:
        run = await context.session.client.run(run_id)
        result = msgspec.json.decode(await context.session.client.result(run_id), type=ImportResult)
        saved = await save_artifacts(context.session, run, run.artifacts, context.folder)
        lines = (*_lines(result), "", await _portal_statistics(_address(context)))
        return DemoResult(
            title=f"{len(saved)} files", paths=tuple(Path(item.path) for item in saved), lines=lines
        )


def _address(context: DemoContext) -> str:
    return str(context.endpoints.portal).removesuffix("/api")


class _PortalCalls(Struct, frozen=True):
    calls: int
    most_in_flight: int


class _PortalStats(Struct, frozen=True):
    lanes: Mapping[str, _PortalCalls]
    faults: Mapping[str, int]
    repeated: int


async def _portal_statistics(portal: str) -> str:
    """How the portal was called, by its own count."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        response = await client.get(f"{portal}/_sim/stats", params={"mst": MST})
    stats = msgspec.json.decode(response.content, type=dict[str, _PortalStats])[MST]
    calls, busy = stats.lanes["all"], stats.faults.get("rate_limit", 0)
    return (
        f"The portal received {calls.calls:,} calls (at most {calls.most_in_flight} at once, "
        f"{stats.repeated} repeated) and rate-limited {busy} of them."
    )


def _lines(result: ImportResult) -> Iterator[str]:
    period = f"{result.first_day} to {result.last_day}"
    yield f"{result.rows} invoices of {result.tax_code}, {period}: {result.status}"
    yield (
        f"  {result.xml} originals stored, {result.no_original} without original, "
        f"{result.failed} failed, {result.mismatches} mismatches"
    )
    for total in result.totals:
        yield f"{total.direction}: {total.counted} counted, {total.excluded} excluded (replaced or cancelled)"
        yield f"  {'rate':8}{'invoices':>10}{f'net, {total.currency}':>22}{f'tax, {total.currency}':>20}"
        for rate in result.rates:
            if (rate.direction, rate.currency) == (total.direction, total.currency):
                yield f"  {rate.rate:8}{rate.invoices:>10,}{rate.net:>22,}{rate.tax:>20,}"
        yield f"  {'total':8}{total.counted:>10,}{total.net:>22,}{total.tax:>20,}"
    for failure in result.first_failed:
        yield f"  failed: {failure.key} ({failure.part}): {failure.message}"
