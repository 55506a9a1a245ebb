"""`GET /v1/approvals/stream`: sends the first page of the inbox whenever it changes.

Listeners are few and changes rare, so sse-starlette is fast enough; run streams have their own transport.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from sse_starlette import ServerSentEvent
from starlette.requests import HTTPConnection
from starlette.responses import Response

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import Rejected, Unavailable
from signalbox_core.streams import INBOX_CHANGED, tenant_channel
from signalbox_gateway.api.endpoint import ApiCall
from signalbox_gateway.auth.principal import Authenticate, Principal
from signalbox_gateway.runs.inbox import InboxReader, SharedPage
from signalbox_gateway.streaming.event_stream import event_stream_response
from signalbox_gateway.streaming.hub import Hub
from signalbox_gateway.streaming.limits import ConnectionOwner, owner_of
from signalbox_gateway.streaming.listener import Listener
from signalbox_gateway.streaming.transport import reconnect_delay_ms

_RETRY_AFTER_S: Final = 0.5


class ApprovalStream:
    """The handler of GET /v1/approvals/stream.

    Args:
        authenticate: finds the principal of a request; called again now and then while a stream is open.
    """

    def __init__(self, hub: Hub, inbox: InboxReader, authenticate: Authenticate) -> None:
        self._hub = hub
        self._inbox = inbox
        self._authenticate = authenticate

    async def open(self, call: ApiCall) -> Response:
        owner = owner_of(call.request, call.principal)
        self._hub.check_admission(owner)
        return event_stream_response(self._events(call.request, call.principal, owner))

    async def _events(
        self, request: HTTPConnection, principal: Principal, owner: ConnectionOwner
    ) -> AsyncIterator[ServerSentEvent | bytes]:
        listener = self._hub.join([tenant_channel(principal.tenant)], principal.expires_at, owner=owner)
        page = self._inbox.shared_page(principal.tenant)
        try:
            yield ServerSentEvent(retry=reconnect_delay_ms())
            sent: bytes | None = None
            while not listener.is_closed:
                await listener.wait()
                await self._reauthorize(request, listener)
                listener.heartbeat_due = False  # sse-starlette sends its own
                if not _has_changed(listener):
                    continue
                inbox = await self._read(page, principal.tenant, listener)
                if inbox is not None and inbox != sent:
                    sent = inbox
                    yield b"event: inbox\r\ndata: " + inbox + b"\r\n\r\n"
            if listener.reconnect_ms is not None:
                yield ServerSentEvent(retry=listener.reconnect_ms)
        finally:
            self._hub.leave(listener)

    async def _read(self, page: SharedPage, tenant: str, listener: Listener) -> bytes | None:
        try:
            return await page.get(paced=True)
        except Unavailable:
            asyncio.get_running_loop().call_later(
                _RETRY_AFTER_S, listener.fall_behind, tenant_channel(tenant)
            )
            return None

    async def _reauthorize(self, request: HTTPConnection, listener: Listener) -> None:
        if not listener.check_due:
            return
        listener.check_due = False
        try:
            (await self._authenticate(request)).require(Role.VIEWER)
        except Rejected:
            listener.close()
        except Unavailable:
            return


def _has_changed(listener: Listener) -> bool:
    """Whether the inbox has changed, or the listener may have missed a change."""
    behind, listener.behind = listener.behind, set()
    return bool(behind) or any(packet.frame.name == INBOX_CHANGED for packet in listener.take_buffered())
