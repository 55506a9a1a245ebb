"""The demo of invoice_import: a month of an invented company comes in from the simulated portal, which is busy for a while.

The captcha is asked as it always is. A person types it; where nobody sits at a terminal, a reader of this simulator's captcha does.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx2
import msgspec
from msgspec import Struct

from signalbox_client.cli_runs import save_artifacts
from signalbox_client.models import Approval
from signalbox_client.prompts import picture_of
from signalbox_client.stream_follower import Update
from signalbox_core.errors import Unavailable
from signalbox_devstack.demo.scenario import Ending, Question, Setup, Stage, own_questions
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
"""Faster than a real portal would bear: the simulated one minds nothing that it is not told to."""
_BUSY: Final = {"kind": "rate_limit", "on": ["detail", "xml"], "after": 120, "times": 1, "retry_after_s": 6}
"""Once, after that many calls, the portal asks for six seconds of quiet."""


class InvoiceImport:
    pipeline = "invoice_import"

    def setup(self, environ: Mapping[str, str]) -> Setup:
        if _URL in environ:
            raise Unavailable(f"the demo imports from the simulated portal only; unset {_URL}")
        return Setup(environ={name: environ.get(name, value) for name, value in _PACE.items()})

    async def prepare(self, stage: Stage) -> Mapping[str, object]:
        async with httpx2.AsyncClient(trust_env=False) as client:
            (await client.put(f"{_address(stage)}/_sim/faults/{MST}", json=[_BUSY])).raise_for_status()
        return {
            "tax_code": MST,
            "secret_ref": f"portal-{MST}",
            "first_day": "2026-08-01",
            "last_day": "2026-08-31",
        }

    def questions(self, update: Update) -> Sequence[Question]:
        return own_questions(update)

    def answer(self, approval: Approval) -> Mapping[str, object]:
        picture = picture_of(approval)
        if picture is None:
            raise Unavailable(f"the demo has no standing answer to {approval.title!r}: run it on a terminal")
        return {"text": solve(picture.body.decode())}

    async def finish(self, stage: Stage, run_id: str) -> Ending:
        run = await stage.session.client.run(run_id)
        result = msgspec.json.decode(await stage.session.client.result(run_id), type=ImportResult)
        saved = await save_artifacts(stage.session, run, run.artifacts, stage.folder)
        lines = (*_lines(result), "", await _seen_by(_address(stage)))
        return Ending(
            title=f"{len(saved)} files", paths=tuple(Path(item.path) for item in saved), lines=lines
        )


def _address(stage: Stage) -> str:
    return str(stage.endpoints.portal).removesuffix("/api")


class _Lane(Struct, frozen=True):
    calls: int
    most_in_flight: int


class _Seen(Struct, frozen=True):
    lanes: Mapping[str, _Lane]
    faults: Mapping[str, int]
    repeated: int


async def _seen_by(portal: str) -> str:
    """The portal's own account of how it was called."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{portal}/_sim/stats", params={"mst": MST})
    seen = msgspec.json.decode(answer.content, type=dict[str, _Seen])[MST]
    lane, busy = seen.lanes["all"], seen.faults.get("rate_limit", 0)
    return (
        f"The portal saw {lane.calls:,} calls, {lane.most_in_flight} at once at most, {seen.repeated} of them repeated; "
        f"it asked for quiet {busy} time{'' if busy == 1 else 's'}."
    )


def _lines(result: ImportResult) -> Iterator[str]:
    yield f"{result.rows} invoices of {result.tax_code}, {result.first_day} to {result.last_day}: {result.status}"
    yield f"  {result.xml} originals stored, {result.no_original} have none, {result.failed} failed, {result.mismatches} differences"
    for total in result.totals:
        yield f"{total.direction}: {total.counted} counted, {total.excluded} replaced or cancelled"
        yield f"  {'rate':8}{'invoices':>10}{f'net, {total.currency}':>22}{f'tax, {total.currency}':>20}"
        for rate in result.rates:
            if (rate.direction, rate.currency) == (total.direction, total.currency):
                yield f"  {rate.rate:8}{rate.invoices:>10,}{rate.net:>22,}{rate.tax:>20,}"
        yield f"  {'all':8}{total.counted:>10,}{total.net:>22,}{total.tax:>20,}"
    for failure in result.first_failed:
        yield f"  failed: {failure.key} ({failure.part}): {failure.message}"
