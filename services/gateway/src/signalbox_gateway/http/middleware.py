"""Around every request: a request id, security headers, the access log and metrics. Never a body, a header or a query in the log."""

import logging
import re
import secrets
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signalbox_gateway.http.metrics import Metrics

log = logging.getLogger("signalbox_gateway.access")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_DEFAULTS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
}


class Observed:
    """ASGI middleware; streams pass through it frame by frame without copying."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # No answer is large enough to be fetched in ranges, and the file server answers a malformed range without a problem.
        scope["headers"] = [header for header in scope["headers"] if header[0] != b"range"]
        began, status = time.perf_counter(), 0
        request_id = _request_id(scope)

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in _DEFAULTS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_observed)
        finally:
            self._note(scope, status, time.perf_counter() - began, request_id)

    def _note(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        route = _route(scope)
        self._metrics.answered(_method(scope), route, status, seconds)
        level = logging.DEBUG if scope["path"] in _QUIET else logging.INFO
        log.log(
            level,
            "request",
            extra={
                "method": scope["method"][:20],
                # The path only: tickets travel in the query.
                "path": scope["path"][:300],
                "status": status,
                "ms": round(seconds * 1000, 1),
                "request_id": request_id,
            },
        )


def _method(scope: Scope) -> str:
    """Callers can send any word as a method; metrics keep a closed set."""
    return (
        scope["method"]
        if scope["method"] in {"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"}
        else "other"
    )


def _route(scope: Scope) -> str:
    """The template of the path, so that metrics have one series a route and not one a run."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    return str(path) if path else "unmatched"


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
