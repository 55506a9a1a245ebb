"""Both clients with more streams open than an HTTP client has connections by default, on real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, aclosing, closing

import pytest

from signalbox_client import AsyncSignalbox, Signalbox
from support.fakes.stream_frames import snapshot_frame
from support.servers.misbehaving_proxy import json_response

COUNT = 120
DEADLINE_S = 60.0
STREAM_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Keep a stream open after its snapshot until the client closes it; every other request lists no runs."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            if "/stream " not in head:
                writer.write(json_response(200, {"runs": []}))
                return
            writer.write((STREAM_HEAD + snapshot_frame()).encode())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has closed the connection
    finally:
        writer.close()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


async def test_streams_leave_connections_for_requests(url: str) -> None:
    async with asyncio.timeout(DEADLINE_S), AsyncSignalbox(url, "k") as client, AsyncExitStack() as opened:
        for number in range(COUNT):
            updates = await opened.enter_async_context(aclosing(client.watch(f"r{number}")))
            assert (await anext(updates)).snapshot.status == "running"
        assert not (await client.runs()).runs


async def test_streams_of_the_blocking_client_leave_connections_for_requests(url: str) -> None:
    def follow() -> bool:
        with Signalbox(url, "k") as client, ExitStack() as opened:
            for number in range(COUNT):
                updates = opened.enter_context(closing(client.watch(f"r{number}")))
                assert next(updates).snapshot.status == "running"
            return not client.runs().runs

    async with asyncio.timeout(DEADLINE_S):
        assert await asyncio.to_thread(follow)
