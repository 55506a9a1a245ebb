"""The control loop. Each tick: observe, decide, execute, record. Only the leader decides."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct
from redis.exceptions import ResponseError

from signalbox_autoscaler.actuate.executor import DecisionExecutor
from signalbox_autoscaler.actuate.launch_ledger import LaunchLedger
from signalbox_autoscaler.actuate.reconciliation import reconcile
from signalbox_autoscaler.actuate.unknown_launches import UnknownLaunches
from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.audit.records import DecisionRecorder, Evaluation
from signalbox_autoscaler.metrics import AutoscalerMetrics
from signalbox_autoscaler.model import (
    Launch,
    QueueSnapshot,
    ScalingDecisionRecord,
    ScalingPolicy,
    SizingState,
    Spending,
)
from signalbox_autoscaler.observe.heartbeats import HeartbeatMonitor
from signalbox_autoscaler.observe.observer import Observation, Observer, build_snapshot
from signalbox_autoscaler.policies import PolicySource
from signalbox_autoscaler.providers.provider import Execution, Provider
from signalbox_autoscaler.sizing import decide
from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import refusal
from signalbox_core.redis.lease import Lease

log = logging.getLogger(__name__)

_LIST_INTERVAL: Final = timedelta(seconds=4)
_IDLE_LIST_INTERVAL: Final = timedelta(seconds=15)
"""Between two lists of the provider while no launch is open: one may have been accepted late."""
_FRESH_FOR: Final = timedelta(seconds=15)


class Components(Struct, frozen=True, kw_only=True):
    """The parts the loop works with."""

    observer: Observer
    policies: PolicySource
    provider: Provider
    lease: Lease
    ledger: LaunchLedger
    executor: DecisionExecutor
    decision_log: DecisionLog
    metrics: AutoscalerMetrics


class ControlLoop:
    """Sizes every queue that has a policy, while this process leads.

    Attributes:
        connected_at: when Temporal last answered; None before the first time.
        latest: the last record of each queue, while this process leads.
    """

    def __init__(
        self,
        components: Components,
        *,
        every_s: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._components = components
        self._clock = clock
        self.every_s = every_s
        self._heartbeats = HeartbeatMonitor(components.metrics.without_heartbeats)
        self.connected_at: datetime | None = None
        self.latest: dict[str, ScalingDecisionRecord] = {}
        self._epoch: int | None = None
        self._refusal: str | None = None
        self._states: dict[str, SizingState] = {}
        self._recorder = DecisionRecorder()
        self._unknown_launches = UnknownLaunches()
        self._executions: Mapping[str, Execution] = {}
        self._listed_at: datetime | None = None

    @property
    def leads(self) -> bool:
        return self._components.lease.epoch is not None

    @property
    def queues(self) -> list[str]:
        return sorted(self.latest)

    @property
    def problem(self) -> str | None:
        """Why this process cannot decide as it should, and the remedy: Redis, worker heartbeats, policies."""
        components = self._components
        return (
            self._refusal
            or components.lease.problem
            or self._heartbeats.problem
            or components.policies.problem
        )

    def is_connected(self) -> bool:
        """Whether Temporal answered within the last three ticks."""
        if self.connected_at is None:
            return False
        return (self._clock() - self.connected_at).total_seconds() < 3 * self.every_s + 1

    async def run(self) -> None:
        """Tick until cancelled. An error reply of Redis ends a tick, and is logged and reported."""
        while True:
            try:
                await self.tick()
                self._refusal = None
            except ResponseError as error:
                self._refusal = refusal(error)
                self._components.metrics.look_failures.inc()
                log.error("tick failed, nothing decided", extra={"detail": self._refusal})
            await asyncio.sleep(self.every_s)

    async def tick(self) -> None:
        """Observe; while leading, decide and execute. During an outage nothing is decided."""
        components, now = self._components, self._clock()
        components.metrics.looks.inc()
        components.observer.add_queues(components.policies.queues())
        components.metrics.policies_ok.set(int(components.policies.problem is None))
        observer = components.observer
        observation = await (observer.observe(now) if self.leads else observer.poll_workers(now))
        self.connected_at = observation.workers_at
        self._heartbeats.report(observation.without_heartbeats, observation.list_error)
        epoch = components.lease.epoch
        if epoch != self._epoch:
            self._start_term(epoch)
        if epoch is None:
            return
        try:
            await self._lead(observation, epoch, now)
        except Unavailable as error:
            components.metrics.look_failures.inc()
            log.warning("tick failed, nothing decided", extra={"detail": error.detail})

    def _start_term(self, epoch: int | None) -> None:
        """Forget the state of an earlier leadership: another leader may have decided since."""
        self._epoch = epoch
        self._states, self._recorder, self.latest, self._listed_at = {}, DecisionRecorder(), {}, None
        self._unknown_launches = UnknownLaunches()
        self._components.executor.take_refused()
        self._components.metrics.leads.set(int(epoch is not None))

    async def _lead(self, observation: Observation, epoch: int, now: datetime) -> None:
        components = self._components
        policies = {
            queue: policy
            for queue in components.observer.queues
            if (policy := components.policies.get(queue)) is not None
        }
        launches = await self._reconcile_launches(observation, policies, epoch, now)
        spent = await components.ledger.spent(now)
        records: list[ScalingDecisionRecord] = []
        by_id = {launch.launch_id: launch for launch in launches}
        try:
            for queue, policy in policies.items():
                snapshot = build_snapshot(observation, policy, queue, now=now, launches=launches, spent=spent)
                evaluation = self._evaluate(policy, snapshot, epoch, spent)
                components.metrics.record_evaluation(evaluation)
                record = self._recorder.record(evaluation)
                records += [record] if record else []
                await components.executor.execute(evaluation.decision, policy, by_id, epoch)
        finally:
            await self._append(records)

    async def _append(self, records: Sequence[ScalingDecisionRecord]) -> None:
        try:
            await self._components.decision_log.append(records)
        except (Unavailable, ResponseError):
            # The next records must not depend on the missing ones: a new recorder writes the state again.
            self._recorder = DecisionRecorder()
            raise
        self.latest |= {record.queue: record for record in records}

    def _evaluate(
        self, policy: ScalingPolicy, snapshot: QueueSnapshot, epoch: int, spent: Spending
    ) -> Evaluation:
        queue = snapshot.queue
        state = self._states.get(queue, SizingState())
        decision = decide(policy, state, snapshot, snapshot.taken_at)
        self._states[queue] = decision.state
        return Evaluation(
            policy=policy,
            state=state,
            snapshot=snapshot,
            decision=decision,
            epoch=epoch,
            spent_hour=spent.hour.get(queue),
            spent_day=spent.day.get(queue),
        )

    async def _reconcile_launches(
        self, observation: Observation, policies: Mapping[str, ScalingPolicy], epoch: int, now: datetime
    ) -> list[Launch]:
        """Reconcile the ledger with the provider's list.

        Returns:
            The open launches, and those that ended or were refused since the last tick.
        """
        components = self._components
        known = await components.ledger.launches()
        known_ids = {launch.launch_id for launch in known}
        # A reservation whose reply was lost may be in the ledger; reconciliation closes it then.
        refused = [item for item in components.executor.take_refused() if item.launch_id not in known_ids]
        is_listed = await self._refresh_executions(known, now)
        is_fresh = self._listed_at is not None and now - self._listed_at < _FRESH_FOR
        changes = reconcile(
            known,
            self._executions if is_fresh else None,
            alive=_alive_launches(observation, now),
            pending=components.executor.pending_requests,
            listing_delay_s=components.provider.listing_delay_s,
            now=now,
        )
        ended = await components.executor.apply_changes(changes, policies)
        changed = {change.launch.launch_id: change.launch for change in changes}
        ended_ids = {launch.launch_id for launch in ended}
        still_open = [
            changed.get(launch.launch_id, launch) for launch in known if launch.launch_id not in ended_ids
        ]
        if is_listed:
            still_open += await self._adopt_launches(observation, policies, known_ids, epoch, now)
        return [*still_open, *ended, *refused]

    async def _adopt_launches(
        self,
        observation: Observation,
        policies: Mapping[str, ScalingPolicy],
        known: Collection[str],
        epoch: int,
        now: datetime,
    ) -> list[Launch]:
        """Adopt or cancel the executions that the ledger does not contain, if Temporal listed its workers."""
        if observation.workers_at != now:
            return []
        executor = self._components.executor
        unknown = self._unknown_launches.find(
            self._executions.values(),
            {*known, *executor.pending_requests},
            with_workers={worker.launch_id for found in observation.workers.values() for worker in found},
            policies={
                queue: policy
                for queue, policy in policies.items()
                if queue not in observation.without_heartbeats
            },
            now=now,
        )
        return await executor.adopt(unknown, epoch)

    async def _refresh_executions(self, known: Sequence[Launch], now: datetime) -> bool:
        """Read the provider's list if it is due.

        Returns:
            Whether it was read now.
        """
        interval = _LIST_INTERVAL if known else _IDLE_LIST_INTERVAL
        if self._listed_at is not None and now - self._listed_at < interval:
            return False
        try:
            executions = await self._components.provider.executions()
        except Unavailable as error:
            log.warning("provider not listed", extra={"detail": error.detail})
            return False
        self._executions = {execution.launch_id: execution for execution in executions}
        self._listed_at = now
        return True


def _alive_launches(observation: Observation, now: datetime) -> frozenset[str]:
    """The launches with a worker whose last heartbeat is recent."""
    return frozenset(
        worker.launch_id
        for workers in observation.workers.values()
        for worker in workers
        if worker.launch_id and now - worker.heartbeat_at < _FRESH_FOR
    )
