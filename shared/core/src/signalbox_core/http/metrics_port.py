"""Probes and metrics on a port and in a thread of their own.

The port for callers then does not publish metrics, and probes respond however busy the service is.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from signalbox_core.errors import NotFound
from signalbox_core.http.probes import HEALTHZ, probes_in_thread
from signalbox_core.http.responses import problem_response
from signalbox_core.process.service import bind

METRICS: Final = "/metrics"
OPERATIONS: Final = frozenset({METRICS, HEALTHZ, "/readyz"})


class MetricsPortSettings(Protocol):
    """The fields of a service's Settings that this module reads."""

    @property
    def host(self) -> str: ...
    @property
    def metrics_port(self) -> int: ...


@asynccontextmanager
async def metrics_port(app: ASGIApp, settings: MetricsPortSettings, *, prefix: str) -> AsyncIterator[ASGIApp]:
    """Serve the app's /metrics, /healthz and /readyz on `settings.metrics_port`.

    Args:
        prefix: of the settings' environment variables.

    Yields:
        The app for the service's main port. It has no /metrics, and still has the probes. With port 0 it is
        the unchanged app, and nothing else is served.

    Raises:
        InvalidInput: the port is in use or not permitted; the message names the variable to change.
    """
    if not settings.metrics_port:
        yield app
        return
    listener = bind(settings.host, settings.metrics_port, variables=f"{prefix}_METRICS_PORT")
    # Until after the main port: a service that drains still reports that it is not ready.
    async with probes_in_thread(_OperationsOnly(app), listener):
        yield _WithoutMetrics(app)


class _OperationsOnly:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPERATIONS:
            await self._app(scope, receive, send)
        else:
            error = NotFound(f"this port serves only {', '.join(sorted(OPERATIONS))}")
            await problem_response(error)(scope, receive, send)


class _WithoutMetrics:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == METRICS:
            error = NotFound("metrics are served on a port of their own")
            await problem_response(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
