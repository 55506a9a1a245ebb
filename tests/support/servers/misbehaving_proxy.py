"""An HTTP server between a client and a gateway that does not exist; it plays scripted stream responses."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from msgspec import Struct

RESET: Final = b""
"""In the place of a response: the connection is reset (RST)."""
STARTED: Final = {"run_id": "r1", "pipeline": "ai_task", "status": "running"}


class StreamRequest(Struct, frozen=True):
    """A request for the stream: the loop's time of its arrival, and the cursor that it resumed from."""

    at: float
    last_event_id: str | None


class MisbehavingProxy:
    """Answers stream requests with `script`, one response each; the last one repeats.

    Every other request succeeds: a run starts as r1 and its result is `result`.
    """

    def __init__(self, script: Sequence[bytes], result: object = None) -> None:
        self._script = list(script)
        self._result = result
        self.url = ""
        self.stream_requests: list[StreamRequest] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            headers = _headers(head)
            await reader.readexactly(int(headers.get("content-length", "0")))
            response = self._response(head.split(" ", 2)[1], headers)
            if response == RESET:
                _reset(writer)
            else:
                writer.write(response)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed the connection
        finally:
            writer.close()

    def _response(self, path: str, headers: Mapping[str, str]) -> bytes:
        if path.endswith("/result"):
            return json_response(200, self._result)
        if not path.endswith("/stream"):
            return json_response(201, STARTED)
        at = asyncio.get_running_loop().time()
        self.stream_requests.append(StreamRequest(at, headers.get("last-event-id")))
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]


@asynccontextmanager
async def misbehaving_proxy(*script: bytes, result: object = None) -> AsyncIterator[MisbehavingProxy]:
    proxy = MisbehavingProxy(script, result)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await server.wait_closed()


def stream_response(*frames: str) -> bytes:
    """A stream that ends after these frames."""
    return _response(200, "text/event-stream", "".join(frames).encode())


def html_page(status: int, **headers: str) -> bytes:
    """A proxy's own error page."""
    return _response(status, "text/html", b"<html><h1>Not here</h1></html>", headers)


def problem_document(status: int, code: str, detail: str, **headers: str) -> bytes:
    """A refusal by the gateway."""
    body = {"title": "No", "status": status, "code": code, "detail": detail}
    return _response(status, "application/problem+json", msgspec.json.encode(body), headers)


def json_response(status: int, value: object) -> bytes:
    return _response(status, "application/json", msgspec.json.encode(value))


def _response(status: int, media_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """Header names are written with underscores: `retry_after`."""
    fields = {"content-type": media_type, "content-length": str(len(body)), "connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def _headers(head: str) -> Mapping[str, str]:
    pairs = (line.split(":", 1) for line in head.split("\r\n")[1:] if ":" in line)
    return {name.lower(): value.strip() for name, value in pairs}


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closing with a linger time of zero sends RST instead of FIN."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
