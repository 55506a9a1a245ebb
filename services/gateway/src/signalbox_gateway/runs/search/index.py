"""The list of runs: Temporal's visibility store, in which a run has an entry for each of its executions."""

import asyncio
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from signalbox_core.events.snapshot import ENDED
from signalbox_gateway.runs.run_info import RunInfo, RunInfoPage
from signalbox_gateway.runs.search.visibility import plain_type_query
from signalbox_gateway.runs.temporal import TemporalRuns


class RunIndex:
    """Lists runs, each once: by its latest execution."""

    def __init__(self, temporal: TemporalRuns) -> None:
        self._temporal = temporal

    async def page(self, query: str, *, limit: int, token: bytes | None) -> RunInfoPage:
        """One page of the runs whose latest execution matches.

        A page may have fewer runs than `limit` although more follow: executions that a retry has replaced
        are left out.
        """
        page = await self._temporal.list(query, limit=limit, token=token)
        return replace(page, runs=tuple(await self._latest(page.runs)))

    async def plain_types(self, tenant: str, candidates: Collection[str]) -> Sequence[str]:
        """Those names that are the type of a plain workflow that the tenant's list of runs has."""
        pages = await asyncio.gather(
            *(self._temporal.list(plain_type_query(tenant, name), limit=1, token=None) for name in candidates)
        )
        return [name for name, page in zip(candidates, pages, strict=True) if page.runs]

    async def _latest(self, runs: Sequence[RunInfo]) -> Sequence[RunInfo]:
        # An open execution is always the latest one; only an ended one may have been reset.
        ended = [run.workflow_id for run in runs if run.status in ENDED]
        if not ended:
            return runs
        latest = await self._temporal.latest_executions(ended)
        return [run for run in runs if latest.get(run.workflow_id, run.execution_id) == run.execution_id]
