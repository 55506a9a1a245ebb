"""The routes /healthz, /readyz and /metrics. Needs the extra `signalbox-core[server]`."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_UNCACHED: Final = {"cache-control": "no-store"}
_OPENMETRICS: Final = "application/openmetrics-text"
_EOF: Final = b"# EOF\n"
_COUNTER_FAMILY: Final = re.compile(rb"^(# (?:HELP|TYPE) \w+)_total ", re.MULTILINE)
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

    async def metrics(request: Request) -> Response:
        return await metrics_response(request.headers.get("accept", ""), registry, more)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


async def metrics_response(
    accept: str, registry: CollectorRegistry, more: MetricsText = no_metrics
) -> Response:
    """The registry, followed by `more`, in Prometheus' text format or in OpenMetrics.

    Args:
        accept: the header of the request. Only OpenMetrics has exemplars; Prometheus accepts it.
    """
    if accepts_openmetrics(accept):
        own: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        text = own.removesuffix(_EOF) + as_openmetrics(await more()) + _EOF
        return Response(text, media_type=openmetrics.CONTENT_TYPE_LATEST, headers=_UNCACHED)
    text = generate_latest(registry) + await more()
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers=_UNCACHED)


def accepts_openmetrics(accept: str) -> bool:
    """Whether an `Accept` header lists OpenMetrics."""
    return any(each.partition(";")[0].strip().lower() == _OPENMETRICS for each in accept.split(","))


def as_openmetrics(text: bytes) -> bytes:
    """Convert Prometheus' text format: a counter is declared without `_total`, and no line is empty."""
    declared = _COUNTER_FAMILY.sub(rb"\1 ", text)
    return b"".join(line + b"\n" for line in declared.split(b"\n") if line)


def _json(body: object, status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(body), status_code=status, media_type="application/json", headers=_UNCACHED
    )
