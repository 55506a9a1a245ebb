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
from temporalio.service import RPCError, RPCStatusCode

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
"""Checks of one workflow task that Temporal answers: after about a minute its events are dropped."""
MAX_HELD_RUNS: Final = 10_000
"""Above it, the events of the execution that has waited longest are dropped."""
CLOSE_TIMEOUT_S: Final = 3.0
_MAX_REQUESTS: Final = 20
_RPC_TIMEOUT: Final = timedelta(seconds=5)


@dataclass(kw_only=True)
class _Held:
    """What is not forwarded yet of one execution.

    Attributes:
        events: those that wait for their commit, by sequence number.
        committed: those that wait for room in the forwarding queue.
    """

    workflow_id: str
    execution_id: str
    events: dict[int, RecordedEvent] = field(default_factory=dict)
    committed: list[CloudEvent] = field(default_factory=list)
    history_length: int = 0
    check: "asyncio.Task[None] | None" = None

    @property
    def terminal(self) -> str | None:
        return next((item.event.name for item in self.events.values() if item.event.name in TERMINAL), None)

    @property
    def is_waiting(self) -> bool:
        return bool(self.events or self.committed)

    def add(self, recorded: RecordedEvent) -> None:
        assert recorded.event.sequence is not None
        if recorded.is_first:
            # A new instance replays the workflow: it records everything again that was committed.
            self.events.clear()
            self.history_length = 0
        self.events[recorded.event.sequence] = recorded
        self.history_length = max(self.history_length, recorded.history_length)

    def commit_earlier(self) -> None:
        """Note that the events of earlier workflow tasks are committed."""
        self._commit(
            lambda item: (
                item.is_replay
                or (item.history_length < self.history_length and item.event.name not in TERMINAL)
            )
        )

    def commit_all(self) -> None:
        self._commit(lambda _: True)

    def _commit(self, is_committed: Callable[[RecordedEvent], bool]) -> None:
        places = sorted(place for place, item in self.events.items() if is_committed(item))
        self.committed += [self.events.pop(place).event for place in places]


class CommittedEvents:
    """Created before the worker runs; `open` and `close` run on its event loop.

    Args:
        forward: takes the events of one run that are committed, in order. While it returns False, they stay
            here and are passed again.
    """

    def __init__(self, client: Client, forward: Callable[[Sequence[CloudEvent]], bool]) -> None:
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
        if left := sum(len(held.events) + len(held.committed) for held in self._held.values()):
            log.info("stopped before all events of workflows were forwarded", extra={"count": left})
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
            held.commit_earlier()
            self._send(held)
            if self._held.get(held.execution_id) is not held or held.check is not None:
                continue
            if held.is_waiting:
                held.check = asyncio.get_running_loop().create_task(self._check(held))
            else:
                del self._held[held.execution_id]

    def _hold(self, held: _Held) -> None:
        self._held[held.execution_id] = held
        if len(self._held) > MAX_HELD_RUNS:
            oldest = self._held.pop(next(iter(self._held)))
            if oldest.check is not None:
                oldest.check.cancel()
            log.warning(
                "too many workflows have events to forward; those of one are dropped",
                extra={"workflow": oldest.workflow_id},
            )

    def _send(self, held: _Held) -> None:
        """Forward what is committed, as far as there is room."""
        for batch in batches(tuple(held.committed)):
            if not self._forward(batch):
                return
            del held.committed[: len(batch)]

    async def _check(self, held: _Held) -> None:
        """Describe the workflow until nothing waits for its commit or for room in the queue."""
        delay_s, pending = FIRST_CHECK_S, 0
        try:
            while held.is_waiting:
                await asyncio.sleep(delay_s)
                checked = (held.history_length, held.terminal)
                state = await self._commit_state(held, *checked) if held.events else None
                if (held.history_length, held.terminal) != checked:
                    delay_s, pending = FIRST_CHECK_S, 0
                    continue
                if state is CommitState.COMMITTED:
                    held.commit_all()
                elif state is CommitState.LOST:
                    held.events.clear()
                elif state is CommitState.PENDING:
                    pending += 1
                    if pending == MAX_CHECKS:
                        log.warning("workflow task not committed", extra={"workflow": held.workflow_id})
                        held.events.clear()
                delay_s = min(2 * delay_s, MAX_CHECK_DELAY_S)
                self._send(held)
        finally:
            held.check = None
            if self._held.get(held.execution_id) is held:
                del self._held[held.execution_id]

    async def _commit_state(self, held: _Held, length: int, terminal: str | None) -> CommitState | None:
        """Return the state of the latest workflow task; None while Temporal is unavailable."""
        request = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace,
            execution=WorkflowExecution(workflow_id=held.workflow_id, run_id=held.execution_id),
        )
        async with self._requests:
            try:
                found = await self._client.workflow_service.describe_workflow_execution(
                    request, timeout=_RPC_TIMEOUT
                )
            except RPCError as error:
                return CommitState.LOST if error.status is RPCStatusCode.NOT_FOUND else None
        return commit_state(found, history_length=length, terminal=terminal)
