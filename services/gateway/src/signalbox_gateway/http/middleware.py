"""A request id, security headers, the access log and metrics of every request.

The log has no body, header or query string.
"""

import logging
import re
import secrets
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signalbox_core.logs import log_fields
from signalbox_core.traces import SpanKind, TraceSpan, Tracing, parse_traceparent
from signalbox_gateway.http.metrics import Metrics

log = logging.getLogger("signalbox_gateway.access")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_API: Final = "/v1/"
_CALLBACK: Final = re.compile(r"(/v1/callbacks/).*", re.DOTALL)
_PROBE_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_DEFAULT_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
}


class RequestObserver:
    """ASGI middleware; passes stream frames through without copying."""

    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: Tracing) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # No response is large enough for ranges, and StaticFiles refuses a malformed one without a problem.
        scope["headers"] = [header for header in scope["headers"] if header[0] != b"range"]
        started, status = time.perf_counter(), 0
        request_id = _request_id(scope)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in _DEFAULT_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        parent = parse_traceparent(Headers(scope=scope).get("traceparent"))
        is_entry = scope["path"].startswith(_API)
        with (
            self._tracing.span("request", parent=parent, kind=SpanKind.SERVER, is_entry=is_entry) as span,
            log_fields(request_id=request_id),
        ):
            try:
                await self._app(scope, receive, send_with_headers)
            finally:
                self._record(scope, status, time.perf_counter() - started)
                if span is not None:
                    _describe(span, scope, status)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        self._metrics.record_request(_method(scope), route, status, seconds)
        level = logging.DEBUG if scope["path"] in _PROBE_PATHS else logging.INFO
        log.log(
            level,
            "request",
            extra={
                "method": scope["method"][:20],
                # Without the query string, which may hold a ticket.
                "path": loggable_path(scope["path"]),
                "status": status,
                "ms": round(seconds * 1000, 1),
                **_run_id(scope),
            },
        )


def loggable_path(path: str) -> str:
    """Shorten a path, and leave out the token of a callback."""
    return _CALLBACK.sub(r"\1***", path)[:300]


def _method(scope: Scope) -> str:
    """The method as a metric label; a caller can send any word, the label set is closed."""
    return (
        scope["method"]
        if scope["method"] in {"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"}
        else "other"
    )


def _route(scope: Scope) -> str:
    """The route's path template as a metric label: one time series per route, not per run."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    return str(path) if path else "unmatched"


def _run_id(scope: Scope) -> dict[str, str]:
    """The run that the path names."""
    run_id = scope.get("path_params", {}).get("run_id")
    return {"run_id": str(run_id)[:128]} if run_id else {}


def _describe(span: TraceSpan, scope: Scope, status: int) -> None:
    """Name a span by its route. A stream is not recorded: it lasts as long as its listener stays."""
    method, route = _method(scope), _route(scope)
    span.name, span.is_dropped = f"{method} {route}", "stream" in route or not scope["path"].startswith(_API)
    span.set({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    span.set({f"signalbox.{name}": value for name, value in _run_id(scope).items()})
    if status >= 500:
        span.error = str(status)


def _request_id(scope: Scope) -> str:
    received = Headers(scope=scope).get("x-request-id", "")
    return received if _REQUEST_ID.fullmatch(received) else secrets.token_hex(8)
