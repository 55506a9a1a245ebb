"""Probes that respond from a thread of their own, whatever the event loop of the service is doing."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signalbox_core.http.server import create_server

log = logging.getLogger(__name__)
HEALTHZ: Final = "/healthz"
_BLOCKED_AFTER_S: Final = 30.0
_RESPOND_WITHIN_S: Final = 3.0
"""Less than the timeout of a probe (5 s in k8s/base)."""
_POLL_S: Final = 0.01


@asynccontextmanager
async def probes_in_thread(
    app: ASGIApp, listener: socket.socket, *, blocked_after_s: float = _BLOCKED_AFTER_S
) -> AsyncIterator[None]:
    """Serve the probes and metrics of `app`, which runs on the caller's event loop, from another thread.

    /healthz is 200 until the caller's event loop has not run for `blocked_after_s`, then 503. The other paths
    are passed to `app`, and are 503 when it does not respond within three seconds.
    """
    monitor = LoopMonitor(asyncio.get_running_loop(), blocked_after_s=blocked_after_s)
    started: asyncio.Future[_Stop] = asyncio.get_running_loop().create_future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(_ProbeApp(app, monitor), listener, started)),
        name="probes",
        daemon=True,
    )
    thread.start()
    stop = await started
    try:
        yield
    finally:
        stop.loop.call_soon_threadsafe(stop.event.set)
        await asyncio.to_thread(thread.join)


class LoopMonitor:
    """Observes from another thread whether an event loop runs its callbacks."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, blocked_after_s: float) -> None:
        self.loop = loop
        self._blocked_after_s = blocked_after_s
        self._waiting_since: float | None = None

    async def blocked_s(self, *, within_s: float) -> float:
        """How long the loop has not run a callback, as far as this method has observed it.

        Args:
            within_s: a loop that runs a callback within this time is not blocked.
        """
        asked_at = time.monotonic()
        if self._waiting_since is None:
            self._waiting_since = asked_at
            self.loop.call_soon_threadsafe(self._on_run)
        # Another thread sets it, so an asyncio event would not do.
        while self._waiting_since is not None and time.monotonic() - asked_at < within_s:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        since = self._waiting_since
        return 0.0 if since is None else time.monotonic() - since

    def is_too_long(self, blocked_s: float) -> bool:
        return blocked_s >= self._blocked_after_s

    def _on_run(self) -> None:
        self._waiting_since = None


class _Stop(NamedTuple):
    loop: asyncio.AbstractEventLoop
    event: asyncio.Event


class _ProbeApp:
    def __init__(self, app: ASGIApp, monitor: LoopMonitor) -> None:
        self._app = app
        self._monitor = monitor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = await (self._health() if scope["path"] == HEALTHZ else self._forward(scope))
        await response(scope, receive, send)

    async def _health(self) -> Response:
        blocked_s = await self._monitor.blocked_s(within_s=_RESPOND_WITHIN_S)
        if not self._monitor.is_too_long(blocked_s):
            return _status(200, "ok")
        log.error("the event loop is blocked", extra={"blocked_s": round(blocked_s, 1)})
        return _status(503, "blocked", f"the event loop has not run for {blocked_s:.0f} s")

    async def _forward(self, scope: Scope) -> Response:
        future = asyncio.run_coroutine_threadsafe(_collect(self._app, scope), self._monitor.loop)
        try:
            async with asyncio.timeout(_RESPOND_WITHIN_S):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            log.warning("a probe was not answered in time", extra={"path": scope["path"]})
            return _status(
                503, "not ready", f"no response within {_RESPOND_WITHIN_S:g} s: the service is busy"
            )


async def _collect(app: ASGIApp, scope: Scope) -> Response:
    """The complete response of the app to a request without a body."""
    response, body = Response(), bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            response.status_code, response.raw_headers = message["status"], list(message["headers"])
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, send)
    response.body = bytes(body)
    return response


async def _serve(app: ASGIApp, listener: socket.socket, started: "asyncio.Future[_Stop]") -> None:
    event = asyncio.Event()
    stop = _Stop(asyncio.get_running_loop(), event)
    started.get_loop().call_soon_threadsafe(started.set_result, stop)
    await create_server(app).serve_until(event, listener)


def _status(code: int, status: str, detail: str = "") -> Response:
    body = {"status": status, **({"detail": detail} if detail else {})}
    return Response(
        msgspec.json.encode(body),
        status_code=code,
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )
