"""Starts queued runs once Temporal is available again; idempotent under redelivery."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import InvalidInput, NotFound, Rejected, Unavailable
from signalbox_core.ids import run_key
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.pubsub import EventSource, Received, SubscriberLimits
from signalbox_core.secret import decode_hook
from signalbox_gateway.background.repairs import Repairs
from signalbox_gateway.runs.availability import CHECK_EVERY_S, TemporalAvailability
from signalbox_gateway.runs.pending_starts import REQUESTED, WITHDRAWN, PendingStarts, Withdrawal
from signalbox_gateway.runs.starts.start_request import StartRequest
from signalbox_gateway.runs.temporal import TemporalRuns

log = logging.getLogger(__name__)
# A held message costs a coroutine and no redelivery; `_MAX_CONCURRENCY` bounds concurrent starts.
LIMITS: Final = SubscriberLimits(concurrency=1_000, max_outstanding=1_000, handler_s=120)
_MAX_CONCURRENCY: Final = 16
_HOLD_TIMEOUT_S: Final = 60.0


class StartConsumer:
    """Consumes start requests and withdrawals. Gateways share the subscription.

    Args:
        source: the subscription `starter`.
    """

    def __init__(
        self,
        source: EventSource,
        pending: PendingStarts,
        temporal: TemporalRuns,
        availability: TemporalAvailability,
        pipelines: Mapping[str, PipelineSpec],
        repairs: Repairs,
    ) -> None:
        self._source = source
        self._pending = pending
        self._temporal = temporal
        self._availability = availability
        self._pipelines = pipelines
        self._repairs = repairs
        self._slots = asyncio.Semaphore(_MAX_CONCURRENCY)

    async def run(self) -> None:
        await self._source.run(self.handle)

    async def handle(self, received: Received) -> None:
        """Handle one start request or withdrawal; idempotent, because the run key is the workflow id.

        Raises:
            Unavailable: Temporal is still unavailable; the message is redelivered.
            Rejected: the message is neither.
        """
        event = received.event
        try:
            if event.name == REQUESTED:
                request = self._pending.decode_request(event.data)
                await self._pending.restore(request, event.time)
                await self._start(request)
            elif event.name == WITHDRAWN:
                await self._withdraw(event.tenantid, msgspec.json.decode(event.data, type=Withdrawal))
            else:
                raise Rejected(f"{event.name} is not a start request")
        except msgspec.DecodeError as error:
            raise Rejected(f"unreadable start request: {error}") from None

    async def _start(self, request: StartRequest[msgspec.Raw]) -> None:
        spec = self._pipelines.get(request.pipeline)
        if spec is None:
            # During a rollout, a gateway of a newer release may have the pipeline.
            raise Unavailable(f"pipeline {request.pipeline} is not installed here")
        await self._wait_until_available()
        async with self._slots:
            if not await self._pending.claim(request.key):
                log.info(
                    "withdrawn start skipped", extra={"run_id": request.run_id, "tenant": request.tenant}
                )
                return
            try:
                is_new = await self._temporal.start(decode_input(request, spec), spec)
            except Unavailable:
                self._availability.mark_down()
                await self._pending.release(request.key)
                raise
            except Rejected as error:
                await self._fail(request, error)
                return
        await self._complete(request, is_new=is_new)

    async def _complete(self, request: StartRequest[msgspec.Raw], *, is_new: bool) -> None:
        facts = {"run_id": request.run_id, "tenant": request.tenant}
        if not is_new:
            found = await self._temporal.describe(request.key)
            if found is None or found.digest != request.digest:
                log.error("run id of a queued start is taken by another run", extra=facts)
        await self._pending.complete(request.key)
        log.info("queued run started" if is_new else "queued run was already started", extra=facts)

    async def _fail(self, request: StartRequest[msgspec.Raw], error: Rejected) -> None:
        """Fail a run whose input is no longer valid, for example because the pipeline's contract changed."""
        log.error(
            "queued run failed: its start was rejected",
            extra={"run_id": request.run_id, "tenant": request.tenant, "error": error.detail},
        )
        entry = await self._pending.find(request.key)
        if entry is not None:
            await self._repairs.end_unstarted(entry, "failed", error.detail, code=error.stable_code)
        await self._pending.complete(request.key)

    async def _withdraw(self, tenant: str, withdrawal: Withdrawal) -> None:
        """Cancel a run that was started before its withdrawal took effect. Usually there is none."""
        await self._wait_until_available()
        try:
            await self._temporal.cancel(run_key(tenant, withdrawal.run_id), withdrawal.reason)
        except NotFound:
            return
        log.info("run cancelled: withdrawn while it was being started", extra={"run_id": withdrawal.run_id})

    async def _wait_until_available(self) -> None:
        deadline = asyncio.get_running_loop().time() + _HOLD_TIMEOUT_S
        while not await self._availability.check():
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable("Temporal is still unavailable")
            await asyncio.sleep(CHECK_EVERY_S)


def decode_input(request: StartRequest[msgspec.Raw], spec: PipelineSpec) -> StartRequest[Struct]:
    """The request with its input decoded by the contract of this release.

    Raises:
        InvalidInput: the input was valid when the start was accepted, and is not any more.
    """
    try:
        decoded = msgspec.json.decode(request.input, type=spec.input, dec_hook=decode_hook)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"input: {error}", field="input") from None
    return StartRequest(
        run_id=request.run_id,
        pipeline=request.pipeline,
        input=decoded,
        tenant=request.tenant,
        started_by=request.started_by,
        starter=request.starter,
        digest=request.digest,
        priority=request.priority,
        retry_of=request.retry_of,
        tags=request.tags,
    )
