"""When a run is blocked or queued, from Temporal's facts."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from signalbox_core.events.snapshot import BlockedState, QueuedState
from signalbox_core.temporal.task_failures import (
    TaskFailure,
    failing_line,
    failure_code,
    failure_condition,
)
from signalbox_gateway.background.condition_rules import (
    PendingWork,
    QueueFacts,
    WaitingQueue,
    WaitState,
    queue_condition,
    wait_state,
    waiting_queue,
)

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
LONG_AGO, JUST_NOW = NOW - timedelta(seconds=30), NOW - timedelta(seconds=1)
IDLE = PendingWork(workflow_id="acme:r", run_id="r", tenant="acme", pipeline="echo", task_queue="echo")
SERVED = QueueFacts(has_pollers=True, backlog=413, backlog_age=timedelta(seconds=40), is_served=True)
FAILURE = TaskFailure(
    cause="workflow_worker_unhandled_failure", message="no such key", stack_trace="", at=LONG_AGO
)
TRACE = """
  File "/app/site-packages/temporalio/worker/_workflow_instance.py", line 534, in activate
  File "/app/pipelines/ads/workflow.py", line 39, in run
  File "/app/pipelines/ads/texts.py", line 12, in joined
  File "/usr/lib/python3.13/asyncio/tasks.py", line 7, in gather
"""


@pytest.mark.parametrize(
    ("work", "state"),
    [
        pytest.param(IDLE, WaitState.PROCEEDS, id="waits for a person or a timer"),
        pytest.param(replace(IDLE, attempt=2, since=JUST_NOW), WaitState.FAILS, id="second attempt"),
        pytest.param(replace(IDLE, attempt=1, since=JUST_NOW), WaitState.PROCEEDS, id="task just scheduled"),
        pytest.param(replace(IDLE, attempt=1, since=LONG_AGO), WaitState.WAITS, id="task waits"),
        pytest.param(
            replace(IDLE, attempt=1, since=LONG_AGO, is_started=True),
            WaitState.PROCEEDS,
            id="task runs",
        ),
        pytest.param(
            replace(IDLE, activities_since=LONG_AGO, activity_queue="gpu"),
            WaitState.WAITS,
            id="call waits",
        ),
        pytest.param(
            replace(IDLE, activities_since=JUST_NOW, activity_queue="gpu"),
            WaitState.PROCEEDS,
            id="new call",
        ),
    ],
)
def test_what_pending_work_amounts_to(work: PendingWork, state: WaitState) -> None:
    assert wait_state(work, NOW) is state


def test_the_queue_of_the_waiting_task_is_named() -> None:
    task = replace(IDLE, attempt=1, since=LONG_AGO)
    activity = replace(IDLE, activities_since=LONG_AGO, activity_queue="gpu")

    assert (waiting_queue(task, NOW), waiting_queue(activity, NOW)) == (
        WaitingQueue("echo", "workflow"),
        WaitingQueue("gpu", "activity"),
    )


def test_a_pinned_run_waits_for_workers_of_its_build() -> None:
    pinned = replace(IDLE, build="b1", attempt=1, since=LONG_AGO)
    own = replace(IDLE, build="b1", activities_since=LONG_AGO, activity_queue="echo")
    other = replace(own, activity_queue="gpu")

    assert [waiting_queue(work, NOW) for work in (pinned, own, other)] == [
        WaitingQueue("echo", "workflow", "b1"),
        WaitingQueue("echo", "activity", "b1"),
        WaitingQueue("gpu", "activity"),
    ]
    condition = queue_condition(
        WaitingQueue("echo", "workflow", "b1"), replace(SERVED, has_pollers=False), LONG_AGO
    )
    assert isinstance(condition, BlockedState)
    assert "no worker of build b1" in condition.reason


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (FAILURE, "workflow_error"),
        (replace(FAILURE, cause="non_deterministic_error"), "non_determinism"),
        (replace(FAILURE, message="[TMPRL1101] Potential deadlock detected"), "deadlock"),
        (replace(FAILURE, cause="timed_out", message=""), "task_timeout"),
    ],
)
def test_every_failure_has_a_code_and_a_reason(failure: TaskFailure, code: str) -> None:
    condition = failure_condition(failure, "draw")

    assert (failure_code(failure), condition.code, condition.since) == (code, code, LONG_AGO)
    assert "in step draw" in condition.reason


def test_the_failing_line_is_the_innermost_of_the_pipelines_own_code() -> None:
    assert failing_line(TRACE) == "texts.py:12 (joined)"
    assert failing_line("") is None


def test_a_task_behind_others_is_queued() -> None:
    condition = queue_condition(WaitingQueue("echo", "workflow"), SERVED, LONG_AGO)

    assert isinstance(condition, QueuedState)
    assert (condition.ahead, condition.since) == (412, LONG_AGO)
    assert "412 workflow tasks" in condition.reason


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(replace(SERVED, has_pollers=False), id="no pollers"),
        pytest.param(replace(SERVED, is_served=False), id="pollers that are gone"),
    ],
)
def test_a_queue_from_which_nothing_is_taken_blocks(facts: QueueFacts) -> None:
    condition = queue_condition(WaitingQueue("echo", "activity"), facts, LONG_AGO)

    assert isinstance(condition, BlockedState)
    assert condition.code == "no_worker"
    assert "start workers" in condition.reason
