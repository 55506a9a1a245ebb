"""One HTTP connection with bounds on what a client may send and how slowly; uvicorn alone has none of them.

The bounds hold before any application code runs, so also for callers that never authenticate.
"""

import asyncio
from enum import Enum, auto
from typing import Any, Final

from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from signalbox_core.errors import Rejected
from signalbox_core.http.problems import MEDIA_TYPE, encode_problem, problem_of

_VERSIONS: Final = frozenset({"1.0", "1.1"})
# More digits than any size that a server takes; `int` of a longer text could be slow or raise.
_MAX_LENGTH_DIGITS: Final = 15


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """What one request may cost.

    Attributes:
        max_header_bytes: of the request line and all headers, and of trailers; more is 431.
        max_body_bytes: of any body; more is 413. Endpoints have lower limits of their own.
        header_timeout_s: from the opening of the connection (later: from the first byte of a request) to the
            end of the headers; then 408.
        body_window_s: a body must bring `min_body_bytes` in every window of this length, else 408. The total
            time is unlimited, so a slow but steady upload succeeds. Windows in which the server does not read
            are exempt.
    """

    max_header_bytes: int = 32 * 1024
    max_body_bytes: int = 64 * 1024 * 1024
    header_timeout_s: float = 10.0
    body_window_s: float = 20.0
    min_body_bytes: int = 2 * 1024


class _Phase(Enum):
    IDLE = auto()
    HEADERS = auto()
    BODY = auto()


class GuardedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with `ConnectionLimits`; a violation gets a problem and closes the connection."""

    def __init__(self, *arguments: Any, limits: ConnectionLimits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._phase = _Phase.IDLE
        self._timer: asyncio.TimerHandle | None = None
        self._refusal: Rejected | None = None
        self._is_refused = False
        self._header_bytes = 0
        self._unparsed_bytes = 0
        self._made_progress = False
        self._body_bytes = 0
        self._window_bytes = 0
        self._was_paused = False

    def connection_made(  # type: ignore[override]  # as in the base class
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self._phase is _Phase.IDLE:
            self._await_headers()
        self._made_progress = False
        super().data_received(data)
        # A header or trailer that has not ended is buffered by the parser and counted nowhere else.
        self._unparsed_bytes = 0 if self._made_progress else self._unparsed_bytes + len(data)
        if self._unparsed_bytes > self._limits.max_header_bytes and not self._is_refused:
            self._refuse(self._headers_too_large())

    def on_message_begin(self) -> None:
        self._made_progress = True
        super().on_message_begin()
        self._await_headers()

    def on_url(self, url: bytes) -> None:
        self._count_header_bytes(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_header_bytes(len(name) + len(value))
        super().on_header(name, value)
        if name.lower() == b"content-length" and self._is_too_long(value):
            self._refusal = self._body_too_large()

    def on_headers_complete(self) -> None:
        self._made_progress = True
        self._stop_timer()
        if self._refusal is not None:
            raise ValueError("a limit was exceeded")
        if not self.url.startswith(b"/") or self.parser.get_http_version() not in _VERSIONS:
            # uvicorn would cut an absolute target down to its path, which is not what the sender signed.
            raise ValueError("the target is not a path, or the HTTP version is not 1.0 or 1.1")
        super().on_headers_complete()
        self._phase = _Phase.BODY
        self._body_bytes = 0
        self._start_window()

    def on_chunk_header(self) -> None:
        self._made_progress = True

    def on_body(self, body: bytes) -> None:
        self._made_progress = True
        self._window_bytes += len(body)
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.max_body_bytes:
            self._refusal = self._body_too_large()
            raise ValueError("a limit was exceeded")
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._made_progress = True
        self._stop_timer()
        self._phase = _Phase.IDLE
        super().on_message_complete()
        if self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # The response came before the whole body: the body's bytes have cancelled the keep-alive timer.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's sentence is not for callers
        """What uvicorn calls when the parser, or one of the callbacks above, raises."""
        if not self._is_refused:
            self._refuse(self._refusal or _malformed())

    def _await_headers(self) -> None:
        self._phase = _Phase.HEADERS
        self._header_bytes = 0
        self._start_timer(self._limits.header_timeout_s, self._on_headers_late)

    def _on_headers_late(self) -> None:
        if self._has_open_response():
            # A stream may run while its client begins a next request; it is not cut off for that.
            self._start_timer(self._limits.header_timeout_s, self._on_headers_late)
            return
        self._refuse(_late(f"the headers did not arrive within {self._limits.header_timeout_s:g} s"))

    def _start_window(self) -> None:
        self._window_bytes = 0
        self._was_paused = self._is_waiting_for_server()
        self._start_timer(self._limits.body_window_s, self._on_window_end)

    def _on_window_end(self) -> None:
        is_exempt = self._was_paused or self._is_waiting_for_server()
        if not is_exempt and self._window_bytes < self._limits.min_body_bytes:
            limits = self._limits
            self._refuse(
                _late(f"fewer than {limits.min_body_bytes} body bytes arrived in {limits.body_window_s:g} s")
            )
            return
        self._start_window()

    def _is_waiting_for_server(self) -> bool:
        """Whether the server does not read, or has not responded to `Expect: 100-continue`."""
        return self.flow.read_paused or self.cycle.waiting_for_100_continue

    def _has_open_response(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _start_timer(self, seconds: float, call: Any) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, call)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _count_header_bytes(self, count: int) -> None:
        self._header_bytes += count
        if self._header_bytes > self._limits.max_header_bytes:
            self._refusal = self._headers_too_large()
            raise ValueError("a limit was exceeded")

    def _is_too_long(self, content_length: bytes) -> bool:
        digits = content_length.strip().lstrip(b"0")
        return digits.isdigit() and (
            len(digits) > _MAX_LENGTH_DIGITS or int(digits) > self._limits.max_body_bytes
        )

    def _headers_too_large(self) -> Rejected:
        return Rejected(
            f"the request has more than {self._limits.max_header_bytes // 1024} KiB of headers; send fewer",
            code="headers_too_large",
        )

    def _body_too_large(self) -> Rejected:
        return Rejected(
            f"the body has more than {self._limits.max_body_bytes} bytes; send less", code="payload_too_large"
        )

    def _refuse(self, error: Rejected) -> None:
        self._stop_timer()
        self._is_refused = True
        if self.transport.is_closing():
            return
        if self._can_answer():
            if self._has_open_response():
                # The application must not write a second response, and must stop waiting for the body.
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            self.transport.write(_raw_response(error))
        self.transport.close()

    def _can_answer(self) -> bool:
        """Whether the client would take what is written now as the response of the request at fault."""
        if self._phase is _Phase.BODY:
            return not self.pipeline and not self.cycle.response_started
        return not self._has_open_response()


def _late(what: str) -> Rejected:
    return Rejected(f"{what}; send the request again", code="request_timeout")


def _malformed() -> Rejected:
    return Rejected(
        "the request is not HTTP/1.1 (RFC 9112), or its target is not a path", code="malformed_request"
    )


def _raw_response(error: Rejected) -> bytes:
    problem = problem_of(error)
    body = encode_problem(problem)
    lines = (
        f"HTTP/1.1 {problem.status} {problem.title}",
        f"content-type: {MEDIA_TYPE}",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "connection: close",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body
