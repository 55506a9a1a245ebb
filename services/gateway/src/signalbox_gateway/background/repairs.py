"""Mending one run's stream from what Temporal knows: its end, a gap, or all of it."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import msgspec

from signalbox_core.events import MAX_EVENT_BYTES, Snapshot
from signalbox_core.events.catalogue import Failure
from signalbox_core.events.snapshot import ENDED, RunStatus
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.streams import Gap, RunStream
from signalbox_gateway.background.terminal_events import Action, decide, is_fresh, opening, terminal_event
from signalbox_gateway.runs.lookup import snapshot_of
from signalbox_gateway.runs.pending_starts import WaitingStart
from signalbox_gateway.runs.temporal import Described, Page

log = logging.getLogger(__name__)
_QUERY_WITHIN: Final = timedelta(seconds=2)


class KnownRuns(Protocol):
    """What Temporal is asked here; `Engine` answers."""

    async def list(self, query: str, *, limit: int, token: bytes | None) -> Page: ...

    async def describe(self, run_id: str) -> Described | None: ...

    async def query(self, run_id: str, within: timedelta) -> Snapshot | None: ...

    async def result(self, run_id: str, spec: PipelineSpec) -> msgspec.Struct | Failure: ...


class Repairs:
    """Each is idempotent: a second repairer, or a second time, changes nothing."""

    def __init__(self, streams: RunStream, runs: KnownRuns, pipelines: Mapping[str, PipelineSpec]) -> None:
        self._streams = streams
        self._runs = runs
        self._pipelines = pipelines

    async def close(self, listed: Described, now: datetime) -> bool:
        """See that a closed run's stream has its end; False: not yet, look again."""
        if (await self._streams.read(listed.run_id, None, 1)).ended:
            return True
        if is_fresh(listed, now):
            return False
        run = await self._runs.describe(listed.run_id)
        if run is None or run.status not in ENDED:
            # Begun again since: its new execution will tell its own end.
            return True
        told = await self._runs.query(run.run_id, _QUERY_WITHIN)
        history = await self._streams.read(run.run_id, None, 1)
        match decide(run, top=history.top, told=told, now=now):
            case Action.WAIT:
                return False
            case Action.REBUILD if told is not None:
                await self._streams.rebuild(told, replaces=history.epoch)
            case _:
                await self._close(run, told, history.top, history.epoch)
        log.info(
            "stream closed for its run",
            extra={"run_id": run.run_id, "tenant": run.tenant, "status": run.status},
        )
        return True

    async def fill(self, gap: Gap) -> None:
        """Give a stream that stands still the state of its workflow; the events after that go on."""
        told = await self._runs.query(gap.run_id, _QUERY_WITHIN)
        if told is not None and told.sequence > gap.top:
            await self._streams.rebuild(told, replaces=gap.epoch)
            log.warning(
                "gap in a stream repaired",
                extra={"run_id": gap.run_id, "after": gap.top, "now_at": told.sequence},
            )
        elif told is None and await self._runs.describe(gap.run_id) is None:
            await self._streams.discard(gap.run_id)
            log.error("events of an unknown run discarded", extra={"run_id": gap.run_id})

    async def restore(self, run: Described) -> None:
        """Give an open run the stream that Redis has lost."""
        if (await self._streams.read(run.run_id, None, 1)).epoch:
            return
        told = await self._runs.query(run.run_id, _QUERY_WITHIN)
        if (
            told is not None
            and told.sequence > 0
            and await self._streams.rebuild(told, replaces="") is not None
        ):
            log.info("stream restored from its workflow", extra={"run_id": run.run_id, "tenant": run.tenant})

    async def end_unstarted(
        self, start: WaitingStart, status: RunStatus, why: str, *, code: str = "failed"
    ) -> None:
        """Tell the end of a run that was accepted and never started; `code` is a failure's."""
        run = Described(
            run_id=start.run_id,
            tenant=start.tenant,
            pipeline=start.pipeline,
            status=status,
            started_at=start.requested_at,
            ended_at=datetime.now(UTC),
            started_by=start.started_by,
        )
        bare = snapshot_of(run, None, self._pipelines.get(run.pipeline))
        if await self._streams.rebuild(opening(run, bare), replaces="") is not None:
            await self._streams.append(terminal_event(run, 1, Failure(code=code, message=why)))

    async def _close(self, run: Described, told: Snapshot | None, top: int, epoch: str) -> None:
        if told is not None and told.sequence > top:
            await self._streams.rebuild(told, replaces=epoch)
            top = told.sequence
        elif top == 0:
            bare = snapshot_of(run, None, self._pipelines.get(run.pipeline))
            await self._streams.rebuild(opening(run, bare), replaces=epoch)
        await self._streams.append(terminal_event(run, top + 1, await self._outcome(run)))

    async def _outcome(self, run: Described) -> msgspec.Raw | Failure | None:
        spec = self._pipelines.get(run.pipeline)
        if spec is None:
            return None
        outcome = await self._runs.result(run.run_id, spec)
        if isinstance(outcome, Failure):
            return outcome
        body = msgspec.json.encode(outcome)
        # As the workflow itself does: a large result is read from the gateway, not from an event.
        return msgspec.Raw(body) if len(body) < MAX_EVENT_BYTES // 2 else None
