"""The configurations of docs/reverse-proxy.md, with real nginx and HAProxy in front of a gateway."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from msgspec.structs import replace

from signalbox_gateway.app import Gateway, Parts
from support.assertions.eventually import eventually
from support.fakes.events import story
from support.servers.gateway import secret_of
from support.servers.proxies import PREFIX, PROXIES, proxy
from support.servers.streams import http_server

MILESTONES = [event for event in story() if event.sequence is not None]
STREAMS = {"/v1/runs/run-1/stream": "snapshot", "/v1/approvals/stream": "inbox"}
KEY = {"authorization": f"Bearer {secret_of('admin')}"}
# Far below the interval of pings, which would push along what a proxy has buffered.
WITHIN_S = 10.0


@dataclass
class Proxied:
    origin: str
    parts: Parts


@pytest.fixture(params=PROXIES)
async def proxied(request: pytest.FixtureRequest, parts: Parts, tmp_path: Path) -> AsyncIterator[Proxied]:
    await parts.redis.flushdb()
    settled = dataclasses.replace(parts, settings=replace(parts.settings, drain_s=0.3))
    gateway = Gateway(settled)
    async with http_server(gateway.app(), gateway.drain) as (_, upstream):
        with proxy(request.param, upstream, tmp_path) as origin:
            async with caller_of(origin) as caller:
                await eventually(lambda: _is_ready(caller))
            yield Proxied(origin, settled)


async def _is_ready(caller: httpx2.AsyncClient) -> bool:
    return (await caller.get("/readyz")).status_code == 200


def caller_of(origin: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=origin, headers=KEY, verify=False, trust_env=False, timeout=60)


class Curl:
    """A stream as curl receives it: curl speaks HTTP/2 and decompresses."""

    def __init__(self) -> None:
        self.text = ""
        self.is_over = False

    async def until(self, text: str) -> float:
        """Wait for a text; returns the seconds that it took."""
        began = time.perf_counter()
        await eventually(lambda: text in self.text or self.is_over)
        assert text in self.text, self.text
        return time.perf_counter() - began


@asynccontextmanager
async def curl(url: str, version: str) -> AsyncIterator[Curl]:
    arguments = ("-sNik", version, "--compressed", "-H", f"Authorization: {KEY['authorization']}", url)
    child = await asyncio.create_subprocess_exec(
        "curl", *arguments, stdout=asyncio.subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}
    )
    output, seen = child.stdout, Curl()
    assert output is not None

    async def read() -> None:
        while chunk := await output.read(65_536):
            seen.text += chunk.decode()
        seen.is_over = True

    reader = asyncio.create_task(read())
    try:
        yield seen
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        await reader


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("prefix", ["", PREFIX])
async def test_each_event_of_a_stream_passes_at_once(proxied: Proxied, version: str, prefix: str) -> None:
    await proxied.parts.streams.append(MILESTONES[0])
    async with curl(f"{proxied.origin}{prefix}/v1/runs/run-1/stream", version) as stream:
        waited = [await stream.until("event: snapshot")]
        for event in MILESTONES[1:4]:
            await proxied.parts.streams.append(event)
            waited.append(await stream.until(f'"id":"{event.id}"'))
    async with curl(f"{proxied.origin}{prefix}/v1/approvals/stream", version) as inbox:
        waited.append(await inbox.until("event: inbox"))

    assert max(waited) < WITHIN_S, waited
    assert stream.text.startswith("HTTP/2 200" if version == "--http2" else "HTTP/1.1 200")
    assert "cache-control: no-store, no-transform" in stream.text.lower()
    assert "content-encoding" not in stream.text.lower()


@pytest.mark.parametrize("prefix", ["", PREFIX])
async def test_pages_are_compressed_and_uploads_and_redirects_pass(proxied: Proxied, prefix: str) -> None:
    async with caller_of(proxied.origin) as caller:
        page = await caller.get(f"{prefix}/")
        module = await caller.get(f"{prefix}/console/js/main.js", headers={"accept-encoding": "gzip"})
        upload = await caller.post(f"{prefix}/v1/objects", content=b"%PDF-1.7\n" + b"x" * 3_000_000)
        run = await caller.post(f"{prefix}/v1/runs", json={"pipeline": "echo", "input": {"text": "hi"}})

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert module.headers["content-encoding"] == "gzip"
    assert upload.status_code == 201
    assert httpx2.URL(run.headers["location"]).path == f"{prefix}/v1/runs/{run.json()['run_id']}"


async def test_the_prefix_without_its_slash_is_redirected(proxied: Proxied) -> None:
    async with caller_of(proxied.origin) as caller:
        answer = await caller.get(PREFIX)

    assert answer.status_code == 301
    assert httpx2.URL(answer.headers["location"]).path == f"{PREFIX}/"


async def test_a_client_cannot_choose_the_address_that_is_limited(proxied: Proxied) -> None:
    async with caller_of(proxied.origin) as caller:
        answers = await asyncio.gather(
            *(
                caller.get(
                    "/v1/runs",
                    headers={"authorization": "Bearer sbx_wrong", "x-forwarded-for": f"192.0.2.{number}"},
                )
                for number in range(20)
            )
        )
    counted = [key async for key in proxied.parts.redis.scan_iter("*failures*")]

    assert {answer.status_code for answer in answers} == {401}
    assert counted
    assert not [key for key in counted if b"192.0.2." in key]
