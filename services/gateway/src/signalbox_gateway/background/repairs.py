"""Repairs one run's stream from Temporal: its terminal event, a gap, or the whole stream."""

import logging
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import msgspec

from signalbox_core.events import MAX_EVENT_BYTES, Snapshot
from signalbox_core.events.catalogue import Failure
from signalbox_core.events.snapshot import ENDED, RunStatus
from signalbox_core.ids import run_key
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.streams import Gap, RunStream
from signalbox_gateway.background.terminal_events import (
    ReconcileAction,
    initial_snapshot,
    is_fresh,
    reconcile_action,
    terminal_event,
)
from signalbox_gateway.http.metrics import RepairKind
from signalbox_gateway.runs.lookup import resolve_snapshot
from signalbox_gateway.runs.pending_starts import PendingStart
from signalbox_gateway.runs.run_info import RunInfo, RunInfoPage

log = logging.getLogger(__name__)
_QUERY_TIMEOUT: Final = timedelta(seconds=2)


class RunDirectory(Protocol):
    """The reads that repairs need; implemented by `TemporalRuns`."""

    async def list(
        self, query: str, *, limit: int, token: bytes | None, skip: Container[str] = ()
    ) -> RunInfoPage: ...

    async def describe(self, key: str) -> RunInfo | None: ...

    async def query(self, key: str, within: timedelta) -> Snapshot | None: ...

    async def result(self, key: str, spec: PipelineSpec) -> msgspec.Struct | Failure: ...


class Repairs:
    """Stream repairs. Each is idempotent, also when two processes repair the same run.

    Args:
        on_repair: called after each repair, for the metrics.
    """

    def __init__(
        self,
        streams: RunStream,
        runs: RunDirectory,
        pipelines: Mapping[str, PipelineSpec],
        on_repair: Callable[[RepairKind], None] = lambda _: None,
    ) -> None:
        self._streams = streams
        self._runs = runs
        self._pipelines = pipelines
        self._on_repair = on_repair

    async def close(self, listed: RunInfo, now: datetime) -> bool:
        """Make sure that a closed run's stream has a terminal event. Returns False to retry later."""
        stream = await self._streams.locate(listed.tenant, listed.run_id)
        if (await self._streams.read(stream, None, 1)).ended:
            return True
        if is_fresh(listed, now):
            return False
        run = await self._runs.describe(listed.key)
        if run is None or run.status not in ENDED:
            # Started again in the meantime: the new execution publishes its own end.
            return True
        workflow_snapshot = await self._runs.query(run.key, _QUERY_TIMEOUT)
        history = await self._streams.read(stream, None, 1)
        match reconcile_action(run, top=history.top, workflow_snapshot=workflow_snapshot, now=now):
            case ReconcileAction.WAIT:
                return False
            case ReconcileAction.REBUILD if workflow_snapshot is not None:
                await self._streams.rebuild(workflow_snapshot, replaces=history.epoch)
            case _:
                await self._close(run, workflow_snapshot, history.top, history.epoch)
        self._on_repair("ended")
        log.info(
            "terminal event added for an ended run",
            extra={"run_id": run.run_id, "tenant": run.tenant, "status": run.status},
        )
        return True

    async def fill(self, gap: Gap) -> None:
        """Rebuild a stream with a gap from its workflow's snapshot; later events continue from there."""
        if gap.key != await self._streams.locate(gap.tenant, gap.run_id):
            # Written by a gateway of an earlier release, during an upgrade.
            await self._streams.discard(gap.key)
            return
        key = run_key(gap.tenant, gap.run_id)
        workflow_snapshot = await self._runs.query(key, _QUERY_TIMEOUT)
        if workflow_snapshot is not None and workflow_snapshot.sequence > gap.top:
            await self._streams.rebuild(workflow_snapshot, replaces=gap.epoch)
            self._on_repair("gap")
            log.warning(
                "gap in stream repaired",
                extra={"run_id": gap.run_id, "after": gap.top, "now_at": workflow_snapshot.sequence},
            )
        elif workflow_snapshot is None and await self._runs.describe(key) is None:
            await self._streams.discard(gap.key)
            log.error("events of unknown run discarded", extra={"run_id": gap.run_id})

    async def follow_reset(self, run: RunInfo) -> bool:
        """Rebuild the stream of a run that was reset. Returns False while no worker has continued it."""
        workflow_snapshot = await self._runs.query(run.key, _QUERY_TIMEOUT)
        stream = await self._streams.locate(run.tenant, run.run_id)
        history = await self._streams.read(stream, None, 1)
        if workflow_snapshot is None or workflow_snapshot.retried_at is None:
            return False
        if workflow_snapshot.sequence > history.top:
            await self._streams.rebuild(workflow_snapshot, replaces=history.epoch)
            self._on_repair("reset")
        return True

    async def restore(self, run: RunInfo) -> None:
        """Rebuild an open run's stream that Redis has lost."""
        stream = await self._streams.locate(run.tenant, run.run_id)
        if (await self._streams.read(stream, None, 1)).epoch:
            return
        workflow_snapshot = await self._runs.query(run.key, _QUERY_TIMEOUT)
        if (
            workflow_snapshot is not None
            and workflow_snapshot.sequence > 0
            and await self._streams.rebuild(workflow_snapshot, replaces="") is not None
        ):
            self._on_repair("restored")
            log.info("stream restored from workflow", extra={"run_id": run.run_id, "tenant": run.tenant})

    async def end_unstarted(
        self, start: PendingStart, status: RunStatus, reason: str, *, code: str = "failed"
    ) -> None:
        """Write the stream of a run that was accepted but never started. `code` is the failure code."""
        run = RunInfo(
            run_id=start.run_id,
            tenant=start.tenant,
            pipeline=start.pipeline,
            status=status,
            started_at=start.requested_at,
            ended_at=datetime.now(UTC),
            started_by=start.started_by,
            starter=start.starter,
        )
        initial = resolve_snapshot(run, None, self._pipelines.get(run.pipeline))
        if await self._streams.rebuild(initial_snapshot(run, initial), replaces="") is not None:
            await self._streams.append(terminal_event(run, 1, Failure(code=code, message=reason)))

    async def _close(self, run: RunInfo, workflow_snapshot: Snapshot | None, top: int, epoch: str) -> None:
        if workflow_snapshot is not None and workflow_snapshot.sequence > top:
            await self._streams.rebuild(workflow_snapshot, replaces=epoch)
            top = workflow_snapshot.sequence
        elif top == 0:
            initial = resolve_snapshot(run, None, self._pipelines.get(run.pipeline))
            await self._streams.rebuild(initial_snapshot(run, initial), replaces=epoch)
        await self._streams.append(terminal_event(run, top + 1, await self._outcome(run)))

    async def _outcome(self, run: RunInfo) -> msgspec.Raw | Failure | None:
        spec = self._pipelines.get(run.pipeline)
        if spec is None or run.is_plain:
            return None
        outcome = await self._runs.result(run.key, spec)
        if isinstance(outcome, Failure):
            return outcome
        body = msgspec.json.encode(outcome)
        # As in the workflow itself: a large result is read from the API, not from an event.
        return msgspec.Raw(body) if len(body) < MAX_EVENT_BYTES // 2 else None
