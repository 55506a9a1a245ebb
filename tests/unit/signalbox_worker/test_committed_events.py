"""The plugin keeps milestones while Temporal or the receiver is unavailable, within a bound."""

from collections.abc import Sequence
from typing import cast

import pytest
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.events import CloudEvent
from signalbox_core.pipeline.workflow.plain.record import RecordedEvent
from signalbox_worker.plugin import committed_events
from signalbox_worker.plugin.committed_events import MAX_CHECKS, CommittedEvents
from support.assertions.eventually import eventually
from support.fakes.events import story

EVENTS = [event for event in story() if event.sequence is not None][:2]


class IdleWorkflows:
    """Temporal's description of workflows that wait; it is unavailable for the first requests."""

    namespace = "default"

    def __init__(self, failures: int = 0, error: RPCStatusCode = RPCStatusCode.UNAVAILABLE) -> None:
        self.workflow_service = self
        self.failures = failures
        self.requests = 0
        self._error = error

    async def describe_workflow_execution(
        self, _request: DescribeWorkflowExecutionRequest, **_: object
    ) -> DescribeWorkflowExecutionResponse:
        self.requests += 1
        if self.requests <= self.failures:
            raise RPCError("unavailable", self._error, b"")
        running = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
        return DescribeWorkflowExecutionResponse(
            workflow_execution_info=WorkflowExecutionInfo(status=running, history_length=9)
        )


class Forwarding:
    """Takes batches while there is room."""

    def __init__(self, *, has_room: bool = True) -> None:
        self.has_room = has_room
        self.refused = 0
        self.events: list[CloudEvent] = []

    def take(self, events: Sequence[CloudEvent]) -> bool:
        if self.has_room:
            self.events += events
        else:
            self.refused += 1
        return self.has_room


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committed_events, "FIRST_CHECK_S", 0.001)
    monkeypatch.setattr(committed_events, "MAX_CHECK_DELAY_S", 0.001)


def held_by(temporal: IdleWorkflows, forwarding: Forwarding) -> CommittedEvents:
    committed = CommittedEvents(cast(Client, temporal), forwarding.take)
    committed.open()
    return committed


def recorded(event: CloudEvent, execution_id: str = "first") -> RecordedEvent:
    return RecordedEvent(
        workflow_id="order-1",
        execution_id=execution_id,
        event=event,
        history_length=3,
        is_replay=False,
        is_first=False,
    )


async def test_events_stay_while_temporal_is_unavailable() -> None:
    temporal, forwarding = IdleWorkflows(failures=3 * MAX_CHECKS), Forwarding()
    committed = held_by(temporal, forwarding)
    for event in EVENTS:
        committed.record(recorded(event))
    await eventually(lambda: forwarding.events == EVENTS, within_s=30)
    assert temporal.requests == 3 * MAX_CHECKS + 1
    await committed.close()


async def test_events_of_a_workflow_that_no_longer_exists_are_dropped() -> None:
    temporal, forwarding = IdleWorkflows(failures=1, error=RPCStatusCode.NOT_FOUND), Forwarding()
    committed = held_by(temporal, forwarding)
    committed.record(recorded(EVENTS[0], "deleted"))
    await eventually(lambda: temporal.requests == 1, within_s=30)
    committed.record(recorded(EVENTS[1], "another"))
    await eventually(lambda: forwarding.events == EVENTS[1:], within_s=30)
    await committed.close()


async def test_committed_events_stay_while_the_forwarding_queue_is_full() -> None:
    forwarding = Forwarding(has_room=False)
    committed = held_by(IdleWorkflows(), forwarding)
    for event in EVENTS:
        committed.record(recorded(event))
    await eventually(lambda: forwarding.refused > 2, within_s=30)
    forwarding.has_room = True
    await eventually(lambda: forwarding.events == EVENTS, within_s=30)
    await committed.close()


async def test_the_execution_that_has_waited_longest_is_dropped_above_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(committed_events, "MAX_HELD_RUNS", 2)
    forwarding = Forwarding(has_room=False)
    committed = held_by(IdleWorkflows(), forwarding)
    committed.record(recorded(EVENTS[0], "oldest"))
    await eventually(lambda: forwarding.refused > 2, within_s=30)
    for execution_id in ("second", "third"):
        committed.record(recorded(EVENTS[1], execution_id))
    refused = forwarding.refused
    await eventually(lambda: forwarding.refused > refused + 5, within_s=30)
    forwarding.has_room = True
    await eventually(lambda: len(forwarding.events) >= 2, within_s=30)
    await committed.close()
    assert forwarding.events == [EVENTS[1]] * 2
