"""Start requests → Temporal: each is made as soon as Temporal answers, once, whoever delivers it how often."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import NotFound, Rejected, Unavailable
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.pubsub import EventSource, Limits, Received
from signalbox_core.secret import decode_hook
from signalbox_gateway.background.repairs import Repairs
from signalbox_gateway.runs.availability import CHECK_EVERY_S, Availability
from signalbox_gateway.runs.pending_starts import REQUESTED, WITHDRAWN, WaitingStarts, Withdrawal
from signalbox_gateway.runs.temporal import Engine, StartRequest

log = logging.getLogger(__name__)
# What waits costs a coroutine each and no redelivery; only so many are started at a time.
LIMITS: Final = Limits(concurrency=1_000, max_outstanding=1_000, handler_s=120)
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
                request = self._waiting.request_in(event.data)
                await self._waiting.show_again(request, event.time)
                await self._start(request)
            elif event.name == WITHDRAWN:
                await self._withdraw(msgspec.json.decode(event.data, type=Withdrawal))
            else:
                raise Rejected(f"{event.name} is no start request")
        except msgspec.DecodeError as error:
            raise Rejected(f"unreadable start request: {error}") from None

    async def _start(self, request: StartRequest[msgspec.Raw]) -> None:
        spec = self._pipelines.get(request.pipeline)
        if spec is None:
            # Another gateway, of a newer release, knows the pipeline.
            raise Unavailable(f"pipeline {request.pipeline} is not installed here")
        await self._until_available()
        async with self._turns:
            if not await self._waiting.take(request.run_id):
                log.info(
                    "withdrawn run not started", extra={"run_id": request.run_id, "tenant": request.tenant}
                )
                return
            try:
                is_new = await self._engine.start(decode_input(request, spec), spec)
            except Unavailable:
                self._availability.note_away()
                await self._waiting.put_back(request.run_id)
                raise
            except Rejected as error:
                await self._refuse(request, error)
                return
        await self._settle(request, is_new=is_new)

    async def _settle(self, request: StartRequest[msgspec.Raw], *, is_new: bool) -> None:
        facts = {"run_id": request.run_id, "tenant": request.tenant}
        if not is_new:
            found = await self._engine.describe(request.run_id)
            if found is None or found.digest != request.digest:
                log.error("a queued run lost its id to another one", extra=facts)
        await self._waiting.drop(request.run_id)
        log.info("queued run started" if is_new else "queued run was started before", extra=facts)

    async def _refuse(self, request: StartRequest[msgspec.Raw], error: Rejected) -> None:
        """What was valid when it was accepted is no more, for example because the contract changed: the run fails, seen by all."""
        log.error(
            "a queued run cannot be started",
            extra={"run_id": request.run_id, "tenant": request.tenant, "error": error.detail},
        )
        shown = await self._waiting.find(request.run_id)
        if shown is not None:
            await self._repairs.end_unstarted(shown, "failed", error.detail, code=error.stable_code)
        await self._waiting.drop(request.run_id)

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


def decode_input(request: StartRequest[msgspec.Raw], spec: PipelineSpec) -> StartRequest[Struct]:
    """The request with its input decoded by the contract of this release. Raises: msgspec.ValidationError."""
    decoded = msgspec.json.decode(request.input, type=spec.input, dec_hook=decode_hook)
    return StartRequest(
        run_id=request.run_id,
        pipeline=request.pipeline,
        input=decoded,
        tenant=request.tenant,
        started_by=request.started_by,
        digest=request.digest,
        priority=request.priority,
    )
