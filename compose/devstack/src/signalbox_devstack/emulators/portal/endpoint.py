"""Wraps a request handler with what all calls share: statistics, authorization, fault injection and latency.

Works on raw ASGI, because some faults truncate a response or never send one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signalbox_devstack.emulators.portal import errors
from signalbox_devstack.emulators.portal.errors import PortalError
from signalbox_devstack.emulators.portal.faults import PortalFault, PortalFaults
from signalbox_devstack.emulators.portal.sessions import PortalSessions
from signalbox_devstack.emulators.portal.stats import PortalStats

NOBODY: Final = "-"
"""The name under which calls without a valid session are counted."""


class AuthorizedRequest(Struct, frozen=True, kw_only=True):
    """A request with a valid session. `fault` is the kind of an injected fault that affects the data."""

    request: Request
    mst: str
    fault: str | None


Handler: TypeAlias = Callable[[AuthorizedRequest], Awaitable[Response]]


class PortalState(Struct, frozen=True, kw_only=True):
    """The state that all endpoints share. `latency_s` is by kind of call."""

    sessions: PortalSessions
    faults: PortalFaults
    stats: PortalStats
    latency_s: "dict[str, float]"


class PortalEndpoint:
    """One endpoint as an ASGI application. An open one needs no session."""

    def __init__(self, server: PortalState, kind: str, handler: Handler, *, is_open: bool = False) -> None:
        self._server = server
        self._kind = kind
        self._handler = handler
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, stats = Request(scope, receive), self._server.stats
        mst, denied = self._authorize(request)
        statuses: list[str] = []

        async def record_status(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(str(message["status"]))
            await send(message)

        stats.started(mst, self._kind, time.monotonic())
        try:
            response = denied or await self._respond(request, mst)
            await response(scope, receive, record_status)
        finally:
            stats.ended(mst, self._kind, statuses[0] if statuses else "none")

    def _authorize(self, request: Request) -> tuple[str, Response | None]:
        """The tax code of the caller, and a response if the call is denied."""
        if not request.headers.get("request-id"):
            return NOBODY, errors.waf_response()
        if self._is_open:
            return NOBODY, None
        try:
            return self._server.sessions.authenticate(request.headers.get("authorization", "")).sub, None
        except PortalError as error:
            return NOBODY, errors.error_response(request, error.status, error.message)

    async def _respond(self, request: Request, mst: str) -> ASGIApp:
        fault = self._server.faults.next_fault(mst, self._kind, time.monotonic())
        if fault is not None and fault.kind != "cut":
            self._server.stats.hit(mst, fault.kind)
        replacement = None if fault is None else await self._faulty_response(request, fault)
        if replacement is not None:
            return replacement
        await asyncio.sleep(self._server.latency_s.get(self._kind, 0.0))
        try:
            response = await self._handler(
                AuthorizedRequest(request=request, mst=mst, fault=fault.kind if fault else None)
            )
        except PortalError as error:
            response = errors.error_response(request, error.status, error.message)
        if fault is not None and fault.kind == "cut" and len(response.body) > fault.over_bytes:
            self._server.stats.hit(mst, fault.kind)
            return _TruncatedResponse(response, fault.over_bytes or len(response.body) // 2)
        return response

    async def _faulty_response(self, request: Request, fault: PortalFault) -> ASGIApp | None:
        """The response that the fault replaces; None when the fault only changes the data of the normal
        response.
        """
        if fault.kind == "slow_504":
            await asyncio.sleep(fault.delay_s)
        if fault.kind == "expire":
            self._server.sessions.revoke(
                self._server.sessions.authenticate(request.headers.get("authorization", ""))
            )
        return _response_of_fault(request, fault, self._kind)


def _response_of_fault(request: Request, fault: PortalFault, kind: str) -> ASGIApp | None:
    wait = {} if fault.retry_after_s is None else {"retry-after": str(fault.retry_after_s)}
    page = HTMLResponse("<html><p>Hệ thống đang bảo trì</p></html>")
    makers: Mapping[str, Callable[[], ASGIApp]] = {
        "rate_limit": lambda: errors.error_response(request, 429, errors.TOO_MANY, wait),
        "swallow": lambda: _never_respond,
        "slow_504": lambda: HTMLResponse("<html><h1>504 Gateway Time-out</h1></html>", 504),
        "fast_500": lambda: errors.error_response(request, 500, errors.INTERNAL),
        "expire": lambda: errors.error_response(request, 401, errors.NO_TOKEN),
        "waf": errors.waf_response,
        "drift": lambda: JSONResponse({"data": []}) if kind == "list" else page,
    }
    make = makers.get(fault.kind)
    return make() if make else None


async def _never_respond(_scope: Scope, receive: Receive, _send: Send) -> None:
    """Send nothing: the connection stays open until the caller gives up."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _TruncatedResponse:
    """Sends the headers and the first part of the body, then closes the connection."""

    def __init__(self, response: Response, length: int) -> None:
        self._response = response
        self._length = length

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self._response.status_code,
                "headers": self._response.raw_headers,
            }
        )
        # Returning without the final part makes the server close the connection.
        await send(
            {
                "type": "http.response.body",
                "body": bytes(self._response.body[: self._length]),
                "more_body": True,
            }
        )
