"""Starts runs, and queues their starts durably while Temporal is unavailable."""

import logging
from collections.abc import Callable

from msgspec import Struct

from signalbox_core.errors import Unavailable
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_gateway.runs.pending_starts import PendingStart, PendingStarts
from signalbox_gateway.runs.starts.start_request import StartRequest
from signalbox_gateway.runs.temporal import TemporalRuns

log = logging.getLogger(__name__)


class RunStarter:
    """Starts a run once per run key, now or when Temporal is available again.

    Args:
        on_started: called with each run that was started now.
    """

    def __init__(
        self,
        engine: TemporalRuns,
        pending: PendingStarts,
        on_started: Callable[[StartRequest[Struct], PipelineSpec], None],
    ) -> None:
        self._engine = engine
        self._availability = engine.availability
        self._pending = pending
        self._on_started = on_started

    async def start(
        self, request: StartRequest[Struct], spec: PipelineSpec, *, is_unused: bool = False
    ) -> bool | PendingStart:
        """Start the run.

        Args:
            is_unused: the run id was made for this start, so that no run can have it yet.

        Returns:
            Whether the run is new. While Temporal is unavailable, the pending start of its run key: this one,
            or that of another request that came first.

        Raises:
            Unavailable: Pub/Sub is unavailable too, or the input is too large for a message.
        """
        # During an outage a start must not wait for the deadline of a call that is bound to fail.
        if self._availability.is_known_down and not await self._availability.check_promptly():
            return await self._enqueue(request)
        try:
            is_new = await self._engine.start(request, spec, is_unused=is_unused)
        except Unavailable:
            self._availability.mark_down()
            return await self._enqueue(request)
        if is_new:
            self._on_started(request, spec)
        return is_new

    async def _enqueue(self, request: StartRequest[Struct]) -> PendingStart:
        pending = await self._pending.enqueue(request)
        if pending.digest == request.digest and not pending.is_withdrawn:
            log.warning(
                "run queued: Temporal is unavailable",
                extra={"run_id": request.run_id, "tenant": request.tenant},
            )
        return pending
