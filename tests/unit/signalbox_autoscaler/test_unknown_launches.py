"""Executions that the launch ledger does not contain: adopted, cancelled or left alone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from signalbox_autoscaler.actuate.unknown_launches import UnknownLaunches
from signalbox_autoscaler.model import Launch, LaunchState, ScalingPolicy
from signalbox_autoscaler.providers.provider import AcceptedLaunch, Execution, ExecutionState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = ScalingPolicy(heartbeat_s=5, price_per_worker_s=Decimal("0.001"), max_lifetime_s=1_000)
ACCEPTED = AcceptedLaunch(queue="q", slots=50, workers=3, accepted_at=NOW - timedelta(minutes=2))
LATER = NOW + timedelta(seconds=15)


def listed(
    state: ExecutionState = ExecutionState.RUNNING, *, accepted: AcceptedLaunch | None = ACCEPTED
) -> Execution:
    return Execution(launch_id="l-1", handle="h", state=state, accepted=accepted)


def found_after(
    execution: Execution,
    *times: datetime,
    known: tuple[str, ...] = (),
    with_workers: tuple[str, ...] = (),
    policy: ScalingPolicy | None = POLICY,
) -> list[Launch]:
    unknown, found = UnknownLaunches(), list[Launch]()
    for now in times:
        found = unknown.find(
            [execution],
            known,
            with_workers=with_workers,
            policies={"q": policy} if policy else {},
            now=now,
        )
    return found


def test_one_with_a_worker_is_adopted_with_its_size_and_money() -> None:
    assert found_after(listed(), NOW, with_workers=("l-1",)) == [
        Launch(
            launch_id="l-1",
            queue="q",
            workers=3,
            slots=50,
            requested_at=ACCEPTED.accepted_at,
            eta_at=ACCEPTED.accepted_at,
            state=LaunchState.RUNNING,
            handle="h",
            reserved=Decimal(3),
        )
    ]


def test_one_without_a_worker_is_cancelled_after_three_heartbeat_intervals() -> None:
    assert found_after(listed(), NOW, LATER - timedelta(seconds=1)) == []
    cancelled = found_after(listed(), NOW, LATER)
    assert [(launch.state, launch.handle, launch.reserved) for launch in cancelled] == [
        (LaunchState.CANCELLED, "h", Decimal(0))
    ]


@pytest.mark.parametrize(
    ("execution", "known", "policy"),
    [
        pytest.param(listed(), ("l-1",), POLICY, id="in the ledger"),
        pytest.param(listed(ExecutionState.SUCCEEDED), (), POLICY, id="ended"),
        pytest.param(listed(accepted=None), (), POLICY, id="not requested by an autoscaler"),
        pytest.param(listed(), (), None, id="a queue without a policy"),
        pytest.param(listed(), (), ScalingPolicy(dry_run=True), id="a dry run"),
    ],
)
def test_others_are_left_alone(
    execution: Execution, known: tuple[str, ...], policy: ScalingPolicy | None
) -> None:
    assert found_after(execution, NOW, NOW + timedelta(hours=1), known=known, policy=policy) == []
    assert found_after(execution, NOW, known=known, with_workers=("l-1",), policy=policy) == []
