"""One call of the portal over raw ASGI: counted, authorised, hit by its fault if it has one, answered after the usual while."""

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
"""Whom calls without a valid session are counted under."""


class AuthorizedRequest(Struct, frozen=True, kw_only=True):
    """A call that was let in. `fault` is for the handler, when the fault lies in the data."""

    request: Request
    mst: str
    fault: str | None


Handler: TypeAlias = Callable[[AuthorizedRequest], Awaitable[Response]]


class PortalState(Struct, frozen=True, kw_only=True):
    """What all calls share. `latency_s` by kind of call."""

    sessions: PortalSessions
    faults: PortalFaults
    stats: PortalStats
    latency_s: "dict[str, float]"


class PortalEndpoint:
    """An endpoint. `is_open`: it needs no session, and who calls is told by `handler`."""

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
            response = denied or await self._answer(request, mst)
            await response(scope, receive, record_status)
        finally:
            stats.ended(mst, self._kind, statuses[0] if statuses else "none")

    def _authorize(self, request: Request) -> tuple[str, Response | None]:
        """Who calls, and why not if not."""
        if not request.headers.get("request-id"):
            return NOBODY, errors.waf_response()
        if self._is_open:
            return NOBODY, None
        try:
            return self._server.sessions.authenticate(request.headers.get("authorization", "")).sub, None
        except PortalError as error:
            return NOBODY, errors.error_response(request, error.status, error.message)

    async def _answer(self, request: Request, mst: str) -> ASGIApp:
        fault = self._server.faults.next_fault(mst, self._kind, time.monotonic())
        if fault is not None and fault.kind != "cut":
            self._server.stats.hit(mst, fault.kind)
        instead = None if fault is None else await self._faulty_response(request, fault)
        if instead is not None:
            return instead
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
        """What comes instead of the answer; None when the fault lies in the answer itself."""
        if fault.kind == "slow_504":
            await asyncio.sleep(fault.delay_s)
        if fault.kind == "expire":
            self._server.sessions.end(
                self._server.sessions.authenticate(request.headers.get("authorization", ""))
            )
        return _response_of_fault(request, fault, self._kind)


def _response_of_fault(request: Request, fault: PortalFault, kind: str) -> ASGIApp | None:
    wait = {} if fault.retry_after_s is None else {"retry-after": str(fault.retry_after_s)}
    page = HTMLResponse("<html><p>Hệ thống đang bảo trì</p></html>")
    makers: Mapping[str, Callable[[], ASGIApp]] = {
        "rate_limit": lambda: errors.error_response(request, 429, errors.TOO_MANY, wait),
        "swallow": lambda: _never_answer,
        "slow_504": lambda: HTMLResponse("<html><h1>504 Gateway Time-out</h1></html>", 504),
        "fast_500": lambda: errors.error_response(request, 500, errors.INTERNAL),
        "expire": lambda: errors.error_response(request, 401, errors.NO_TOKEN),
        "waf": errors.waf_response,
        "drift": lambda: JSONResponse({"data": []}) if kind == "list" else page,
    }
    make = makers.get(fault.kind)
    return make() if make else None


async def _never_answer(_scope: Scope, receive: Receive, _send: Send) -> None:
    """Never an answer: the connection stays open until the caller gives up."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _TruncatedResponse:
    """The head of the answer and a part of its body; then the connection ends."""

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
        # Returning without the last piece makes the server close the connection.
        await send(
            {
                "type": "http.response.body",
                "body": bytes(self._response.body[: self._length]),
                "more_body": True,
            }
        )
