"""Finds executions that are not in the launch ledger: accepted late, or lost from it with Redis's data."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from signalbox_autoscaler.model import Launch, LaunchState, ScalingPolicy
from signalbox_autoscaler.providers.provider import ENDS, AcceptedLaunch, Execution
from signalbox_autoscaler.sizing.capacity import MISSED_HEARTBEATS


class UnknownLaunches:
    """Adopts or cancels the executions that a leader finds in the provider's list only.

    One with a worker is adopted as running. One without is cancelled, because no capacity was counted and no
    money reserved for it; not before three heartbeat intervals, because a Temporal server that was restarted
    lists a worker only after its next heartbeat. Executions for a queue that has no policy here, or a dry
    run, may belong to another deployment and are left alone.
    """

    def __init__(self) -> None:
        self._unknown_since: dict[str, datetime] = {}

    def find(
        self,
        listed: Iterable[Execution],
        known: Collection[str],
        *,
        with_workers: Collection[str | None],
        policies: Mapping[str, ScalingPolicy],
        now: datetime,
    ) -> list[Launch]:
        """The launches to write to the ledger, either running or cancelled.

        Args:
            listed: just read from the provider, after `known` was read.
            known: ids of the launches in the ledger, and of those whose request is pending.
            with_workers: ids of the launches of which Temporal has just listed a worker.
        """
        unknown = [
            (execution, execution.accepted)
            for execution in listed
            if execution.accepted and execution.state not in ENDS and execution.launch_id not in known
        ]
        self._unknown_since = {
            execution.launch_id: self._unknown_since.get(execution.launch_id, now) for execution, _ in unknown
        }
        found: list[Launch] = []
        for execution, accepted in unknown:
            policy = policies.get(accepted.queue)
            if policy is None or policy.dry_run:
                continue
            if execution.launch_id in with_workers:
                found.append(_running(execution, accepted, policy))
            elif now - self._unknown_since[execution.launch_id] >= _patience(policy):
                found.append(_cancelled(execution, accepted))
        return found


def _patience(policy: ScalingPolicy) -> timedelta:
    return timedelta(seconds=MISSED_HEARTBEATS * policy.heartbeat_s)


def _running(execution: Execution, accepted: AcceptedLaunch, policy: ScalingPolicy) -> Launch:
    return _launch(
        execution, accepted, state=LaunchState.RUNNING, reserved=policy.reserve(accepted.workers), error=None
    )


def _cancelled(execution: Execution, accepted: AcceptedLaunch) -> Launch:
    error = "it was missing from the ledger, and no worker of it polled"
    return _launch(execution, accepted, state=LaunchState.CANCELLED, reserved=Decimal(0), error=error)


def _launch(
    execution: Execution,
    accepted: AcceptedLaunch,
    *,
    state: LaunchState,
    reserved: Decimal,
    error: str | None,
) -> Launch:
    return Launch(
        launch_id=execution.launch_id,
        queue=accepted.queue,
        workers=accepted.workers,
        slots=accepted.slots,
        requested_at=accepted.accepted_at,
        eta_at=accepted.accepted_at,
        state=state,
        handle=execution.handle,
        reserved=reserved,
        error=error,
    )
