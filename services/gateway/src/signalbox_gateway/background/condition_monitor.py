"""Finds blocked and queued runs, a bounded number at a time, and announces what changed. Runs in the leader.

Every round checks the newest open runs, the next page of all open runs, the runs with a recorded condition,
and those for which Temporal reports failing workflow tasks.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, cast

import msgspec
from msgspec import Struct

from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.events import CloudEvent, full_type
from signalbox_core.events.notices import RunBlocked, RunQueued, RunUnblocked
from signalbox_core.events.snapshot import BlockedState, QueuedState
from signalbox_core.ids import derived_id, run_id_of
from signalbox_core.pubsub import Publisher
from signalbox_core.streams import RunStream
from signalbox_core.temporal.task_failures import failure_condition
from signalbox_core.topology import LIFECYCLE
from signalbox_gateway.background.condition_rules import (
    PendingWork,
    QueueFacts,
    WaitingQueue,
    WaitState,
    queue_condition,
    wait_state,
    waiting_queue,
)
from signalbox_gateway.background.pending_work import PendingWorkReader
from signalbox_gateway.background.repairs import RunDirectory
from signalbox_gateway.runs.conditions import MAX_CONDITIONS, RunCondition, RunConditions

log = logging.getLogger(__name__)
CHECK_EVERY: Final = timedelta(seconds=2)
_PAGE: Final = 10
_MAX_KNOWN_PER_ROUND: Final = 30
_MAX_CONCURRENCY: Final = 8
_MIN_AGE: Final = timedelta(seconds=3)
"""Younger runs are not checked: a wait is reported after five seconds, and short runs have ended by then."""
_OPEN: Final = "ExecutionStatus = 'Running'"
_REPORTED: Final = f"{_OPEN} AND TemporalReportedProblems IS NOT NULL"
"""Servers from 1.30 on mark runs whose workflow task failed several times in a row."""


class ConditionMonitor:
    """One per leader; `check` may be called as often as wanted, and works every two seconds."""

    def __init__(
        self,
        runs: RunDirectory,
        reader: PendingWorkReader,
        conditions: RunConditions,
        streams: RunStream,
        publisher: Publisher,
    ) -> None:
        self._runs = runs
        self._reader = reader
        self._conditions = conditions
        self._streams = streams
        self._publisher = publisher
        self._next_page: bytes | None = None
        self._known_position = 0
        self._has_reports = True
        self._checked_at = datetime.min.replace(tzinfo=UTC)

    async def check(self, now: datetime) -> None:
        """Check the next runs; errors of single runs are logged.

        Raises:
            Unavailable: Temporal or Redis is unavailable.
        """
        if now - self._checked_at < CHECK_EVERY:
            return
        self._checked_at = now
        await self._conditions.refresh()
        queues: dict[WaitingQueue, QueueFacts] = {}
        slots = asyncio.Semaphore(_MAX_CONCURRENCY)

        async def check_one(key: str) -> None:
            async with slots:
                await self._check_run(key, queues, now)

        async with asyncio.TaskGroup() as group:
            for key in await self._candidates(now):
                group.create_task(check_one(key))
        await self._publish()

    async def _publish(self) -> None:
        """Publish what was announced. A crash after the publication repeats it, with the same event id."""
        for event in await self._conditions.unpublished():
            try:
                await self._publisher.publish(LIFECYCLE, event, ordering_key=event.runid)
            except Unavailable as error:
                log.warning("conditions of runs not published yet", extra={"error": error.detail})
                return
            await self._conditions.remove_unpublished(event)

    async def _candidates(self, now: datetime) -> Sequence[str]:
        """The run keys to check in this round."""
        newest = await self._runs.list(_OPEN, limit=_PAGE, token=None)
        listed = list(newest.runs)
        if self._next_page is not None:
            page = await self._runs.list(_OPEN, limit=_PAGE, token=self._next_page)
            listed += page.runs
            self._next_page = page.next_token
        else:
            self._next_page = newest.next_token
        found = [run.key for run in listed if run.started_at <= now - _MIN_AGE]
        return list(dict.fromkeys([*found, *await self._reported(), *self._known()]))

    async def _reported(self) -> Sequence[str]:
        if not self._has_reports:
            return ()
        try:
            page = await self._runs.list(_REPORTED, limit=_PAGE * 2, token=None)
        except InvalidInput:
            # An older server; the rotation finds the same runs, later.
            self._has_reports = False
            return ()
        return [run.key for run in page.runs]

    def _known(self) -> Sequence[str]:
        """The next runs with a condition, in turn."""
        known = sorted(self._conditions.all())
        if self._known_position >= len(known):
            self._known_position = 0
        chosen = list(islice(known, self._known_position, self._known_position + _MAX_KNOWN_PER_ROUND))
        self._known_position += _MAX_KNOWN_PER_ROUND
        return chosen

    async def _check_run(self, key: str, queues: dict[WaitingQueue, QueueFacts], now: datetime) -> None:
        try:
            work = await self._reader.read(key)
            condition = await self._condition(work, queues, now) if work is not None else None
            await self._apply(key, condition)
        except Unavailable:
            raise
        except SignalboxError as error:
            log.error("checking a run failed", extra={"run_id": run_id_of(key), "error": error.detail})

    async def _condition(
        self, work: PendingWork, queues: dict[WaitingQueue, QueueFacts], now: datetime
    ) -> RunCondition | None:
        state: BlockedState | QueuedState | None = None
        match wait_state(work, now):
            case WaitState.FAILS:
                failure = await self._reader.last_failure(work.workflow_id)
                state = failure_condition(failure, await self._step(work)) if failure else None
            case WaitState.WAITS if (waiting := waiting_queue(work, now)) is not None:
                if waiting not in queues:
                    queues[waiting] = await self._reader.queue(waiting)
                since = work.since or work.activities_since or now
                state = queue_condition(waiting, queues[waiting], since)
            case _:
                pass
        if state is None:
            return None
        return RunCondition(
            tenant=work.tenant,
            pipeline=work.pipeline,
            blocked=state if isinstance(state, BlockedState) else None,
            queued=state if isinstance(state, QueuedState) else None,
        )

    async def _step(self, work: PendingWork) -> str | None:
        projected = await self._streams.snapshot(await self._streams.locate(work.tenant, work.run_id))
        steps = projected.snapshot.steps if projected is not None else ()
        return next((step.name for step in steps if step.status == "running"), None)

    async def _apply(self, key: str, condition: RunCondition | None) -> None:
        """Announce and record a change. A crash in between announces it again."""
        known = self._conditions.get(key)
        if known is not None and known.blocked and condition is not None and condition.queued:
            # Subscribers must see the end of a blockage; the next round reports the queue.
            condition = None
        if _is_same(known, condition) or (known is None and len(self._conditions.all()) >= MAX_CONDITIONS):
            return
        subject = condition or known
        assert subject is not None
        event = notice_event(run_id_of(key), subject, known=known, condition=condition)
        await self._streams.announce(event)
        if event.name == "run.blocked" or (event.name == "run.unblocked" and subject.blocked):
            await self._conditions.add_unpublished(event)
        await self._conditions.write(key, condition)
        facts = {"run_id": run_id_of(key), "tenant": subject.tenant}
        if condition is None or condition.blocked is None:
            log.info("run no longer blocked" if condition is None else "run queued", extra=facts)
        else:
            log.warning("run blocked", extra={**facts, "code": condition.blocked.code})


class _Notice(Struct, frozen=True):
    name: str
    data: Struct


def notice_event(
    run_id: str, subject: RunCondition, *, known: RunCondition | None, condition: RunCondition | None
) -> CloudEvent:
    """Build the event of a change. Its id derives from the condition, so that a repetition has the same."""
    notice = _notice(known, condition)
    return CloudEvent(
        id=derived_id(subject.tenant, run_id, notice.name, subject.since.isoformat(), _code(subject)),
        source="/signalbox/gateway",
        type=full_type(notice.name),
        time=datetime.now(UTC),
        subject=run_id,
        tenantid=subject.tenant,
        runid=run_id,
        data=msgspec.Raw(msgspec.json.encode(notice.data)),
    )


def _notice(known: RunCondition | None, condition: RunCondition | None) -> _Notice:
    if condition is None:
        return _Notice("run.unblocked", RunUnblocked(since=cast("RunCondition", known).since))
    if condition.blocked is not None:
        blocked = condition.blocked
        return _Notice(
            "run.blocked", RunBlocked(code=blocked.code, reason=blocked.reason, since=blocked.since)
        )
    queued = cast("QueuedState", condition.queued)
    return _Notice("run.queued", RunQueued(ahead=queued.ahead, reason=queued.reason, since=queued.since))


def _code(condition: RunCondition) -> str:
    return condition.blocked.code if condition.blocked is not None else "queued"


def _is_same(known: RunCondition | None, condition: RunCondition | None) -> bool:
    """Whether nothing worth an event changed; `ahead` must change by a tenth."""
    if known is None or condition is None:
        return known is condition
    if known.blocked is not None and condition.blocked is not None:
        return (known.blocked.code, known.blocked.since) == (condition.blocked.code, condition.blocked.since)
    if known.queued is not None and condition.queued is not None:
        before, after = known.queued.ahead, condition.queued.ahead
        return abs(before - after) <= max(before, after) // 10
    return False
