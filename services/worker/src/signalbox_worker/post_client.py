"""A minimal HTTP/1.1 client for POST requests to one address over kept-alive connections.

A general client costs about 0.4 ms of CPU a request, several times what signing and sending an event costs.
Redirects, proxies, cookies and compression are left out: the address is configured, and the receiver uses
none of them.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

import httptools
import httpx2
import msgspec

MAX_IDLE_CONNECTIONS: Final = 16
_MAX_RESPONSE_BYTES: Final = 1024 * 1024
_PORTS: Final = {"http": 80, "https": 443}


class PostFailed(Exception):
    """No complete response: the connection could not be made, broke, or had an invalid response."""


class _StaleConnection(PostFailed):
    """A kept-alive connection was closed before any byte of the response."""


class PostResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A response; the names of headers are in lower case."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class PostClient:
    """Posts to one URL; close it after use."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._head = _request_head(self._url)
        self._tls = httpx2.create_ssl_context(trust_env=False) if self._url.scheme == "https" else None
        self._idle: list[_Connection] = []
        self._is_closed = False

    async def post(self, body: bytes, headers: Mapping[str, str]) -> PostResponse:
        """Send one request; limit its time with `asyncio.timeout`.

        Raises:
            PostFailed: no complete response.
        """
        request = _request(self._head, headers, body)
        while (connection := self._take_idle()) is not None:
            try:
                return await self._exchange(connection, request)
            except _StaleConnection:
                continue
        return await self._exchange(await self._connect(), request)

    def close(self) -> None:
        self._is_closed = True
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _take_idle(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _exchange(self, connection: "_Connection", request: bytes) -> PostResponse:
        try:
            response = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if connection.is_open and not self._is_closed and len(self._idle) < MAX_IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()
        return response

    async def _connect(self) -> "_Connection":
        host, port = self._url.hostname or "", self._url.port or _PORTS[self._url.scheme]
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection, host, port, ssl=self._tls
            )
        except (OSError, ssl.SSLError) as error:
            raise PostFailed(type(error).__name__) from error
        return connection


@asynccontextmanager
async def open_post_client(url: str) -> AsyncIterator[PostClient]:
    """A client that is closed at the end of the block."""
    client = PostClient(url)
    try:
        yield client
    finally:
        client.close()


class _Connection(asyncio.Protocol):
    """One connection with at most one request in flight; the parser calls the methods `on_…`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._response: asyncio.Future[PostResponse] | None = None
        self._has_answered = False
        self._is_used = False
        self._reset()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes) -> PostResponse:
        assert self._transport is not None
        self._reset()
        self._response = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._response
        finally:
            self._response, self._is_used = None, True

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._has_answered = True
        if self._response is None:
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(PostFailed(f"invalid response: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        is_stale = self._is_used and not self._has_answered
        reason = type(exc).__name__ if exc else "the connection was closed"
        self._fail(_StaleConnection(reason) if is_stale else PostFailed(reason))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > _MAX_RESPONSE_BYTES:
            self._fail(PostFailed("the response is too large"))

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return
        response = PostResponse(status_code=status, headers=self._headers, content=bytes(self._body))
        if self._response is not None and not self._response.done():
            self._response.set_result(response)
        if not self._parser.should_keep_alive():
            self.close()

    def _reset(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._has_answered = False

    def _fail(self, error: PostFailed) -> None:
        if self._response is not None and not self._response.done():
            self._response.set_exception(error)
        self.close()


def _request_head(url: SplitResult) -> str:
    """Return request line and Host. The target is sent as it was signed."""
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    host = url.netloc.rpartition("@")[2]
    return f"POST {target} HTTP/1.1\r\nHost: {host}\r\n"


def _request(head: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{head}{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
