"""The autoscaler's decisions, as it records them in Redis: as JSON and as a live stream.

All tenants share the fleet, so the pages need the role `deployment_operator`.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import HTTPConnection
from starlette.responses import Response

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import InvalidInput, Rejected, Unavailable
from signalbox_core.scaling.decision_feed import DecisionFeed, DecisionView
from signalbox_gateway.api.endpoint import Call, json_response
from signalbox_gateway.api.schemas import (
    DecisionList,
    FollowDecisions,
    ListDecisions,
    ScaledQueue,
    ScaledQueues,
)
from signalbox_gateway.auth.principal import Authenticate
from signalbox_gateway.streaming.hub import Hub
from signalbox_gateway.streaming.limits import Holder
from signalbox_gateway.streaming.listener import Listener
from signalbox_gateway.streaming.transport import come_back_response, first_retry_ms

log = logging.getLogger(__name__)
_LOOK_EVERY_S: Final = 1.0
"""A queue is decided about every few seconds and few people watch, so the feed asks Redis instead of holding a connection to it."""
_HEARTBEAT_S: Final = 12
_ENTRY_ID: Final = re.compile(r"[0-9]{1,16}-[0-9]{1,10}")


class AutoscalerPages:
    """The handlers.

    Args:
        authenticate: finds the principal of a request; called again now and then while a feed is open.
    """

    def __init__(self, feed: DecisionFeed, hub: Hub, authenticate: Authenticate) -> None:
        self._feed = feed
        self._hub = hub
        self._authenticate = authenticate

    async def queues(self, _call: Call) -> Response:
        found = [(name, await self._feed.newest(name, limit=1)) for name in await self._feed.queues()]
        return json_response(
            ScaledQueues(
                queues=tuple(ScaledQueue(queue=name, latest=latest[0]) for name, latest in found if latest)
            )
        )

    async def decisions(self, call: Call) -> Response:
        query = call.query(ListDecisions)
        return json_response(
            DecisionList(decisions=tuple(await self._feed.newest(query.queue, limit=query.limit)))
        )

    async def follow(self, call: Call) -> Response:
        query = call.query(FollowDecisions)
        after = call.request.headers.get("last-event-id") or query.after
        if after and not _ENTRY_ID.fullmatch(after):
            raise InvalidInput("send the id of a decision, like 1767225600000-0", field="after")
        holder = Holder(call.principal.key_id, call.request.client.host if call.request.client else "")
        if self._hub.lacks_room(holder):
            return come_back_response()
        events = self._events(call, query.queue, after, holder)
        heartbeat = lambda: ServerSentEvent(comment="")  # noqa: E731
        return EventSourceResponse(events, ping=_HEARTBEAT_S, ping_message_factory=heartbeat, send_timeout=30)

    async def _events(
        self, call: Call, queue: str, after: str, holder: Holder
    ) -> AsyncIterator[ServerSentEvent]:
        # A listener of nothing: the hub counts it, ends it with its session and when the process drains.
        listener = self._hub.join([], call.principal.expires_at, holder=holder)
        try:
            yield ServerSentEvent(retry=first_retry_ms())
            while not listener.is_closed:
                for decision in await self._news(queue, after):
                    after = decision.id
                    yield ServerSentEvent(msgspec.json.encode(decision).decode(), id=decision.id)
                await _pause(listener)
                await self._check(call.request, listener)
        finally:
            self._hub.leave(listener)

    async def _news(self, queue: str, after: str) -> list[DecisionView]:
        try:
            return await self._feed.after(queue, after)
        except Unavailable as error:
            log.warning("decisions not read", extra={"detail": error.detail})
            return []

    async def _check(self, request: HTTPConnection, listener: Listener) -> None:
        listener.wants_heartbeat = False  # the library sends its own
        if not listener.wants_check:
            return
        listener.wants_check = False
        try:
            (await self._authenticate(request)).require(Role.DEPLOYMENT_OPERATOR)
        except Rejected:
            listener.close()
        except Unavailable:
            return


async def _pause(listener: Listener) -> None:
    try:
        async with asyncio.timeout(_LOOK_EVERY_S):
            await listener.woken()
    except TimeoutError:
        return
