"""Executes decisions: reserves launches and requests each of them once, cancels launches, retires workers.

Requests run in tasks of their own, so a slow provider does not delay the loop. Launches are written through
the ledger, which is fenced: it refuses a leader whose lease has passed to another.
"""

import asyncio
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_autoscaler.actuate.launch_ledger import LaunchLedger, WriteResult, cost_of
from signalbox_autoscaler.actuate.reconciliation import LaunchChange
from signalbox_autoscaler.model import Launch, LaunchState, ScalingDecision, ScalingPolicy
from signalbox_autoscaler.providers.provider import LaunchRefused, LaunchSpec, Provider
from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.redis.lease import Lease
from signalbox_core.scaling.burst import RETIRE_KEPT_FOR, retire_key

log = logging.getLogger(__name__)

DRAIN_S: Final = 600
_MAX_CONCURRENT_REQUESTS: Final = 8
_MAX_ERROR_LENGTH: Final = 300
_OVERTIME: Final = 1.25
"""A worker past its maximum lifetime stays up to this much longer while work waits."""


class DecisionExecutor:
    """Carries out the decisions of the leader. Only this class requests launches from the provider."""

    def __init__(self, provider: Provider, ledger: LaunchLedger, lease: Lease, redis: Redis) -> None:
        self._provider = provider
        self._ledger = ledger
        self._lease = lease
        self._redis = redis
        self._request_slots = asyncio.Semaphore(_MAX_CONCURRENT_REQUESTS)
        self._requests: dict[str, asyncio.Task[None]] = {}
        self._refused: list[Launch] = []

    @property
    def pending_requests(self) -> frozenset[str]:
        """Ids of the launches whose request has not been answered yet."""
        return frozenset(self._requests)

    def take_refused(self) -> list[Launch]:
        """The launches that were not made since the last call: not reserved, or refused by the provider."""
        refused, self._refused = self._refused, []
        return refused

    async def execute(
        self, decision: ScalingDecision, policy: ScalingPolicy, launches: Mapping[str, Launch], epoch: int
    ) -> None:
        """Retire, cancel, launch. Does nothing in a dry run, or when the leadership has ended.

        Args:
            launches: the open launches by id.
            epoch: of the leadership in which the decision was made.

        Raises:
            Unavailable: Redis is unavailable. A launch that could not be reserved is not requested.
        """
        if policy.dry_run:
            return
        if self._lease.epoch != epoch:
            # Keys that retire workers are in other hash slots than the lease, so no script can fence them.
            log.warning("decision dropped, this process no longer leads", extra={"epoch": epoch})
            return
        waiting = [replace(launch, epoch=epoch) for launch in decision.launches]
        try:
            await self._retire(decision.retire)
            for launch_id in decision.cancel:
                if launch_id in launches:
                    await self._cancel_launch(launches[launch_id])
            while waiting:
                await self._launch(waiting[0], policy)
                del waiting[0]
        finally:
            for launch in waiting:
                self._add_refused(launch, "not reserved: the launch ledger could not be written")

    async def cancel(self, handle: str) -> None:
        """Cancel an execution. On failure it stays in the provider's list, and reconciliation cancels it
        again."""
        try:
            await self._provider.cancel(handle)
        except Unavailable as error:
            log.warning("execution not cancelled", extra={"handle": handle, "detail": error.detail})

    async def apply_changes(
        self, changes: Iterable[LaunchChange], policies: Mapping[str, ScalingPolicy]
    ) -> list[Launch]:
        """Write reconciled launches to the ledger.

        Returns:
            The launches that ended and were settled.

        Raises:
            Unavailable: Redis is unavailable.
        """
        ended: list[Launch] = []
        for change in changes:
            if change.cancel is not None:
                await self.cancel(change.cancel)
            if change.ended_after_s is None:
                await self._ledger.update(change.launch)
                continue
            policy = policies.get(change.launch.queue, ScalingPolicy())
            cost = cost_of(policy, change.launch.workers, change.ended_after_s)
            if await self._ledger.settle(change.launch, cost) is WriteResult.WRITTEN:
                log.info(
                    "launch ended",
                    extra={
                        "launch_id": change.launch.launch_id,
                        "state": change.launch.state.value,
                        "cost": str(cost),
                    },
                )
                ended.append(change.launch)
        return ended

    async def adopt(self, launches: Iterable[Launch], epoch: int) -> list[Launch]:
        """Write launches that only the provider listed to the ledger, and cancel those without workers.

        Returns:
            The launches that were written; a launch is left alone when another leader has written it.

        Raises:
            Unavailable: Redis is unavailable.
        """
        adopted: list[Launch] = []
        for launch in (replace(launch, epoch=epoch) for launch in launches):
            if await self._ledger.adopt(launch) is not WriteResult.WRITTEN:
                continue
            log.warning(
                "launch missing from the ledger",
                extra={"launch_id": launch.launch_id, "queue": launch.queue, "state": launch.state.value},
            )
            adopted.append(launch)
            if launch.state is LaunchState.CANCELLED and launch.handle is not None:
                await self.cancel(launch.handle)
        return adopted

    async def finish_requests(self, timeout_s: float) -> None:
        """Wait for pending requests, so that their outcome is written."""
        if self._requests:
            await asyncio.wait(list(self._requests.values()), timeout=timeout_s)

    async def _retire(self, identities: Sequence[str]) -> None:
        if not identities:
            return
        with map_redis_errors("retiring workers"):
            async with self._redis.pipeline(transaction=False) as pipe:
                for identity in identities:
                    pipe.set(retire_key(identity), "1", ex=RETIRE_KEPT_FOR)
                await pipe.execute()
        log.info("workers retired", extra={"workers": list(identities)})

    async def _cancel_launch(self, launch: Launch) -> None:
        """Mark a launch as cancelled. It is settled once the provider's list shows that it has ended."""
        cancelled = replace(launch, state=LaunchState.CANCELLED, error="no worker of it ever polled")
        if await self._ledger.update(cancelled) is WriteResult.WRITTEN:
            log.warning("launch cancelled", extra={"launch_id": launch.launch_id, "handle": launch.handle})
            if launch.handle is not None:
                await self.cancel(launch.handle)

    async def _launch(self, launch: Launch, policy: ScalingPolicy) -> None:
        result = await self._ledger.reserve(launch, policy)
        if result is not WriteResult.WRITTEN:
            log.warning("launch not requested", extra={"launch_id": launch.launch_id, "reason": result.value})
            self._add_refused(launch, f"not reserved: {result.value}")
            return
        task = asyncio.create_task(self._request(launch, policy), name=launch.launch_id)
        self._requests[launch.launch_id] = task
        task.add_done_callback(lambda _: self._requests.pop(launch.launch_id, None))

    async def _request(self, launch: Launch, policy: ScalingPolicy) -> None:
        """Request a launch once. It is never retried: whether it was accepted is read from the provider's
        list."""
        async with self._request_slots:
            # The process may have been suspended since the reservation: by now another leader has adopted or
            # settled the launch.
            if self._lease.epoch != launch.epoch:
                return
            try:
                handle = await self._provider.launch(build_launch_spec(launch, policy))
            except LaunchRefused as error:
                await self._on_refused(launch, error.detail)
            except Unavailable as error:
                log.warning("launch uncertain", extra={"launch_id": launch.launch_id, "detail": error.detail})
            except Exception:
                # A bug in a client library must not end the loop; reconciliation finds out what happened.
                log.exception("launch uncertain", extra={"launch_id": launch.launch_id})
            else:
                await self._on_accepted(launch, handle)

    async def _on_accepted(self, launch: Launch, handle: str) -> None:
        log.info(
            "launched",
            extra={
                "launch_id": launch.launch_id,
                "queue": launch.queue,
                "workers": launch.workers,
                "handle": handle,
            },
        )
        try:
            await self._ledger.update(replace(launch, state=LaunchState.REQUESTED, handle=handle))
        except Unavailable as error:
            # Reconciliation finds the handle again by the launch id.
            log.warning("handle not written", extra={"launch_id": launch.launch_id, "detail": error.detail})

    async def _on_refused(self, launch: Launch, reason: str) -> None:
        log.warning("launch refused", extra={"launch_id": launch.launch_id, "detail": reason})
        try:
            result = await self._ledger.settle(launch, Decimal(0))
        except Unavailable:
            return  # reconciliation settles it, because the provider does not list it
        if result is WriteResult.WRITTEN:
            self._add_refused(launch, reason)

    def _add_refused(self, launch: Launch, reason: str) -> None:
        failed = replace(launch, state=LaunchState.FAILED, error=reason[:_MAX_ERROR_LENGTH])
        self._refused.append(failed)


def build_launch_spec(launch: Launch, policy: ScalingPolicy) -> LaunchSpec:
    """What to request of the provider: queue, size and limits of the workers, and a deadline.

    The deadline is later than the time by which the workers exit and drain on their own.
    """
    settings = {
        "TASK_QUEUES": launch.queue,
        "MAX_ACTIVITIES": launch.slots,
        "HEARTBEAT_S": max(1.0, policy.heartbeat_s),
        "BURST_IDLE_S": max(1.0, policy.idle_exit_s),
        "BURST_MAX_LIFETIME_S": max(1.0, policy.max_lifetime_s),
        "BURST_DRAIN_S": DRAIN_S,
        "PORT": 0,
    }
    return LaunchSpec(
        launch_id=launch.launch_id,
        workers=launch.workers,
        timeout_s=math.ceil(policy.max_lifetime_s * _OVERTIME) + DRAIN_S,
        environment={f"SIGNALBOX_WORKER_{name}": str(value) for name, value in settings.items()},
    )
