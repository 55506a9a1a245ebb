"""Start requests → Temporal: each is made as soon as Temporal answers, once, whoever delivers it how often."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import msgspec

from signalbox_core.errors import NotFound, Rejected, Unavailable
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.pubsub import EventSource, Received, SubscriberLimits
from signalbox_gateway.background.repairs import Repairs
from signalbox_gateway.runs.availability import CHECK_EVERY_S, Availability
from signalbox_gateway.runs.pending_starts import REQUESTED, WITHDRAWN, WaitingStarts, Withdrawal
from signalbox_gateway.runs.temporal import Engine, Order

log = logging.getLogger(__name__)
# What waits costs a coroutine each and no redelivery; only so many are started at a time.
LIMITS: Final = SubscriberLimits(concurrency=1_000, max_outstanding=1_000, handler_s=120)
_AT_ONCE: Final = 16
_HOLD_S: Final = 60.0


class Starter:
    """Any number of gateways share the subscription.

    Args:
        source: the subscription `starter`.
    """

    def __init__(
        self,
        source: EventSource,
        waiting: WaitingStarts,
        engine: Engine,
        availability: Availability,
        pipelines: Mapping[str, PipelineSpec],
        repairs: Repairs,
    ) -> None:
        self._source = source
        self._waiting = waiting
        self._engine = engine
        self._availability = availability
        self._pipelines = pipelines
        self._repairs = repairs
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        await self._source.run(self.handle)

    async def handle(self, received: Received) -> None:
        """Make one start, or one withdrawal. Idempotent: the run id is the workflow id.

        Raises:
            Unavailable: Temporal is still away; the request comes again.
            Rejected: the message is neither.
        """
        event = received.event
        try:
            if event.name == REQUESTED:
                order = self._waiting.order_in(event.data)
                await self._waiting.show_again(order, event.time)
                await self._start(order)
            elif event.name == WITHDRAWN:
                await self._withdraw(msgspec.json.decode(event.data, type=Withdrawal))
            else:
                raise Rejected(f"{event.name} is no start request")
        except msgspec.DecodeError as error:
            raise Rejected(f"unreadable start request: {error}") from None

    async def _start(self, order: Order) -> None:
        spec = self._pipelines.get(order.pipeline)
        if spec is None:
            # Another gateway, of a newer release, knows the pipeline.
            raise Unavailable(f"pipeline {order.pipeline} is not installed here")
        await self._until_available()
        async with self._turns:
            if not await self._waiting.take(order.run_id):
                log.info("withdrawn run not started", extra={"run_id": order.run_id, "tenant": order.tenant})
                return
            try:
                is_new = await self._engine.start(order, spec)
            except Unavailable:
                self._availability.note_away()
                await self._waiting.put_back(order.run_id)
                raise
            except Rejected as error:
                await self._refuse(order, error)
                return
        await self._settle(order, is_new=is_new)

    async def _settle(self, order: Order, *, is_new: bool) -> None:
        facts = {"run_id": order.run_id, "tenant": order.tenant}
        if not is_new:
            found = await self._engine.describe(order.run_id)
            if found is None or found.digest != order.digest:
                log.error("a queued run lost its id to another one", extra=facts)
        await self._waiting.drop(order.run_id)
        log.info("queued run started" if is_new else "queued run was started before", extra=facts)

    async def _refuse(self, order: Order, error: Rejected) -> None:
        """What was valid when it was accepted is no more, for example because the contract changed: the run fails, seen by all."""
        log.error(
            "a queued run cannot be started",
            extra={"run_id": order.run_id, "tenant": order.tenant, "error": error.detail},
        )
        shown = await self._waiting.find(order.run_id)
        if shown is not None:
            await self._repairs.end_unstarted(shown, "failed", error.detail, code=error.stable_code)
        await self._waiting.drop(order.run_id)

    async def _withdraw(self, withdrawal: Withdrawal) -> None:
        """The request before this one is settled: most often it was never started, else it is cancelled now."""
        await self._until_available()
        try:
            await self._engine.cancel(withdrawal.run_id, withdrawal.reason)
        except NotFound:
            return
        log.info("run cancelled that was withdrawn as it started", extra={"run_id": withdrawal.run_id})

    async def _until_available(self) -> None:
        deadline = asyncio.get_running_loop().time() + _HOLD_S
        while not await self._availability.look():
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable("Temporal is still away")
            await asyncio.sleep(CHECK_EVERY_S)
