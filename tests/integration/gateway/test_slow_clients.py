"""Oversized and dripped requests are refused before authentication; slow but steady uploads succeed."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from signalbox_core.http.connection import ConnectionLimits
from signalbox_gateway.app import Gateway, Parts
from support.drivers.raw_http import code_of, status_of
from support.servers.gateway import secret_of
from support.servers.streams import http_server

LIMITS = ConnectionLimits(max_body_bytes=100_000, header_timeout_s=0.5, body_window_s=1.5, min_body_bytes=100)
HEAD = b"POST /v1/objects HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n" % secret_of("admin").encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
async def address(parts: Parts) -> AsyncIterator[tuple[str, int]]:
    gateway = Gateway(parts)
    async with http_server(gateway.app(), gateway.drain, limits=LIMITS) as (_, origin):
        host, _, port = origin.removeprefix("http://").partition(":")
        yield host, int(port)


async def exchange(address: tuple[str, int], *parts: bytes, pause_s: float = 0) -> bytes:
    """Send the parts with pauses between them; return everything that comes until the server closes."""
    reader, writer = await asyncio.open_connection(*address)
    answer = asyncio.create_task(reader.read())
    try:
        for part in parts:
            writer.write(part)
            await asyncio.wait([answer], timeout=pause_s)
            if answer.done():
                break
        return await asyncio.wait_for(answer, 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def chunks_of(body: bytes, size: int) -> list[bytes]:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return [b"%x\r\n%s\r\n" % (len(part), part) for part in parts] + [b"0\r\n\r\n"]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(
            b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 600_000, id="unfinished header"
        ),
        pytest.param(b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", id="long path"),
        pytest.param(
            b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X-Short: a\r\n" * 10_000 + b"\r\n", id="many headers"
        ),
    ],
)
async def test_headers_over_the_limit_are_431(address: tuple[str, int], head: bytes) -> None:
    answer = await exchange(address, head)

    # The server closes while unread data may be in flight, and the answer can be lost with the connection.
    assert status_of(answer) in (431, 0)
    if answer:
        assert code_of(answer) == "headers_too_large"


async def test_an_endless_trailer_is_cut_off(address: tuple[str, int]) -> None:
    body = chunks_of(b"%PDF-1.7\n" + b"x" * 2_000, 500)[:-1]
    trailer = [b"0\r\nX-Trailer: ", *[b"a" * 10_000] * 20]

    answer = await exchange(address, CHUNKED, *body, *trailer)

    assert status_of(answer) in (431, 0)


@pytest.mark.parametrize(
    "dripped",
    [
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: " + b"a" * 100, id="headers"),
        pytest.param(b"\r\n" * 100, id="empty lines"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_headers_that_drip_are_408_at_the_deadline(address: tuple[str, int], dripped: bytes) -> None:
    answer = await exchange(address, *[bytes([byte]) for byte in dripped], pause_s=0.1)

    assert (status_of(answer), code_of(answer)) == (408, "request_timeout")


async def test_headers_that_drip_after_a_first_request_are_cut_off(address: tuple[str, int]) -> None:
    first = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"

    answer = await exchange(address, first, *[b"G"] + [b"\r\n"] * 50, pause_s=0.1)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 4" in answer


async def test_a_body_that_drips_is_408(address: tuple[str, int]) -> None:
    body = [b"Content-Length: 1000\r\n\r\n", *[b"x"] * 100]

    answer = await exchange(address, HEAD, *body, pause_s=0.1)

    assert (status_of(answer), code_of(answer)) == (408, "request_timeout")


async def test_a_body_that_drips_after_its_refusal_is_cut_off(address: tuple[str, int]) -> None:
    head = b"POST /v1/runs HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"

    answer = await exchange(address, head, *[b"x"] * 100, pause_s=0.1)

    assert (status_of(answer), code_of(answer)) == (401, "unauthenticated")


async def test_a_slow_but_steady_upload_succeeds(address: tuple[str, int]) -> None:
    body = b"%PDF-1.7\n" + b"x" * 2_000
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    # It takes several times as long as one window, at more than the least rate.
    answer = await exchange(address, head, *chunks_of(body, 100), pause_s=0.2)

    assert status_of(answer) == 201, answer
    assert hashlib.sha256(body).hexdigest().encode() in answer


@pytest.mark.parametrize("declared", [b"100001", b"999999999999999999"])
async def test_a_declared_body_over_the_servers_limit_is_413(
    address: tuple[str, int], declared: bytes
) -> None:
    answer = await exchange(address, HEAD, b"Content-Length: ", declared, b"\r\n\r\n")

    assert (status_of(answer), code_of(answer)) == (413, "payload_too_large")


async def test_a_chunked_body_over_the_servers_limit_is_cut_off(address: tuple[str, int]) -> None:
    answer = await exchange(
        address, CHUNKED, *chunks_of(b"%PDF-1.7\n" + b"x" * 200_000, 10_000), pause_s=0.01
    )

    assert status_of(answer) in (413, 0)
