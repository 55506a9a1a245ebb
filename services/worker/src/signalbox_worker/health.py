"""The worker's /healthz (the process responds), /readyz (it polls, Temporal responds, and CPU work goes on) and /metrics."""

import asyncio
from datetime import timedelta
from typing import Final

from starlette.applications import Starlette
from temporalio.service import RPCError

from signalbox_core.http.health import health_routes
from signalbox_worker.worker import Parts

_PROBE_TIMEOUT: Final = timedelta(seconds=2)


def create_app(parts: Parts) -> Starlette:
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
            # Events wait for the receiver, runs do not: without it the worker is still ready.
            "receiver_available": not parts.poster.is_away,
            "task_queues": [worker.task_queue for worker in parts.workers],
        }

    return Starlette(routes=health_routes(readiness, parts.counters.registry))


async def _probe_temporal(parts: Parts) -> bool:
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT.total_seconds()):
            return await parts.client.service_client.check_health(timeout=_PROBE_TIMEOUT)
    except (RPCError, TimeoutError):
        return False
