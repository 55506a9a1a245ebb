"""Serving: uvicorn with what it lacks against slow and odd clients, and with a drain that tells senders to go elsewhere."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from signalbox_core.errors import Rejected
from signalbox_core.signatures.profile import MAX_HEADER_BYTES
from signalbox_webhook_receiver.deliveries import Draining
from signalbox_webhook_receiver.problems import problem_response
from signalbox_webhook_receiver.settings import Settings

_VERSIONS: Final = frozenset({"1.0", "1.1"})
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
# Longer than senders keep an idle connection, so that it is they who close it and no request meets a closing one.
_KEEP_ALIVE_S: Final = 75


class Protocol(HttpToolsProtocol):
    """One connection. Headers must come in time and within a bound; a target is a path; a refusal is a problem."""

    def __init__(self, *arguments: Any, header_timeout_s: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._header_timeout_s = header_timeout_s
        self._header_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._is_over = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        super().data_received(data)
        if self._deadline is not None and not self._is_over:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(
                    Rejected(
                        "the request has more than 32 KiB or 100 lines of headers", code="headers_too_large"
                    )
                )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_headers()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        if not self.url.startswith(b"/") or self.parser.get_http_version() not in _VERSIONS:
            # uvicorn would cut an absolute target down to its path, which is not what was sent and signed.
            raise ValueError("the target is not a path, or the version is none of ours")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's words are not for senders
        """What uvicorn calls when the parser, or one of the callbacks above, gives up."""
        if not self._is_over:
            self._refuse(
                Rejected(
                    "the request is not HTTP/1.1 as RFC 9112 says, or its target is no path",
                    code="malformed_request",
                )
            )

    def _await_headers(self) -> None:
        self._stop_waiting()
        self._header_bytes = 0
        self._deadline = self.loop.call_later(self._header_timeout_s, self._headers_late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _headers_late(self) -> None:
        self._refuse(
            Rejected(
                f"the headers did not arrive within {self._header_timeout_s:g} s; send it again",
                code="request_timeout",
            )
        )

    def _refuse(self, error: Rejected) -> None:
        self._stop_waiting()
        self._is_over = True
        if self.transport.is_closing():
            return
        response = problem_response(error)
        lines = [b"HTTP/1.1 %d Refused" % response.status_code, b"connection: close"]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn that turns new deliveries away for a moment before it stops listening."""

    def __init__(self, config: uvicorn.Config, draining: Draining, *, notice_s: float) -> None:
        super().__init__(config)
        self._draining = draining
        self._notice_s = notice_s

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would raise the signal again at the end and so skip the closing of our clients."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.drain)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def drain(self) -> None:
        """Begin to end: 503 for what is new, and after the notice finish what is in flight."""
        if self._draining.has_begun:
            return
        self._draining.has_begun = True
        asyncio.get_running_loop().call_later(self._notice_s, self._stop)

    def _stop(self) -> None:
        self.should_exit = True


def server_of(app: ASGIApp, settings: Settings, draining: Draining) -> Server:
    """A server for the app, not yet serving."""
    config = uvicorn.Config(
        app,
        http=partial(Protocol, header_timeout_s=settings.header_timeout_s),  # type: ignore[arg-type]  # called, never subclassed
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.drain_timeout_s),
    )
    return Server(config, draining, notice_s=settings.drain_notice_s)
