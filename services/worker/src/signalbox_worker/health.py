"""The worker's /healthz, /readyz (it polls, Temporal responds, the CPU pool makes progress) and /metrics."""

import asyncio
from datetime import timedelta
from typing import Final

from starlette.applications import Starlette
from temporalio.service import RPCError

from signalbox_core.http.health import health_routes
from signalbox_worker.worker import WorkerParts

_PROBE_TIMEOUT: Final = timedelta(seconds=2)


def create_app(parts: WorkerParts) -> Starlette:
    async def readiness() -> tuple[bool, object]:
        is_polling = all(worker.is_running for worker in parts.workers)
        is_temporal_available = await _probe_temporal(parts)
        is_computing = not parts.cpu.is_stalled
        is_ready = is_polling and is_temporal_available and is_computing
        return is_ready, {
            "status": "ready" if is_ready else "not ready",
            "temporal_available": is_temporal_available,
            "polling": is_polling,
            "computing": is_computing,
            # Not part of readiness: during an outage of the receiver runs continue and their events wait.
            "receiver_available": parts.receiver.is_available,
            "task_queues": [worker.task_queue for worker in parts.workers],
            "warnings": list(parts.problems),
        }

    return Starlette(routes=health_routes(readiness, parts.metrics.registry, parts.sdk_metrics.read))


async def _probe_temporal(parts: WorkerParts) -> bool:
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT.total_seconds()):
            return await parts.client.service_client.check_health(timeout=_PROBE_TIMEOUT)
    except (RPCError, TimeoutError):
        return False
