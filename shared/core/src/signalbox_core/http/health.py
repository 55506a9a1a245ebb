"""The routes /healthz, /readyz and /metrics. Needs the extra `signalbox-core[server]`."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_UNCACHED: Final = {"cache-control": "no-store"}
ReadinessProbe = Callable[[], Awaitable[tuple[bool, object]]]
"""Whether the service is ready, and the JSON body of /readyz."""


MetricsText = Callable[[], Awaitable[bytes]]
"""Reads more metrics in Prometheus' text format."""


async def no_metrics() -> bytes:
    """A `MetricsText` without metrics."""
    return b""


def health_routes(
    readiness: ReadinessProbe, registry: CollectorRegistry, more: MetricsText = no_metrics
) -> list[Route]:
    """/healthz is 200 while the process responds; /readyz 200 or 503 by `readiness`; /metrics for Prometheus.

    Args:
        readiness: probes the dependencies; bounds each probe with its own timeout.
        more: metrics that are not in the registry.
    """

    async def healthz(_request: Request) -> Response:
        return _json({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        is_ready, body = await readiness()
        return _json(body, 200 if is_ready else 503)

    async def metrics(_request: Request) -> Response:
        return await metrics_response(registry, more)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


async def metrics_response(registry: CollectorRegistry, more: MetricsText = no_metrics) -> Response:
    """The registry, followed by `more`, in Prometheus' text format."""
    text = generate_latest(registry) + await more()
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers=_UNCACHED)


def _json(body: object, status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(body), status_code=status, media_type="application/json", headers=_UNCACHED
    )
