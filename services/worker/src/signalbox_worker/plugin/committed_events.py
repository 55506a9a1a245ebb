"""Holds the milestones of plain workflows until their workflow task is committed, then forwards them.

An event must not be published for something that did not happen, and the plugin adds no activity that the
server would dispatch at the commit. So a milestone leaves when a later workflow task shows that its own is
part of the history, when it comes from a replay, or when Temporal's description shows the commit.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError

from signalbox_core.events import CloudEvent
from signalbox_core.events.catalogue import TERMINAL
from signalbox_core.pipeline.workflow.delivery import batches
from signalbox_core.pipeline.workflow.plain.record import RecordedEvent
from signalbox_worker.plugin.commit_check import CommitState, commit_state

log = logging.getLogger(__name__)

FIRST_CHECK_S: Final = 0.05
"""How long a later workflow task may make the first check unnecessary."""
MAX_CHECK_DELAY_S: Final = 2.0
MAX_CHECKS: Final = 40
"""After about a minute the events are dropped; the next replay records them again."""
MAX_HELD_RUNS: Final = 10_000
CLOSE_TIMEOUT_S: Final = 3.0
_MAX_REQUESTS: Final = 20
_RPC_TIMEOUT: Final = timedelta(seconds=5)


@dataclass(kw_only=True)
class _Held:
    """The events of one execution that wait for their commit, by sequence number."""

    workflow_id: str
    execution_id: str
    events: dict[int, RecordedEvent] = field(default_factory=dict)
    history_length: int = 0
    check: "asyncio.Task[None] | None" = None

    @property
    def terminal(self) -> str | None:
        return next((item.event.name for item in self.events.values() if item.event.name in TERMINAL), None)

    def add(self, recorded: RecordedEvent) -> None:
        assert recorded.event.sequence is not None
        if recorded.is_first:
            # A new instance replays the workflow: it records everything again that was committed.
            self.events.clear()
            self.history_length = 0
        self.events[recorded.event.sequence] = recorded
        self.history_length = max(self.history_length, recorded.history_length)

    def take_committed(self) -> list[CloudEvent]:
        """Remove and return the events of earlier workflow tasks, in order."""
        return self._take(
            lambda item: (
                item.is_replay
                or (item.history_length < self.history_length and item.event.name not in TERMINAL)
            )
        )

    def take_all(self) -> list[CloudEvent]:
        return self._take(lambda _: True)

    def _take(self, is_taken: Callable[[RecordedEvent], bool]) -> list[CloudEvent]:
        taken = sorted(place for place, item in self.events.items() if is_taken(item))
        return [self.events.pop(place).event for place in taken]


class CommittedEvents:
    """Created before the worker runs; `open` and `close` run on its event loop.

    Args:
        forward: takes the events of one run that are committed, in order.
    """

    def __init__(self, client: Client, forward: Callable[[Sequence[CloudEvent]], None]) -> None:
        self._client = client
        self._forward = forward
        self._lock = threading.Lock()
        self._recorded: list[RecordedEvent] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._held: dict[str, _Held] = {}
        self._requests = asyncio.Semaphore(_MAX_REQUESTS)

    def open(self) -> None:
        """Begin to forward events."""
        self._loop = asyncio.get_running_loop()
        self._take_recorded()

    async def close(self) -> None:
        """Wait a few seconds for the commits of the last workflow tasks, then drop what is left."""
        self._take_recorded()
        checks = [held.check for held in self._held.values() if held.check is not None]
        if checks:
            await asyncio.wait(checks, timeout=CLOSE_TIMEOUT_S)
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)
        self._held.clear()
        self._loop = None

    def record(self, recorded: RecordedEvent) -> None:
        """Take a milestone; called from workflow threads."""
        with self._lock:
            is_first = not self._recorded
            self._recorded.append(recorded)
        if is_first and self._loop is not None:
            self._loop.call_soon_threadsafe(self._take_recorded)

    def _take_recorded(self) -> None:
        with self._lock:
            recorded, self._recorded = self._recorded, []
        touched: dict[str, _Held] = {}
        for item in recorded:
            held = self._held.get(item.execution_id)
            if held is None:
                held = _Held(workflow_id=item.workflow_id, execution_id=item.execution_id)
                self._hold(held)
            held.add(item)
            touched[item.execution_id] = held
        for held in touched.values():
            self._send(held.take_committed())
            if held.events and held.check is None:
                held.check = asyncio.get_running_loop().create_task(self._check(held))
            elif not held.events:
                self._release(held)

    def _hold(self, held: _Held) -> None:
        self._held[held.execution_id] = held
        if len(self._held) > MAX_HELD_RUNS:
            oldest = self._held[next(iter(self._held))]
            log.warning("too many events wait for their commit", extra={"workflow": oldest.workflow_id})
            oldest.events.clear()
            self._release(oldest)

    def _release(self, held: _Held) -> None:
        if held.check is None:
            self._held.pop(held.execution_id, None)

    def _send(self, events: Sequence[CloudEvent]) -> None:
        for batch in batches(events):
            self._forward(batch)

    async def _check(self, held: _Held) -> None:
        """Describe the workflow until nothing waits for a commit."""
        try:
            delay_s = FIRST_CHECK_S
            for _ in range(MAX_CHECKS):
                await asyncio.sleep(delay_s)
                if not held.events:
                    return
                length, terminal = held.history_length, held.terminal
                state = await self._commit_state(held, length, terminal)
                if (held.history_length, held.terminal) != (length, terminal):
                    continue
                if state is CommitState.COMMITTED:
                    self._send(held.take_all())
                elif state is CommitState.LOST:
                    held.events.clear()
                else:
                    delay_s = min(2 * delay_s, MAX_CHECK_DELAY_S)
        finally:
            held.check = None
            self._held.pop(held.execution_id, None)

    async def _commit_state(self, held: _Held, length: int, terminal: str | None) -> CommitState:
        request = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace,
            execution=WorkflowExecution(workflow_id=held.workflow_id, run_id=held.execution_id),
        )
        async with self._requests:
            try:
                found = await self._client.workflow_service.describe_workflow_execution(
                    request, timeout=_RPC_TIMEOUT
                )
            except RPCError:
                return CommitState.PENDING
        return commit_state(found, history_length=length, terminal=terminal)
