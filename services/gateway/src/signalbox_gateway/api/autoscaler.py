"""The autoscaler's scaling decisions, read from Redis: as JSON and as a stream.

All tenants share the workers, so the role `deployment_operator` is required.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from sse_starlette import ServerSentEvent
from starlette.requests import HTTPConnection
from starlette.responses import Response

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import InvalidInput, Rejected, Unavailable
from signalbox_core.scaling.decisions import ScalingDecisionStream, ScalingDecisionView
from signalbox_gateway.api.autoscaler_schemas import (
    DecisionList,
    FollowDecisions,
    ListDecisions,
    ScaledQueue,
    ScaledQueues,
)
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.auth.principal import Authenticate
from signalbox_gateway.streaming.event_stream import event_stream_response
from signalbox_gateway.streaming.hub import Hub
from signalbox_gateway.streaming.limits import ConnectionOwner, owner_of
from signalbox_gateway.streaming.listener import Listener
from signalbox_gateway.streaming.transport import reconnect_delay_ms

log = logging.getLogger(__name__)
# Decisions are seconds apart and listeners few: polling is cheaper than a Redis connection per listener.
_POLL_EVERY_S: Final = 1.0
_ENTRY_ID: Final = re.compile(r"[0-9]{1,16}-[0-9]{1,10}")


class AutoscalerHandlers:
    """The handlers of /v1/autoscaler.

    Args:
        authenticate: finds the principal of a request; called again now and then while a stream is open.
    """

    def __init__(self, feed: ScalingDecisionStream, hub: Hub, authenticate: Authenticate) -> None:
        self._feed = feed
        self._hub = hub
        self._authenticate = authenticate

    async def queues(self, _call: ApiCall) -> Response:
        found = [(name, await self._feed.newest(name, limit=1)) for name in await self._feed.queues()]
        return json_response(
            ScaledQueues(
                queues=tuple(ScaledQueue(queue=name, latest=latest[0]) for name, latest in found if latest)
            )
        )

    async def decisions(self, call: ApiCall) -> Response:
        query = call.query(ListDecisions)
        return json_response(
            DecisionList(decisions=tuple(await self._feed.newest(query.queue, limit=query.limit)))
        )

    async def stream(self, call: ApiCall) -> Response:
        query = call.query(FollowDecisions)
        after = call.request.headers.get("last-event-id") or query.after
        if after and not _ENTRY_ID.fullmatch(after):
            raise InvalidInput("must be the id of a decision, for example 1767225600000-0", field="after")
        owner = owner_of(call.request, call.principal)
        self._hub.check_admission(owner)
        return event_stream_response(self._events(call, query.queue, after, owner))

    async def _events(
        self, call: ApiCall, queue: str, after: str, owner: ConnectionOwner
    ) -> AsyncIterator[ServerSentEvent]:
        # A listener without channels: the hub counts it, and closes it at the end of its session or on drain.
        listener = self._hub.join([], call.principal.expires_at, owner=owner)
        try:
            yield ServerSentEvent(retry=reconnect_delay_ms())
            while not listener.is_closed:
                for decision in await self._read(queue, after):
                    after = decision.id
                    yield ServerSentEvent(msgspec.json.encode(decision).decode(), id=decision.id)
                await _wait_for_poll(listener)
                await self._reauthorize(call.request, listener)
            if listener.reconnect_ms is not None:
                yield ServerSentEvent(retry=listener.reconnect_ms)
        finally:
            self._hub.leave(listener)

    async def _read(self, queue: str, after: str) -> list[ScalingDecisionView]:
        try:
            return await self._feed.after(queue, after)
        except Unavailable as error:
            log.warning("scaling decisions not read", extra={"detail": error.detail})
            return []

    async def _reauthorize(self, request: HTTPConnection, listener: Listener) -> None:
        listener.heartbeat_due = False  # sse-starlette sends its own
        if not listener.check_due:
            return
        listener.check_due = False
        try:
            (await self._authenticate(request)).require(Role.DEPLOYMENT_OPERATOR)
        except Rejected:
            listener.close()
        except Unavailable:
            return


async def _wait_for_poll(listener: Listener) -> None:
    try:
        async with asyncio.timeout(_POLL_EVERY_S):
            await listener.wait()
    except TimeoutError:
        return
