"""The loop: look, decide, act, record; every few seconds, whatever the last look brought. Only the leader decides."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from signalbox_autoscaler.actuate.actor import Actor
from signalbox_autoscaler.actuate.launch_ledger import Book
from signalbox_autoscaler.actuate.lease import Lease
from signalbox_autoscaler.actuate.reconciliation import reconcile
from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.audit.records import Made, Recorder
from signalbox_autoscaler.metrics import Meters
from signalbox_autoscaler.model import DecisionRecord, Launch, Policy, Snapshot, Spent, State
from signalbox_autoscaler.observe.heartbeats import HeartbeatMonitor
from signalbox_autoscaler.observe.observer import Look, Observer, snapshot_of
from signalbox_autoscaler.policies import Policies
from signalbox_autoscaler.providers.provider import Execution, Provider
from signalbox_autoscaler.sizing import decide
from signalbox_core.errors import Unavailable

log = logging.getLogger(__name__)

_LIST_EVERY: Final = timedelta(seconds=4)
_FRESH: Final = timedelta(seconds=15)


class Parts(Struct, frozen=True, kw_only=True):
    """What the loop works with."""

    observer: Observer
    policies: Policies
    provider: Provider
    lease: Lease
    book: Book
    actor: Actor
    decisions: DecisionLog
    meters: Meters


class Loop:
    """Attributes:
    seen_at: when Temporal last answered; None before the first time.
    looks, failures: how many there were, and after how many of them nothing could be decided.
    latest: the last record of each queue, while this process leads.
    """

    def __init__(
        self, parts: Parts, *, every_s: float, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._parts = parts
        self._clock = clock
        self.every_s = every_s
        self._heartbeats = HeartbeatMonitor(parts.meters.without_heartbeats)
        self.seen_at: datetime | None = None
        self.looks = 0
        self.failures = 0
        self.latest: dict[str, DecisionRecord] = {}
        self._epoch: int | None = None
        self._states: dict[str, State] = {}
        self._recorder = Recorder()
        self._listed: Mapping[str, Execution] = {}
        self._listed_at: datetime | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.tick()
            await asyncio.sleep(self.every_s)

    async def tick(self) -> None:
        """One look, and what follows from it. An outage skips the rest: nothing is launched blindly."""
        self.looks += 1
        self._parts.meters.looks.inc()
        now = self._clock()
        self._parts.observer.watch(self._parts.policies.queues())
        self._parts.meters.policies_ok.set(int(self._parts.policies.problem is None))
        observer = self._parts.observer
        look = await (observer.look(now) if self.leads else observer.glance(now))
        self.seen_at = look.workers_at
        self._heartbeats.report(look.without_heartbeats, look.list_error)
        epoch = self._parts.lease.epoch
        if epoch != self._epoch:
            self._begin(epoch)
            self._parts.meters.leads.set(int(epoch is not None))
        if epoch is None:
            return
        try:
            await self._lead(look, epoch, now)
        except Unavailable as error:
            self.failures += 1
            self._parts.meters.look_failures.inc()
            log.warning("nothing decided", extra={"detail": error.detail})

    @property
    def leads(self) -> bool:
        return self._parts.lease.epoch is not None

    @property
    def queues(self) -> list[str]:
        return sorted(self.latest)

    @property
    def problem(self) -> str | None:
        """Why workers are not seen, with the remedy; None: they are, or there are none."""
        return self._heartbeats.problem

    def sees(self) -> bool:
        """Whether Temporal answered within the last three looks."""
        return (
            self.seen_at is not None and (self._clock() - self.seen_at).total_seconds() < 3 * self.every_s + 1
        )

    def _begin(self, epoch: int | None) -> None:
        self._epoch = epoch
        self._states, self._recorder, self.latest, self._listed_at = {}, Recorder(), {}, None

    async def _lead(self, look: Look, epoch: int, now: datetime) -> None:
        parts = self._parts
        policies = {
            queue: policy
            for queue in parts.observer.queues
            if (policy := parts.policies.of(queue)) is not None
        }
        launches = await self._settled(look, policies, now)
        spent = await parts.book.spent(now)
        records: list[DecisionRecord] = []
        by_id = {launch.launch_id: launch for launch in launches}
        for queue, policy in policies.items():
            snapshot = snapshot_of(look, policy, queue, now=now, launches=launches, spent=spent)
            made = self._decide(policy, snapshot, epoch, spent)
            parts.meters.decided(made)
            record = self._recorder.record(made)
            records += [record] if record else []
            await parts.actor.carry_out(made.decision, policy, by_id, epoch)
        await parts.decisions.append(records)
        self.latest |= {record.queue: record for record in records}

    def _decide(self, policy: Policy, snapshot: Snapshot, epoch: int, spent: Spent) -> Made:
        queue = snapshot.queue
        state = self._states.get(queue, State())
        decision = decide(policy, state, snapshot, snapshot.taken_at)
        self._states[queue] = decision.state
        return Made(
            policy=policy,
            state=state,
            snapshot=snapshot,
            decision=decision,
            epoch=epoch,
            spent_hour=spent.hour.get(queue),
            spent_day=spent.day.get(queue),
        )

    async def _settled(self, look: Look, policies: Mapping[str, Policy], now: datetime) -> list[Launch]:
        """The book's launches after the provider's list was read into it, and those that have just ended."""
        actor, known = self._parts.actor, await self._parts.book.launches()
        lately, actor.refused = actor.refused, []
        await self._list(known, now)
        is_fresh = self._listed_at is not None and now - self._listed_at < _FRESH
        changes = reconcile(
            known,
            self._listed if is_fresh else None,
            beating=_beating(look, now),
            asked=actor.asked,
            settles_s=self._parts.provider.settles_s,
            now=now,
        )
        ended = await actor.apply(changes, policies)
        changed = {change.launch.launch_id: change.launch for change in changes}
        over = {launch.launch_id for launch in ended}
        return [
            *(changed.get(launch.launch_id, launch) for launch in known if launch.launch_id not in over),
            *ended,
            *lately,
        ]

    async def _list(self, known: Sequence[Launch], now: datetime) -> None:
        """Read the provider's list while there is something to learn from it."""
        if not known:
            self._listed = {}
            return
        if self._listed_at is not None and now - self._listed_at < _LIST_EVERY:
            return
        try:
            self._listed = {
                execution.launch_id: execution for execution in await self._parts.provider.executions()
            }
            self._listed_at = now
        except Unavailable as error:
            log.warning("provider does not list", extra={"detail": error.detail})


def _beating(look: Look, now: datetime) -> frozenset[str]:
    """Launches of which a worker beat lately."""
    workers = (worker for found in look.workers.values() for worker in found)
    return frozenset(
        worker.launch_id for worker in workers if worker.launch_id and now - worker.heartbeat_at < _FRESH
    )
