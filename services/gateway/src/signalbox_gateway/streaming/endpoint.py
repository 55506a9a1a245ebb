"""The stream endpoints as one ASGI app (docs/streams.md).

`/v1/runs/{run_id}/stream`, `/v1/stream?run=a&run=b` and `/v1/stream?all=1`.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, cast

from msgspec import Struct
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from signalbox_core.errors import InvalidInput, NotFound, Rejected, SignalboxError, Unavailable
from signalbox_core.streams import tenant_channel
from signalbox_gateway.auth.principal import Authenticate, Principal
from signalbox_gateway.http.problems import bug_response
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.connection import StreamConnection
from signalbox_gateway.streaming.cursor import CLOSED_EPOCH, RunSubscription, parse_subscriptions
from signalbox_gateway.streaming.hub import Hub
from signalbox_gateway.streaming.limits import owner_of
from signalbox_gateway.streaming.listener import Listener
from signalbox_gateway.streaming.refusals import StreamRefusals
from signalbox_gateway.streaming.tenant_runs import TenantRuns
from signalbox_gateway.streaming.transport import (
    SseTransport,
    finish_response,
    reconnect_delay_ms,
    start_response,
)

log = logging.getLogger(__name__)
Authorize = Callable[[HTTPConnection, str], Awaitable[Principal]]
CountRequest = Callable[[HTTPConnection, str | None], Awaitable[None]]
"""Counts the request for one run, or for all runs if None. Raises: Unauthenticated, RateLimited."""
MAX_RUNS: Final = 50


class _AuthorizedRuns(Struct, frozen=True):
    """The requested runs, divided by whether the principal may listen to them.

    Attributes:
        keys: the keys of the streams that the principal may listen to, by run id.
    """

    principal: Principal
    keys: Mapping[str, str]
    denied: tuple[str, ...]


class _OpenStream(NamedTuple):
    """A stream that has joined the hub but is not served yet. The owner must call `Hub.leave` at the end."""

    listener: Listener
    transport: SseTransport
    connection: StreamConnection
    preamble: bytes


async def uncounted(_request: HTTPConnection, _run_id: str | None) -> None:
    """Count nothing: there is no rate limit."""


class StreamEndpoint:
    """GET opens a stream, HEAD responds at once, any other method is 405.

    Args:
        authorize: returns the principal who may listen to a run; raises NotFound when the run is unknown or
            belongs to another tenant.
        authenticate: returns the principal who may listen to all runs of its tenant.
        refusals: the responses to streams that are not opened.
        count: the rate limits of principals and of failed authentications.
    """

    def __init__(
        self,
        hub: Hub,
        authorize: Authorize,
        authenticate: Authenticate,
        *,
        refusals: StreamRefusals,
        count: CountRequest = uncounted,
    ) -> None:
        self._hub = hub
        self._refusals = refusals
        self._count = count
        self._authorize = authorize
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, stream = HTTPConnection(scope), None
        try:
            stream = await self._respond(request, receive, send)
        except SignalboxError as error:
            await self._refusals.respond(error)(scope, receive, send)
        except Exception:
            # The edge: an unexpected error becomes a 500, as in the other endpoints.
            log.exception("stream failed", extra={"path": scope["path"][:300]})
            await bug_response()(scope, receive, send)
        # The parsed request would hold two kilobytes for the lifetime of the stream.
        del request
        if stream is not None:
            # Served here, not where it is opened: every suspended call costs half a kilobyte per listener.
            try:
                await stream.transport.serve(stream.connection.run, stream.preamble)
            finally:
                self._hub.leave(stream.listener)

    async def _respond(self, request: HTTPConnection, receive: Receive, send: Send) -> _OpenStream | None:
        method = request.scope["method"]
        if method not in ("GET", "HEAD"):
            raise Rejected(
                f"{method[:20]} is not allowed here; allowed: GET, HEAD", code="method_not_allowed"
            )
        if is_tenant_stream(request):
            await self._count(request, None)
            principal = await self._authenticate(request)
            if method == "GET":
                return await self._open_tenant_stream(request, principal, receive, send)
        else:
            await self._count(request, _requested_runs(request)[0])
            authorized = await self._authorize_runs(request)
            if method == "GET":
                return await self._open_run_streams(request, authorized, receive, send)
        await start_response(send)
        await finish_response(send)
        return None

    async def _open_tenant_stream(
        self, request: HTTPConnection, principal: Principal, receive: Receive, send: Send
    ) -> _OpenStream:
        owner = owner_of(request, principal)
        self._hub.check_admission(owner)

        async def is_authorized() -> bool:
            return await _is_allowed(self._authenticate(HTTPConnection(scope)))

        scope = request.scope
        listener = self._hub.join([tenant_channel(principal.tenant)], principal.expires_at, owner=owner)
        transport = SseTransport(receive, send, listener)
        tenant_runs = TenantRuns(self._hub, listener, principal.tenant)
        connection = StreamConnection(
            self._hub, listener, (), transport=transport, is_authorized=is_authorized, tenant_runs=tenant_runs
        )
        return _OpenStream(listener, transport, connection, frames.retry(reconnect_delay_ms()))

    async def _authorize_runs(self, request: HTTPConnection) -> _AuthorizedRuns:
        runs = _requested_runs(request)
        keys: dict[str, str] = {}
        principals: list[Principal] = []
        refused: NotFound | None = None
        for run_id in runs:
            try:
                principals.append(await self._authorize(request, run_id))
                keys[run_id] = await self._hub.locate(principals[-1].tenant, run_id)
            except NotFound as error:
                refused = error
        if refused is not None and not keys:
            raise refused
        return _AuthorizedRuns(principals[0], keys, tuple(run_id for run_id in runs if run_id not in keys))

    async def _open_run_streams(
        self, request: HTTPConnection, authorized: _AuthorizedRuns, receive: Receive, send: Send
    ) -> _OpenStream | None:
        # The header takes precedence: the browser updates it, the query is from when the page was opened.
        last_event_id = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
        keys = [authorized.keys.get(run_id, run_id) for run_id in _requested_runs(request)]
        subscriptions = parse_subscriptions(keys, last_event_id, include_history=_includes_history(request))
        for subscription in subscriptions:
            if subscription.run_id in authorized.denied:
                # A denied run stays in the list, because an event id lists cursors in the order of the runs.
                subscription.position, subscription.has_ended = None, True
            else:
                await self._mark_if_ended(subscription)
        if all(subscription.has_ended for subscription in subscriptions):
            await Response(status_code=204, headers={"cache-control": "no-store"})(
                request.scope, receive, send
            )
            return None
        owner = owner_of(request, authorized.principal)
        self._hub.check_admission(owner)

        async def is_authorized() -> bool:
            return await _is_allowed(self._authorize(HTTPConnection(scope), run_id))

        scope, run_id = request.scope, next(iter(authorized.keys))
        runs = [subscription.key for subscription in subscriptions if not subscription.has_ended]
        listener = self._hub.join(runs, authorized.principal.expires_at, owner=owner)
        transport = SseTransport(receive, send, listener)
        preamble = frames.retry(reconnect_delay_ms()) + b"".join(
            frames.denied_event(run_id) for run_id in authorized.denied
        )
        return _OpenStream(
            listener,
            transport,
            StreamConnection(
                self._hub, listener, subscriptions, transport=transport, is_authorized=is_authorized
            ),
            preamble,
        )

    async def _mark_if_ended(self, subscription: RunSubscription) -> None:
        """Mark a run whose end the listener has received. Nothing is marked while Redis is unavailable."""
        if subscription.position is None:
            return
        try:
            if subscription.position.epoch == CLOSED_EPOCH:
                snapshot = await self._hub.snapshot(subscription.key)
                subscription.has_ended = snapshot is not None and snapshot.has_ended
                return
            history = await self._hub.read(subscription.key, subscription.position)
        except Unavailable:
            return
        subscription.has_ended = (
            history.ended and not history.lost and subscription.position.sequence >= history.top
        )


def is_tenant_stream(request: HTTPConnection) -> bool:
    """Whether the request is for the tenant's stream.

    Raises:
        InvalidInput: `all` is not 1, or runs are named as well.
    """
    given = request.query_params.getlist("all")
    if not given or "run_id" in request.path_params:
        return False
    if given != ["1"] or "run" in request.query_params:
        raise InvalidInput("use ?all=1 for all runs, or name runs as in ?run=a&run=b", field="all")
    return True


def _includes_history(request: HTTPConnection) -> bool:
    """Whether the full history is requested.

    Raises:
        InvalidInput: `history` is not 1.
    """
    given = request.query_params.getlist("history")
    if given not in ([], ["1"]):
        raise InvalidInput("use ?history=1 for every event from the first, or omit it", field="history")
    return bool(given)


async def _is_allowed(check: Awaitable[Principal]) -> bool:
    """Whether a listener may continue. It may while the check itself is unavailable."""
    try:
        await check
    except Rejected:
        return False
    except Unavailable:
        return True
    return True


def _requested_runs(request: HTTPConnection) -> tuple[str, ...]:
    """The requested runs in the order of the request, without duplicates."""
    if "run_id" in request.path_params:
        return (cast("str", request.path_params["run_id"]),)
    runs = tuple(dict.fromkeys(request.query_params.getlist("run")))
    if not 1 <= len(runs) <= MAX_RUNS:
        raise InvalidInput(f"name 1 to {MAX_RUNS} runs, as in ?run=a&run=b", field="run")
    return runs
