"""The gRPC service that KEDA calls. Every autoscaler serves it, from the decision log in Redis."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import grpc
import grpc.aio

from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.keda import messages
from signalbox_autoscaler.keda.target import SlotTarget, slot_target
from signalbox_core.errors import InvalidInput, NotFound, SignalboxError, Unavailable

log = logging.getLogger(__name__)
_QUEUE: Final = "taskQueue"
"""The member of the trigger's metadata."""
_METRIC: Final = "signalbox_slots"
_CONCURRENT_CALLS: Final = 100
_STOP_S: Final = 2.0
_STATUS: Final = {
    InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
}


class ExternalScaler:
    """The three calls of KEDA. An error makes it keep the replicas, or use its fallback."""

    def __init__(
        self, decision_log: DecisionLog, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._log = decision_log
        self._clock = clock

    async def is_active(self, request: Any) -> Any:
        """Whether there is work, so that KEDA scales from zero."""
        target = await self._target(request)
        return messages.IsActiveResponse(result=target.is_active)

    async def metric_spec(self, request: Any) -> Any:
        """What one replica provides: its slots."""
        target = await self._target(request)
        spec = messages.MetricSpec(metricName=_METRIC, targetSize=target.slots_per_worker)
        return messages.GetMetricSpecResponse(metricSpecs=[spec])

    async def metrics(self, request: Any) -> Any:
        """The slots that the queue should have; KEDA divides them by those of a replica."""
        target = await self._target(request.scaledObjectRef)
        value = messages.MetricValue(metricName=_METRIC, metricValue=target.slots)
        return messages.GetMetricsResponse(metricValues=[value])

    async def _target(self, request: Any) -> SlotTarget:
        queue = request.scalerMetadata.get(_QUEUE, "")
        if not queue:
            raise InvalidInput(f"the trigger's metadata needs {_QUEUE}", field=_QUEUE)
        records = await self._log.newest(queue, limit=1)
        if not records:
            raise NotFound(f"there is no decision about {queue!r}; give it a policy", field=_QUEUE)
        return slot_target(records[0], self._clock())


@asynccontextmanager
async def serve_external_scaler(scaler: ExternalScaler, address: str) -> AsyncIterator[int]:
    """Serve KEDA's calls while the block runs.

    Args:
        address: `host:port`; port 0 picks a free one.

    Yields:
        The port.

    Raises:
        InvalidInput: the port is in use or not permitted.
    """
    server = grpc.aio.server(maximum_concurrent_rpcs=_CONCURRENT_CALLS, options=[("grpc.so_reuseport", 0)])
    calls = {
        "IsActive": (scaler.is_active, messages.ScaledObjectRef),
        "GetMetricSpec": (scaler.metric_spec, messages.ScaledObjectRef),
        "GetMetrics": (scaler.metrics, messages.GetMetricsRequest),
    }
    handlers: dict[str, Any] = {
        name: grpc.unary_unary_rpc_method_handler(
            _answering(call),
            request_deserializer=request.FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )
        for name, (call, request) in calls.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(messages.SERVICE, handlers),))
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise InvalidInput(
            f"cannot listen on {address}: set SIGNALBOX_AUTOSCALER_KEDA_PORT to a free port",
            field="keda_port",
        ) from error
    await server.start()
    log.info("external scaler started", extra={"port": port})
    try:
        yield port
    finally:
        await server.stop(_STOP_S)


def _answering(call: Callable[[Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def answer(request: Any, context: Any) -> Any:
        try:
            return await call(request)
        except SignalboxError as error:
            status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), None)
            await context.abort(status or grpc.StatusCode.INTERNAL, error.detail)

    return answer
