"""Runs in Temporal, in memory: for tests of the gateway's repairs."""

from collections.abc import Container
from datetime import UTC, datetime, timedelta

import msgspec

from signalbox_core.events import Snapshot
from signalbox_core.events.catalogue import Failure
from signalbox_core.events.snapshot import RunStatus
from signalbox_core.ids import run_id_of
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_gateway.runs.run_info import RunInfo, RunInfoPage

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def closed_run(
    status: RunStatus, *, run_id: str = "run-1", at: datetime = STARTED + timedelta(minutes=1)
) -> RunInfo:
    ended = None if status == "running" else at
    return RunInfo(
        run_id=run_id,
        tenant="acme",
        pipeline="echo",
        status=status,
        started_at=STARTED,
        ended_at=ended,
        started_by="lan",
        execution_id=f"execution of {run_id}",
    )


class FakeRunDirectory:
    """`infos` and `snapshots` are by run id; `outcome` is the result of every run."""

    def __init__(self, *runs: RunInfo) -> None:
        self.infos = {run.run_id: run for run in runs}
        self.snapshots: dict[str, Snapshot] = {}
        self.outcome: msgspec.Struct | Failure = Failure(
            code="unspeakable", message="the text could not be spoken; choose another"
        )
        self.queries: list[str] = []
        self.described: list[str] = []

    async def list(
        self, query: str, *, limit: int, token: bytes | None, skip: Container[str] = ()
    ) -> RunInfoPage:
        self.queries.append(query)
        wants_open = "= 'Running'" in query and "!=" not in query
        runs = [run for run in self.infos.values() if not query or (run.status == "running") is wants_open]
        start = int(token or 0)
        more = str(start + limit).encode() if len(runs) > start + limit else None
        page = (run for run in runs[start : start + limit] if run.execution_id not in skip)
        return RunInfoPage(runs=tuple(page), next_token=more)

    async def describe(self, key: str) -> RunInfo | None:
        self.described.append(key)
        return self.infos.get(run_id_of(key))

    async def query(self, key: str, within: timedelta) -> Snapshot | None:
        self.queries.append(f"snapshot of {run_id_of(key)} within {within}")
        return self.snapshots.get(run_id_of(key))

    async def result(self, key: str, spec: PipelineSpec) -> msgspec.Struct | Failure:
        self.queries.append(f"result of {run_id_of(key)} as {spec.result.__name__}")
        return self.outcome
