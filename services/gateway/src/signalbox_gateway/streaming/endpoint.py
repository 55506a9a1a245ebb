"""The stream endpoints, as one ASGI app: `/v1/runs/{run_id}/stream`, `/v1/stream?run=a&run=b`, `/v1/stream?all=1` (docs/streams.md)."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, cast

from msgspec import Struct
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from signalbox_core.errors import InvalidInput, NotFound, Rejected, SignalboxError, Unavailable
from signalbox_core.streams import tenant_channel
from signalbox_gateway.auth.principal import Authenticate, Principal
from signalbox_gateway.http.problems import bug_response, problem_response
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.connection import Session
from signalbox_gateway.streaming.cursor import CLOSED, Feed, parse_feeds
from signalbox_gateway.streaming.hub import Hub
from signalbox_gateway.streaming.limits import Full, Holder
from signalbox_gateway.streaming.listener import Listener
from signalbox_gateway.streaming.tenant_runs import Roster
from signalbox_gateway.streaming.transport import Wire, come_back, finish, first_retry_ms, start

log = logging.getLogger(__name__)
Authorize = Callable[[HTTPConnection, str], Awaitable[Principal]]
MAX_RUNS: Final = 50


class _Admitted(Struct, frozen=True):
    """What a request may listen to."""

    principal: Principal
    runs: tuple[str, ...]
    denied: tuple[str, ...]


class _Opened(NamedTuple):
    """A stream that is joined and not yet served; whoever has it leaves the hub at the end."""

    listener: Listener
    wire: Wire
    session: Session
    hello: bytes


class StreamEndpoint:
    """GET opens a stream, HEAD answers at once, anything else is refused.

    Args:
        authorize: the principal who may listen to a run; raises NotFound for a run that is unknown or another tenant's.
        authenticate: finds the principal who may listen to all runs of its tenant.
    """

    def __init__(self, hub: Hub, authorize: Authorize, authenticate: Authenticate) -> None:
        self._hub = hub
        self._authorize = authorize
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, opened = HTTPConnection(scope), None
        try:
            opened = await self._answer(request, receive, send)
        except Unavailable as error:
            # EventSource gives up for ever on a 503, so "later" is said with a stream that ends at once.
            log.warning("stream put off", extra={"detail": error.detail})
            await come_back(send)
        except SignalboxError as error:
            headers = {"allow": "GET, HEAD"} if error.stable_code == "method_not_allowed" else None
            await problem_response(error, headers)(scope, receive, send)
        except Exception:
            # The edge, as the other endpoints have it.
            log.exception("stream failed", extra={"path": scope["path"][:300]})
            await bug_response()(scope, receive, send)
        # A reference to what was parsed of the request is two kilobytes for as long as the stream lasts.
        del request
        if opened is not None:
            # Here and not where it was opened: each frame that waits below a stream costs half a kilobyte a listener.
            try:
                await opened.wire.serve(opened.session.run, opened.hello)
            finally:
                self._hub.leave(opened.listener)

    async def _answer(self, request: HTTPConnection, receive: Receive, send: Send) -> _Opened | None:
        method = request.scope["method"]
        if method not in ("GET", "HEAD"):
            raise Rejected(
                f"{method[:20]} is not allowed here; allowed: GET, HEAD", code="method_not_allowed"
            )
        if wants_all(request):
            principal = await self._authenticate(request)
            if method == "GET":
                return await self._open_all(request, principal, receive, send)
        else:
            admitted = await self._admit(request)
            if method == "GET":
                return await self._open(request, admitted, receive, send)
        await start(send)
        await finish(send)
        return None

    async def _open_all(
        self, request: HTTPConnection, principal: Principal, receive: Receive, send: Send
    ) -> _Opened | None:
        holder = _holder(request, principal)
        if full := self._hub.lacks_room(holder):
            await _put_off(send, full, holder)
            return None

        async def may_listen() -> bool:
            return await _is_allowed(self._authenticate(HTTPConnection(scope)))

        scope = request.scope
        listener = self._hub.join([tenant_channel(principal.tenant)], principal.expires_at, holder=holder)
        wire, roster = Wire(receive, send, listener), Roster(self._hub, listener, principal.tenant)
        session = Session(self._hub, listener, (), wire=wire, may_listen=may_listen, roster=roster)
        return _Opened(listener, wire, session, frames.retry(first_retry_ms()))

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
        return _Admitted(
            principals[0], tuple(allowed), tuple(run_id for run_id in runs if run_id not in allowed)
        )

    async def _open(
        self, request: HTTPConnection, admitted: _Admitted, receive: Receive, send: Send
    ) -> _Opened | None:
        # The header is the browser's own, newer than what the page put into the address.
        last_event_id = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
        feeds = parse_feeds(_runs_of(request), last_event_id, wants_history=_wants_history(request))
        for feed in feeds:
            if feed.run_id in admitted.denied:
                # It keeps its place, as an id names its runs by their order.
                feed.position, feed.has_ended = None, True
            else:
                await self._skip_if_over(feed)
        if all(feed.has_ended for feed in feeds):
            await Response(status_code=204, headers={"cache-control": "no-store"})(
                request.scope, receive, send
            )
            return None
        holder = _holder(request, admitted.principal)
        if full := self._hub.lacks_room(holder):
            await _put_off(send, full, holder)
            return None

        async def may_listen() -> bool:
            return await _is_allowed(self._authorize(HTTPConnection(scope), run_id))

        scope, run_id = request.scope, admitted.runs[0]
        runs = [feed.run_id for feed in feeds if not feed.has_ended]
        listener = self._hub.join(runs, admitted.principal.expires_at, holder=holder)
        wire = Wire(receive, send, listener)
        hello = frames.retry(first_retry_ms()) + b"".join(
            frames.denied_event(run_id) for run_id in admitted.denied
        )
        return _Opened(
            listener, wire, Session(self._hub, listener, feeds, wire=wire, may_listen=may_listen), hello
        )

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


def wants_all(request: HTTPConnection) -> bool:
    """Whether the tenant's feed is asked for.

    Raises:
        InvalidInput: `all` has another value than 1, or runs are named too.
    """
    given = request.query_params.getlist("all")
    if not given or "run_id" in request.path_params:
        return False
    if given != ["1"] or "run" in request.query_params:
        raise InvalidInput("say ?all=1 for all runs, or name runs as in ?run=a&run=b", field="all")
    return True


def _wants_history(request: HTTPConnection) -> bool:
    """Raises: InvalidInput: `history` has another value than 1."""
    given = request.query_params.getlist("history")
    if given not in ([], ["1"]):
        raise InvalidInput("say ?history=1 for every event from the first, or leave it out", field="history")
    return bool(given)


def _holder(request: HTTPConnection, principal: Principal) -> Holder:
    return Holder(principal.key_id, request.client.host if request.client else "")


async def _is_allowed(asking: Awaitable[Principal]) -> bool:
    """Whether a listener still may. While nobody can say, it goes on."""
    try:
        await asking
    except Rejected:
        return False
    except Unavailable:
        return True
    return True


async def _put_off(send: Send, full: Full, holder: Holder) -> None:
    log.warning("stream put off", extra={"full": str(full), "principal": holder.principal})
    await come_back(send)


def _runs_of(request: HTTPConnection) -> tuple[str, ...]:
    """The runs in the order in which they were named, each once."""
    if "run_id" in request.path_params:
        return (cast("str", request.path_params["run_id"]),)
    runs = tuple(dict.fromkeys(request.query_params.getlist("run")))
    if not 1 <= len(runs) <= MAX_RUNS:
        raise InvalidInput(f"name 1 to {MAX_RUNS} runs, as in ?run=a&run=b", field="run")
    return runs
