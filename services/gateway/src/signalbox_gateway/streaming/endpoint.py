"""The stream endpoints as one ASGI app (docs/streams.md).

`/v1/runs/{run_id}/stream`, `/v1/stream?run=a&run=b` and `/v1/stream?all=1&include=a`.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from signalbox_core.errors import NotFound, Rejected, SignalboxError, Unavailable
from signalbox_core.streams import tenant_channel
from signalbox_gateway.auth.principal import Authenticate, Principal
from signalbox_gateway.http.error_codes import bug_response
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.connection import StreamConnection
from signalbox_gateway.streaming.cursor import CLOSED_EPOCH, RunSubscription, parse_subscriptions
from signalbox_gateway.streaming.hub import Hub
from signalbox_gateway.streaming.limits import owner_of
from signalbox_gateway.streaming.listener import Listener
from signalbox_gateway.streaming.refusals import StreamRefusals
from signalbox_gateway.streaming.stream_request import (
    included_runs,
    includes_history,
    is_tenant_stream,
    last_event_id,
    requested_runs,
)
from signalbox_gateway.streaming.tenant_cursor import parse_cursor
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


class _AuthorizedRuns(Struct, frozen=True, kw_only=True):
    """The requested runs.

    Attributes:
        keys: the keys of their streams, in the order of the request; of a denied run its id.
        allowed: the runs that the listener may follow, each with its principal.
        denied: the runs that are unknown or belong to another tenant.
        refusal: why the last of them is denied.
    """

    keys: tuple[str, ...]
    allowed: Mapping[str, Principal]
    denied: tuple[str, ...]
    refusal: NotFound | None = None


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
            included = await self._authorize_runs(request, included_runs(request))
            if method == "GET":
                return await self._open_tenant_stream(request, principal, included, receive, send)
        else:
            runs = requested_runs(request)
            await self._count(request, runs[0])
            authorized = await self._authorize_runs(request, runs)
            if authorized.refusal is not None and not authorized.allowed:
                raise authorized.refusal
            if method == "GET":
                return await self._open_run_streams(request, authorized, receive, send)
        await start_response(send)
        await finish_response(send)
        return None

    async def _open_tenant_stream(
        self,
        request: HTTPConnection,
        principal: Principal,
        included: _AuthorizedRuns,
        receive: Receive,
        send: Send,
    ) -> _OpenStream:
        subscriptions, resume = parse_cursor(
            included.keys, last_event_id(request), include_history=includes_history(request)
        )
        await self._mark_ended(subscriptions, included.denied)
        owner = owner_of(request, principal)
        self._hub.check_admission(owner)

        async def is_authorized() -> bool:
            return await _is_allowed(self._authenticate(HTTPConnection(scope)))

        scope = request.scope
        runs = [subscription.key for subscription in subscriptions if not subscription.has_ended]
        channels = [tenant_channel(principal.tenant), *runs]
        listener = self._hub.join(channels, principal.expires_at, owner=owner)
        transport = SseTransport(receive, send, listener)
        tenant_runs = TenantRuns(self._hub, listener, principal.tenant, included=subscriptions, resume=resume)
        connection = StreamConnection(
            self._hub, listener, (), transport=transport, is_authorized=is_authorized, tenant_runs=tenant_runs
        )
        return _OpenStream(listener, transport, connection, _preamble(subscriptions, included.denied))

    async def _authorize_runs(self, request: HTTPConnection, runs: Sequence[str]) -> _AuthorizedRuns:
        keys: list[str] = []
        allowed: dict[str, Principal] = {}
        denied: list[str] = []
        refusal: NotFound | None = None
        for run_id in runs:
            try:
                allowed[run_id] = await self._authorize(request, run_id)
                keys.append(await self._hub.locate(allowed[run_id].tenant, run_id))
            except NotFound as error:
                keys.append(run_id)
                denied.append(run_id)
                refusal = error
        return _AuthorizedRuns(keys=tuple(keys), allowed=allowed, denied=tuple(denied), refusal=refusal)

    async def _open_run_streams(
        self, request: HTTPConnection, authorized: _AuthorizedRuns, receive: Receive, send: Send
    ) -> _OpenStream | None:
        subscriptions = parse_subscriptions(
            authorized.keys, last_event_id(request), include_history=includes_history(request)
        )
        await self._mark_ended(subscriptions, authorized.denied)
        if all(subscription.has_ended for subscription in subscriptions):
            await Response(status_code=204, headers={"cache-control": "no-store"})(
                request.scope, receive, send
            )
            return None
        run_id, principal = next(iter(authorized.allowed.items()))
        owner = owner_of(request, principal)
        self._hub.check_admission(owner)

        async def is_authorized() -> bool:
            return await _is_allowed(self._authorize(HTTPConnection(scope), run_id))

        scope = request.scope
        runs = [subscription.key for subscription in subscriptions if not subscription.has_ended]
        listener = self._hub.join(runs, principal.expires_at, owner=owner)
        transport = SseTransport(receive, send, listener)
        connection = StreamConnection(
            self._hub, listener, subscriptions, transport=transport, is_authorized=is_authorized
        )
        return _OpenStream(listener, transport, connection, _preamble(subscriptions, authorized.denied))

    async def _mark_ended(self, subscriptions: Sequence[RunSubscription], denied: Collection[str]) -> None:
        """Mark the runs of which there is nothing to send.

        A denied run stays in the list, because an event id lists cursors in the order of the runs.
        """
        for subscription in subscriptions:
            if subscription.run_id in denied:
                subscription.position, subscription.has_ended = None, True
            else:
                await self._mark_if_ended(subscription)

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


def _preamble(subscriptions: Sequence[RunSubscription], denied: Collection[str]) -> bytes:
    """The first frames: `retry:`, the denied runs, and the runs whose events were all sent before."""
    ended = [each.run_id for each in subscriptions if each.has_ended and each.run_id not in denied]
    return b"".join(
        (
            frames.retry(reconnect_delay_ms()),
            *(frames.denied_event(run_id) for run_id in denied),
            *(frames.end_event(run_id) for run_id in ended),
        )
    )


async def _is_allowed(check: Awaitable[Principal]) -> bool:
    """Whether a listener may continue. It may while the check itself is unavailable."""
    try:
        await check
    except Rejected:
        return False
    except Unavailable:
        return True
    return True
