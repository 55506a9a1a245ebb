"""What the provider's list makes of the launches in the book."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signalbox_autoscaler.actuate.launch_specs import order_of
from signalbox_autoscaler.actuate.reconciliation import ASKING, Change, reconcile
from signalbox_autoscaler.model import Launch, LaunchState, Policy
from signalbox_autoscaler.providers.provider import Execution, ExecutionState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTLES_S = 30.0
LATE = ASKING + timedelta(seconds=SETTLES_S + 1)
LAUNCH = Launch(launch_id="l-1", queue="q", workers=5, slots=50, requested_at=NOW, eta_at=NOW)


def launch(state: LaunchState, handle: str | None = "h") -> Launch:
    return replace(LAUNCH, state=state, handle=handle)


def listed(state: ExecutionState, **more: Any) -> Execution:
    return Execution(launch_id="l-1", handle="h", state=state, **more)


def changed(
    known: Launch,
    execution: Execution | None,
    *,
    after: timedelta = timedelta(seconds=5),
    beats: bool = False,
    asked: bool = False,
) -> Change | None:
    found = reconcile(
        [known],
        {"l-1": execution} if execution else {},
        beating=frozenset({"l-1"} if beats else ()),
        asked=frozenset({"l-1"} if asked else ()),
        settles_s=SETTLES_S,
        now=NOW + after,
    )
    return found[0] if found else None


def test_a_launch_whose_request_was_cut_off_is_adopted_by_its_id() -> None:
    change = changed(launch(LaunchState.INTENDED, None), listed(ExecutionState.STARTING))
    assert change == Change(launch=launch(LaunchState.REQUESTED))


@pytest.mark.parametrize(
    ("after", "asked", "gives_up"),
    [
        pytest.param(timedelta(seconds=5), False, False, id="may still be taken"),
        pytest.param(LATE, True, False, id="being asked for by this process"),
        pytest.param(LATE, False, True, id="never taken"),
    ],
)
def test_an_intent_that_nobody_lists_is_given_up_in_the_end(
    after: timedelta, asked: bool, gives_up: bool
) -> None:
    change = changed(launch(LaunchState.INTENDED, None), None, after=after, asked=asked)
    assert (change is not None) == gives_up
    if change is not None:
        assert (change.launch.state, change.ended_after_s) == (LaunchState.FAILED, 0.0)


def test_a_launch_runs_once_a_worker_beats() -> None:
    assert changed(launch(LaunchState.REQUESTED), listed(ExecutionState.RUNNING)) is None
    change = changed(launch(LaunchState.REQUESTED), listed(ExecutionState.RUNNING), beats=True)
    assert change == Change(launch=launch(LaunchState.RUNNING))


@pytest.mark.parametrize(
    ("known", "execution", "end"),
    [
        pytest.param(LaunchState.RUNNING, ExecutionState.SUCCEEDED, LaunchState.ENDED, id="done"),
        pytest.param(
            LaunchState.RUNNING, ExecutionState.FAILED, LaunchState.ENDED, id="one of its workers crashed"
        ),
        pytest.param(
            LaunchState.REQUESTED, ExecutionState.FAILED, LaunchState.FAILED, id="all crashed at once"
        ),
        pytest.param(
            LaunchState.REQUESTED, ExecutionState.CANCELLED, LaunchState.CANCELLED, id="cancelled by somebody"
        ),
        pytest.param(LaunchState.CANCELLED, ExecutionState.SUCCEEDED, LaunchState.CANCELLED, id="given up"),
    ],
)
def test_an_end_settles_the_launch(known: LaunchState, execution: ExecutionState, end: LaunchState) -> None:
    change = changed(launch(known), listed(execution, lasted_s=42.0))
    assert change == Change(launch=launch(end), ended_after_s=42.0)


def test_what_was_given_up_and_came_after_all_is_ended() -> None:
    change = changed(launch(LaunchState.CANCELLED, None), listed(ExecutionState.STARTING))
    assert change == Change(launch=launch(LaunchState.CANCELLED), cancel="h")


def test_a_launch_that_is_no_longer_listed_has_ended_unless_its_workers_beat() -> None:
    assert changed(launch(LaunchState.RUNNING), None, after=LATE, beats=True) is None
    change = changed(launch(LaunchState.RUNNING), None, after=LATE)
    assert change == Change(launch=launch(LaunchState.ENDED), ended_after_s=LATE.total_seconds())


def test_a_provider_that_does_not_answer_changes_nothing() -> None:
    known = [launch(LaunchState.INTENDED, None), launch(LaunchState.RUNNING)]
    assert (
        reconcile(known, None, beating=frozenset(), asked=frozenset(), settles_s=SETTLES_S, now=NOW + LATE)
        == []
    )


def test_a_worker_is_told_its_queue_and_limits_and_its_provider_ends_it_last() -> None:
    policy = Policy(max_lifetime_s=1_000, idle_exit_s=20, heartbeat_s=0.5)
    order = order_of(LAUNCH, policy)
    assert order.variables["SIGNALBOX_WORKER_BURST_LAUNCH"] == "l-1"
    assert order.environment["SIGNALBOX_WORKER_TASK_QUEUES"] == "q"
    assert order.environment["SIGNALBOX_WORKER_MAX_ACTIVITIES"] == "50"
    assert order.environment["SIGNALBOX_WORKER_HEARTBEAT_S"] == "1.0", "no worker beats faster"
    assert order.timeout_s > 1.25 * policy.max_lifetime_s
