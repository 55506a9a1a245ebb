"""A kept-alive HTTP connection that costs little CPU; a general client costs more than the gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class RawConnection:
    """One connection, for requests one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, api_key: str) -> None:
        self._reader, self._writer = reader, writer
        self._headers = f"host: x\r\nauthorization: Bearer {api_key}\r\ncontent-type: application/json\r\n"

    async def post(self, path: str, body: bytes, *, expected: int, idempotency_key: str = "") -> bytes:
        """Send a request and return the body of its response, which has the expected status."""
        key = f"idempotency-key: {idempotency_key}\r\n" if idempotency_key else ""
        head = f"POST {path} HTTP/1.1\r\n{self._headers}{key}content-length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        reply = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(reply.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = await self._reader.readexactly(length)
        assert reply.startswith(f"http/1.1 {expected} ".encode()), answer
        return answer

    async def open_stream(self, path: str) -> None:
        """Begin a stream of server-sent events."""
        self._writer.write(f"GET {path} HTTP/1.1\r\n{self._headers}\r\n".encode())

    async def read_until(self, text: bytes) -> None:
        """Read the stream until it contains a text."""
        await self._reader.readuntil(text)


@asynccontextmanager
async def raw_connection(port: int, api_key: str) -> AsyncIterator[RawConnection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024 * 1024)
    try:
        yield RawConnection(reader, writer, api_key)
    finally:
        writer.close()
        await writer.wait_closed()
