"""The stream endpoints, as one ASGI app: `/v1/runs/{run_id}/stream` and `/v1/stream?run=a&run=b` (docs/streams.md)."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, cast

from msgspec import Struct
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from signalbox_core.errors import InvalidInput, NotFound, Rejected, SignalboxError, Unavailable
from signalbox_gateway import frames
from signalbox_gateway.auth import Principal
from signalbox_gateway.capacity import Holder
from signalbox_gateway.hub import Hub
from signalbox_gateway.listener import Listener
from signalbox_gateway.position import CLOSED, Feed, parse_feeds
from signalbox_gateway.problems import problem_response
from signalbox_gateway.session import Session

log = logging.getLogger(__name__)
Authorize = Callable[[HTTPConnection, str], Awaitable[Principal]]
MAX_RUNS: Final = 50
# Never one number: listeners that were cut off together would come back together.
RETRY_MS: Final = (1_000, 3_000)
_BUSY_RETRY_MS: Final = (5_000, 15_000)
_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


class _Admitted(Struct, frozen=True):
    """What a request may listen to."""

    principal: Principal
    runs: tuple[str, ...]
    denied: tuple[str, ...]


class StreamEndpoint:
    """GET opens a stream, HEAD answers at once, anything else is refused.

    Args:
        authorize: the principal who may listen to a run; raises NotFound for a run that is unknown or another tenant's.
    """

    def __init__(self, hub: Hub, authorize: Authorize) -> None:
        self._hub = hub
        self._authorize = authorize

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HTTPConnection(scope)
        try:
            await self._answer(request, receive, send)
        except Unavailable as error:
            # EventSource gives up for ever on a 503, so "later" is said with a stream that ends at once.
            log.warning("stream put off", extra={"detail": error.detail})
            await _come_back(send)
        except SignalboxError as error:
            headers = {"allow": "GET, HEAD"} if error.stable_code == "method_not_allowed" else None
            await problem_response(error, headers)(scope, receive, send)

    async def _answer(self, request: HTTPConnection, receive: Receive, send: Send) -> None:
        method = request.scope["method"]
        if method not in ("GET", "HEAD"):
            raise Rejected(f"{method[:20]} is not allowed here; allowed: GET, HEAD", code="method_not_allowed")
        admitted = await self._admit(request)
        if method == "HEAD":
            await _start(send)
            await _finish(send)
        else:
            await self._open(request, admitted, receive, send)

    async def _admit(self, request: HTTPConnection) -> _Admitted:
        runs = _runs_of(request)
        allowed: list[str] = []
        principals: list[Principal] = []
        refused: NotFound | None = None
        for run_id in runs:
            try:
                principals.append(await self._authorize(request, run_id))
                allowed.append(run_id)
            except NotFound as error:
                refused = error
        if refused is not None and not allowed:
            raise refused
        return _Admitted(principals[0], tuple(allowed), tuple(run_id for run_id in runs if run_id not in allowed))

    async def _open(self, request: HTTPConnection, admitted: _Admitted, receive: Receive, send: Send) -> None:
        # The header is the browser's own, newer than what the page put into the address.
        last_event_id = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
        feeds = parse_feeds(_runs_of(request), last_event_id)
        for feed in feeds:
            if feed.run_id in admitted.denied:
                # It keeps its place, as an id names its runs by their order.
                feed.position, feed.has_ended = None, True
            else:
                await self._skip_if_over(feed)
        if all(feed.has_ended for feed in feeds):
            await Response(status_code=204, headers={"cache-control": "no-store"})(request.scope, receive, send)
            return
        holder = Holder(admitted.principal.key_id, request.client.host if request.client else "")
        if full := self._hub.lacks_room(holder):
            log.warning("stream put off", extra={"full": str(full), "principal": holder.principal})
            await _come_back(send)
            return
        runs = [feed.run_id for feed in feeds if not feed.has_ended]
        listener = self._hub.join(runs, admitted.principal.expires_at, holder=holder)
        try:
            await self._converse(request, admitted, feeds, listener, _Wire(receive, send, listener))
        finally:
            self._hub.leave(listener)

    async def _converse(
        self, request: HTTPConnection, admitted: _Admitted, feeds: Sequence[Feed], listener: Listener, wire: "_Wire"
    ) -> None:
        await _start(wire.send)
        await wire.write(frames.retry(random.randint(*RETRY_MS)) + b"".join(frames.denied_event(run_id) for run_id in admitted.denied))

        async def may_listen() -> bool:
            return await self._may_listen(request, admitted.runs[0])

        session = Session(self._hub, listener, feeds, write=wire.write, may_listen=may_listen)
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(wire.watch())
            await session.run()
            watcher.cancel()
        if not listener.is_gone:
            await _finish(wire.send)

    async def _skip_if_over(self, feed: Feed) -> None:
        """Whether the listener has seen the end of this run. Without Redis nobody knows: it is asked again later."""
        if feed.position is None:
            return
        try:
            if feed.position.epoch == CLOSED:
                shown = await self._hub.snapshot(feed.run_id)
                feed.has_ended = shown is not None and shown.has_ended
                return
            history = await self._hub.read(feed.run_id, feed.position)
        except Unavailable:
            return
        feed.has_ended = history.ended and not history.lost and feed.position.sequence >= history.top

    async def _may_listen(self, request: HTTPConnection, run_id: str) -> bool:
        try:
            await self._authorize(request, run_id)
        except Rejected:
            return False
        except Unavailable:
            return True
        return True


class _Wire:
    """The two ends of one connection."""

    def __init__(self, receive: Receive, send: Send, listener: Listener) -> None:
        self._receive = receive
        self.send = send
        self._listener = listener

    async def write(self, data: bytes) -> None:
        try:
            await self.send({"type": "http.response.body", "body": data, "more_body": True})
        except OSError:
            self._listener.leave()

    async def watch(self) -> None:
        """Notice that the other side has left: most servers take what is sent to it and say nothing."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._listener.leave()


def _runs_of(request: HTTPConnection) -> tuple[str, ...]:
    """The runs in the order in which they were named, each once."""
    if "run_id" in request.path_params:
        return (cast("str", request.path_params["run_id"]),)
    runs = tuple(dict.fromkeys(request.query_params.getlist("run")))
    if not 1 <= len(runs) <= MAX_RUNS:
        raise InvalidInput(f"name 1 to {MAX_RUNS} runs, as in ?run=a&run=b", field="run")
    return runs


async def _start(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})


async def _finish(send: Send) -> None:
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _come_back(send: Send) -> None:
    """Not now: the browser reconnects after the time that it is told."""
    await _start(send)
    await send({"type": "http.response.body", "body": frames.retry(random.randint(*_BUSY_RETRY_MS)), "more_body": False})
