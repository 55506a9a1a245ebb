"""The response of streams with few listeners and rare events, sent by sse-starlette.

Run streams have their own, faster transport (`streaming/transport.py`).
"""

from collections.abc import AsyncIterator
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.refusals import STREAM_HEADERS

_HEARTBEAT_S: Final = 12
_SEND_TIMEOUT_S: Final = 30


def event_stream_response(events: AsyncIterator[ServerSentEvent | bytes]) -> Response:
    """A stream of `events` (bytes are encoded already), with every stream's headers and heartbeat."""
    return EventSourceResponse(
        events,
        headers=dict(STREAM_HEADERS),
        ping=_HEARTBEAT_S,
        ping_message_factory=frames.ping_event,
        send_timeout=_SEND_TIMEOUT_S,
    )
