"""The worker's HTTP client against servers that behave and misbehave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from signalbox_worker.post_client import PostClient, PostFailed, open_post_client
from support.assertions.eventually import eventually

OK = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nRetry-After: 3\r\n\r\nok"


class ScriptedServer:
    """Answers each request with the next of `answers`, and closes the connection after an empty one."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections: list[asyncio.StreamWriter] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0)
                writer.write(answer)
                if not answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(*answers: bytes) -> AsyncIterator[tuple[ScriptedServer, PostClient]]:
    script = ScriptedServer(list(answers))
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    async with server, open_post_client(f"http://127.0.0.1:{script.port}/v1/events?a=%2F") as client:
        yield script, client
        for writer in script.connections:
            writer.close()


async def test_requests_share_a_connection_and_are_sent_as_given() -> None:
    async with scripted(OK, OK) as (server, client):
        responses = [await client.post(b"{}", {"Content-Type": "a/b", "Signature": "x"}) for _ in range(2)]
        assert [(one.status_code, one.content, one.headers["retry-after"]) for one in responses] == [
            (202, b"ok", "3")
        ] * 2
        assert len(server.connections) == 1
        assert server.requests[0] == (
            b"POST /v1/events?a=%2F HTTP/1.1\r\n"
            + f"Host: 127.0.0.1:{server.port}\r\n".encode()
            + b"Content-Type: a/b\r\nSignature: x\r\nContent-Length: 2\r\n\r\n{}"
        )


async def test_concurrent_requests_use_connections_of_their_own() -> None:
    async with scripted(OK, OK, OK) as (server, client):
        await asyncio.gather(*(client.post(b"", {}) for _ in range(3)))
        assert len(server.connections) == 3


async def test_a_chunked_response_after_an_informational_one_is_read_whole() -> None:
    chunked = (
        b"HTTP/1.1 103 Early Hints\r\n\r\n"
        b"HTTP/1.1 422 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    async with scripted(chunked, OK) as (_, client):
        response = await client.post(b"", {})
        assert (response.status_code, response.content) == (422, b"abcde")
        assert (await client.post(b"", {})).status_code == 202


async def test_a_connection_that_the_server_closes_after_its_response_is_not_used_again() -> None:
    closing = OK.replace(b"Retry-After: 3", b"Connection: close")
    async with scripted(closing, OK) as (server, client):
        assert [(await client.post(b"", {})).status_code for _ in range(2)] == [202, 202]
        assert len(server.connections) == 2


async def test_a_kept_connection_that_was_closed_meanwhile_costs_no_failure() -> None:
    async with scripted(OK, b"", OK) as (server, client):
        await client.post(b"", {})
        assert (await client.post(b"", {})).status_code == 202
        assert len(server.connections) == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 202 Accepted\r\nContent-Le", id="cut-off"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="not-http"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 1_100_000, id="too-large"
        ),
    ],
)
async def test_no_complete_response_is_a_failure(answer: bytes) -> None:
    async with scripted(answer) as (server, client):
        request = asyncio.create_task(client.post(b"", {}))
        await eventually(lambda: len(server.requests) == 1)
        if answer.endswith(b"Content-Le"):
            server.connections[0].close()
        with pytest.raises(PostFailed):
            await request


async def test_nobody_at_the_address_is_a_failure() -> None:
    async with scripted() as (server, client):
        port = server.port
    async with open_post_client(f"http://127.0.0.1:{port}/") as client:
        with pytest.raises(PostFailed, match="ConnectionRefusedError"):
            await client.post(b"", {})


async def test_a_request_that_was_given_up_leaves_no_response_to_the_next_one() -> None:
    async with scripted(b"HTTP/1.1 500 X\r\n", OK) as (server, client):
        given_up = asyncio.create_task(client.post(b"", {}))
        await eventually(lambda: len(server.requests) == 1)
        given_up.cancel()
        assert (await client.post(b"", {})).status_code == 202
        assert len(server.connections) == 2
