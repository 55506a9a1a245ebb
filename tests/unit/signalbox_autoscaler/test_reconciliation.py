"""Reconciliation of the ledger with the provider's list, and the specification of a launch."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signalbox_autoscaler.actuate.executor import build_launch_spec
from signalbox_autoscaler.actuate.reconciliation import REQUEST_TIMEOUT, LaunchChange, reconcile
from signalbox_autoscaler.model import Launch, LaunchState, ScalingPolicy
from signalbox_autoscaler.providers.provider import Execution, ExecutionState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LISTING_DELAY_S = 30.0
LATE = REQUEST_TIMEOUT + timedelta(seconds=LISTING_DELAY_S + 1)
LAUNCH = Launch(launch_id="l-1", queue="q", workers=5, slots=50, requested_at=NOW, eta_at=NOW)


def launch(state: LaunchState, handle: str | None = "h") -> Launch:
    return replace(LAUNCH, state=state, handle=handle)


def listed(state: ExecutionState, **more: Any) -> Execution:
    return Execution(launch_id="l-1", handle="h", state=state, **more)


def reconciled(
    known: Launch,
    execution: Execution | None,
    *,
    after: timedelta = timedelta(seconds=5),
    alive: bool = False,
    pending: bool = False,
) -> LaunchChange | None:
    found = reconcile(
        [known],
        {"l-1": execution} if execution else {},
        alive=frozenset({"l-1"} if alive else ()),
        pending=frozenset({"l-1"} if pending else ()),
        listing_delay_s=LISTING_DELAY_S,
        now=NOW + after,
    )
    return found[0] if found else None


def test_a_launch_whose_request_was_cut_off_is_adopted_by_its_id() -> None:
    change = reconciled(launch(LaunchState.INTENDED, None), listed(ExecutionState.STARTING))
    assert change == LaunchChange(launch=launch(LaunchState.REQUESTED))


@pytest.mark.parametrize(
    ("after", "pending", "is_closed"),
    [
        pytest.param(timedelta(seconds=5), False, False, id="may still be accepted"),
        pytest.param(LATE, True, False, id="request pending in this process"),
        pytest.param(LATE, False, True, id="never accepted"),
    ],
)
def test_an_unlisted_reservation_is_closed_in_the_end(
    after: timedelta, pending: bool, is_closed: bool
) -> None:
    change = reconciled(launch(LaunchState.INTENDED, None), None, after=after, pending=pending)
    assert (change is not None) == is_closed
    if change is not None:
        assert (change.launch.state, change.ended_after_s) == (LaunchState.FAILED, 0.0)


def test_a_launch_runs_after_the_first_heartbeat() -> None:
    assert reconciled(launch(LaunchState.REQUESTED), listed(ExecutionState.RUNNING)) is None
    change = reconciled(launch(LaunchState.REQUESTED), listed(ExecutionState.RUNNING), alive=True)
    assert change == LaunchChange(launch=launch(LaunchState.RUNNING))


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
            LaunchState.REQUESTED,
            ExecutionState.CANCELLED,
            LaunchState.CANCELLED,
            id="cancelled at the provider",
        ),
        pytest.param(
            LaunchState.CANCELLED, ExecutionState.SUCCEEDED, LaunchState.CANCELLED, id="cancelled before"
        ),
    ],
)
def test_an_end_settles_the_launch(known: LaunchState, execution: ExecutionState, end: LaunchState) -> None:
    change = reconciled(launch(known), listed(execution, lasted_s=42.0))
    assert change == LaunchChange(launch=launch(end), ended_after_s=42.0)


def test_a_cancelled_launch_that_appears_late_is_cancelled_again() -> None:
    change = reconciled(launch(LaunchState.CANCELLED, None), listed(ExecutionState.STARTING))
    assert change == LaunchChange(launch=launch(LaunchState.CANCELLED), cancel="h")


def test_a_launch_that_is_no_longer_listed_has_ended_unless_a_worker_is_alive() -> None:
    assert reconciled(launch(LaunchState.RUNNING), None, after=LATE, alive=True) is None
    change = reconciled(launch(LaunchState.RUNNING), None, after=LATE)
    assert change == LaunchChange(launch=launch(LaunchState.ENDED), ended_after_s=LATE.total_seconds())


def test_an_unavailable_provider_changes_nothing() -> None:
    known = [launch(LaunchState.INTENDED, None), launch(LaunchState.RUNNING)]
    assert (
        reconcile(
            known,
            None,
            alive=frozenset(),
            pending=frozenset(),
            listing_delay_s=LISTING_DELAY_S,
            now=NOW + LATE,
        )
        == []
    )


def test_a_launch_spec_has_the_limits_of_the_policy_and_a_later_deadline() -> None:
    policy = ScalingPolicy(max_lifetime_s=1_000, idle_exit_s=20, heartbeat_s=0.5)
    spec = build_launch_spec(LAUNCH, policy)
    assert spec.variables["SIGNALBOX_WORKER_BURST_LAUNCH"] == "l-1"
    assert spec.environment["SIGNALBOX_WORKER_TASK_QUEUES"] == "q"
    assert spec.environment["SIGNALBOX_WORKER_MAX_ACTIVITIES"] == "50"
    assert spec.environment["SIGNALBOX_WORKER_HEARTBEAT_S"] == "1.0", "the minimum of a worker"
    assert spec.timeout_s > 1.25 * policy.max_lifetime_s
