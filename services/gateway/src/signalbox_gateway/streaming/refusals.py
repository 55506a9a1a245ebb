"""Responses to streams that are not opened, the same for every stream path.

`EventSource` reconnects after a complete 200 and gives up at any other status. What may succeed later is
therefore a stream that only sets `retry:` and ends; what would fail again is a problem with its 4xx.
"""

import logging
import random
from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from signalbox_core.errors import SignalboxError, Unavailable
from signalbox_gateway.auth.rate_limits import TooManyFailures
from signalbox_gateway.http.error_codes import problem_response
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.limits import StreamLimitReached

log = logging.getLogger(__name__)
STREAM_HEADERS: Final = (
    ("content-type", "text/event-stream; charset=utf-8"),
    # A proxy that compresses would hold frames back until its buffer is full (RFC 9111 §5.2.2.6).
    ("cache-control", "no-store, no-transform"),
    ("x-accel-buffering", "no"),
)
_LATER_MS: Final = (5_000, 15_000)


def reconnect_later_ms() -> int:
    """A long delay, with jitter: listeners that are sent away together must not return together."""
    return random.randint(*_LATER_MS)


def stream_headers_response(body: bytes = b"") -> Response:
    """A stream that consists of `body`; without one the response to HEAD."""
    response = Response(body, headers=dict(STREAM_HEADERS))
    if not body:
        del response.headers["content-length"]
    return response


class StreamRefusals:
    """Turns errors into responses to streams.

    Args:
        on_deferred: called with the reason of each stream that is to be opened again later.
    """

    def __init__(self, on_deferred: Callable[[str], None] = lambda _reason: None) -> None:
        self._on_deferred = on_deferred

    def respond(self, error: SignalboxError) -> Response:
        """A stream with only `retry:` and the reason as a comment, or a problem if a retry would fail too."""
        # Guessed credentials must see a 429, which also stops an EventSource.
        if not isinstance(error, Unavailable) or isinstance(error, TooManyFailures):
            headers = {"allow": "GET, HEAD"} if error.stable_code == "method_not_allowed" else None
            return problem_response(error, headers)
        reason = str(error.reason) if isinstance(error, StreamLimitReached) else error.stable_code
        self._on_deferred(reason)
        log.warning("stream deferred", extra={"reason": reason, "detail": error.detail})
        return stream_headers_response(frames.retry(reconnect_later_ms()) + frames.comment(reason))
