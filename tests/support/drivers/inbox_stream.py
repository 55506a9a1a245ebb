"""The stream of the approval inbox on a connection that costs little, for tests that open hundreds."""

import asyncio

from msgspec import Struct

from support.servers.gateway import secret_of

_DEFERRED = b": process"
"""The comment in a stream that is not opened, because the process has its maximum."""


class OpenStream(Struct, frozen=True):
    """One stream: what it received first, and its connection."""

    first: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def is_deferred(self) -> bool:
        return _DEFERRED in self.first


async def open_inbox_stream(port: int, *, within_s: float = 60) -> OpenStream:
    """Open a stream with the admin's key, and read until it shows the inbox or is deferred."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"host: x\r\nauthorization: Bearer {secret_of('admin')}\r\n\r\n"
    writer.write(f"GET /v1/approvals/stream HTTP/1.1\r\n{head}".encode())
    first = b""
    async with asyncio.timeout(within_s):
        while _DEFERRED not in first and b"event: inbox" not in first:
            received = await reader.read(4_096)
            assert received, f"the connection was closed after {first!r}"
            first += received
    return OpenStream(first, reader, writer)
