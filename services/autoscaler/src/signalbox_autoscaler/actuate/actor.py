"""Carries out scaling decisions: reserves a launch in the ledger, then sends one request to the provider.

Requests to the provider run as tasks, so a slow one does not delay the loop. All writes go through the
ledger, which refuses a leader whose epoch is over.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_autoscaler.actuate.launch_ledger import Book, Written, cost_of
from signalbox_autoscaler.actuate.launch_specs import order_of
from signalbox_autoscaler.actuate.reconciliation import Change
from signalbox_autoscaler.model import Decision, Launch, LaunchState, Policy
from signalbox_autoscaler.providers.provider import LaunchRefused, Provider
from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.redis.lease import Lease
from signalbox_core.scaling.burst import RETIRE_KEPT_FOR, retire_key

log = logging.getLogger(__name__)

_AT_ONCE: Final = 8
_NOTHING: Final = Decimal(0)


class Actor:
    """Attributes:
    asked: launches whose request is under way.
    refused: launches that failed at once; the loop takes them into its next look.
    """

    def __init__(self, provider: Provider, book: Book, lease: Lease, redis: Redis) -> None:
        self._provider = provider
        self._book = book
        self._lease = lease
        self._redis = redis
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._requests: dict[str, asyncio.Task[None]] = {}
        self.refused: list[Launch] = []

    @property
    def asked(self) -> frozenset[str]:
        return frozenset(self._requests)

    async def carry_out(
        self, decision: Decision, policy: Policy, launches: Mapping[str, Launch], epoch: int
    ) -> None:
        """Retire, give up, launch; nothing in a dry run.

        Args:
            launches: of the queue, by id.

        Raises:
            Unavailable: Redis does not answer. Launches whose intent was not written are not made.
        """
        if policy.dry_run:
            return
        await self._retire(decision.retire)
        for launch_id in decision.cancel:
            if launch_id in launches:
                await self._give_up(launches[launch_id])
        for launch in decision.launches:
            await self._launch(replace(launch, epoch=epoch), policy)

    async def _retire(self, identities: Sequence[str]) -> None:
        if not identities:
            return
        with map_redis_errors("retiring workers"):
            async with self._redis.pipeline(transaction=False) as pipe:
                for identity in identities:
                    pipe.set(retire_key(identity), "1", ex=RETIRE_KEPT_FOR)
                await pipe.execute()
        log.info("workers retired", extra={"workers": list(identities)})

    async def _give_up(self, launch: Launch) -> None:
        """From now on it counts for nothing; it is closed when the provider's list says that it has ended."""
        given_up = replace(launch, state=LaunchState.CANCELLED, error="no worker of it ever polled")
        if await self._book.update(given_up) is Written.WRITTEN:
            log.warning("launch given up", extra={"launch_id": launch.launch_id, "handle": launch.handle})
            if launch.handle is not None:
                await self.cancel(launch.handle)

    async def cancel(self, handle: str) -> None:
        """End an execution; one that the provider does not end now is found again in its list."""
        try:
            await self._provider.cancel(handle)
        except Unavailable as error:
            log.warning("not cancelled", extra={"handle": handle, "detail": error.detail})

    async def _launch(self, launch: Launch, policy: Policy) -> None:
        written = await self._book.intend(launch, policy)
        if written is not Written.WRITTEN:
            log.warning("launch not made", extra={"launch_id": launch.launch_id, "reason": written.value})
            return
        task = asyncio.create_task(self._request(launch, policy), name=launch.launch_id)
        self._requests[launch.launch_id] = task
        task.add_done_callback(lambda _: self._requests.pop(launch.launch_id, None))

    async def _request(self, launch: Launch, policy: Policy) -> None:
        """Ask the provider once."""
        async with self._turns:
            # A process that was stopped since the intent asks for nothing: another leads and has adopted or
            # given up the launch.
            if self._lease.epoch != launch.epoch:
                return
            try:
                handle = await self._provider.launch(order_of(launch, policy))
            except LaunchRefused as error:
                await self._failed(launch, error.detail)
            except Unavailable as error:
                log.warning("launch uncertain", extra={"launch_id": launch.launch_id, "detail": error.detail})
            except Exception:
                # A client library's own mistakes end here: the launch is found in the provider's list, or
                # given up.
                log.exception("launch uncertain", extra={"launch_id": launch.launch_id})
            else:
                await self._taken(launch, handle)

    async def _taken(self, launch: Launch, handle: str) -> None:
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
            await self._book.update(replace(launch, state=LaunchState.REQUESTED, handle=handle))
        except Unavailable as error:
            # Found again by its id.
            log.warning("handle not written", extra={"launch_id": launch.launch_id, "detail": error.detail})

    async def _failed(self, launch: Launch, why: str) -> None:
        log.warning("launch refused", extra={"launch_id": launch.launch_id, "detail": why})
        try:
            written = await self._book.settle(launch, _NOTHING)
        except Unavailable:
            return  # settled when the list does not show it
        if written is Written.WRITTEN:
            self.refused.append(replace(launch, state=LaunchState.FAILED, error=why[:300]))

    async def apply(self, changes: Iterable[Change], policies: Mapping[str, Policy]) -> list[Launch]:
        """Write what the provider's list changed; the launches that ended thereby.

        Raises:
            Unavailable: Redis does not answer.
        """
        ended: list[Launch] = []
        for change in changes:
            if change.cancel is not None:
                await self.cancel(change.cancel)
            if change.ended_after_s is None:
                await self._book.update(change.launch)
                continue
            policy = policies.get(change.launch.queue, Policy())
            cost = cost_of(policy, change.launch.workers, change.ended_after_s)
            if await self._book.settle(change.launch, cost) is Written.WRITTEN:
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

    async def finish(self, within_s: float) -> None:
        """Wait for requests under way, so that their answers are written."""
        if self._requests:
            await asyncio.wait(list(self._requests.values()), timeout=within_s)
