"""The gateway as a process: `python -m signalbox_gateway` on a port."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from temporalio.client import Client

from signalbox_core.topology import provision_pubsub
from support.process_memory import resident_bytes
from support.servers import backends
from support.servers.gateway import caller_of, environment, gateway_process

PROJECT = "signalbox-test"


@pytest.fixture
def port() -> int:
    return backends.free_port()


@pytest.fixture
async def variables(
    tmp_path: Path, temporal: Client, temporal_address: str, redis_url: str, pubsub_host: str, port: int
) -> dict[str, str]:
    await provision_pubsub(PROJECT, emulator_host=pubsub_host)
    return environment(
        tmp_path, temporal=temporal_address, redis=redis_url, pubsub=pubsub_host, port=port, project=PROJECT
    )


@pytest.fixture
def process(variables: Mapping[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with gateway_process(variables, tmp_path) as child:
        yield child


@pytest.fixture
async def outside(process: subprocess.Popen[bytes], port: int) -> AsyncIterator[httpx2.AsyncClient]:
    async with caller_of(process, port) as caller:
        yield caller


def run_with(variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "signalbox_gateway"],
        env=dict(variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


WRONG = [
    pytest.param({"REDIS_URL": None}, "REDIS_URL", id="missing"),
    pytest.param({"SIGNALBOX_GATEWAY_PORT": "high"}, "SIGNALBOX_GATEWAY_PORT", id="wrong type"),
    pytest.param({"SIGNALBOX_GATEWAY_PROT": "1"}, "SIGNALBOX_GATEWAY_PROT", id="unknown"),
    pytest.param(
        {"SIGNALBOX_GATEWAY_PUBLIC_ORIGIN": "signalbox"},
        "SIGNALBOX_GATEWAY_PUBLIC_ORIGIN",
        id="not an origin",
    ),
    pytest.param(
        {"SIGNALBOX_GATEWAY_API_KEYS_FILE": "/nowhere/keys.json"}, "/nowhere/keys.json", id="no keys file"
    ),
    pytest.param({"SIGNALBOX_GATEWAY_OBJECTS_URL": "ftp://x"}, "ftp://x", id="unknown object store"),
    pytest.param({"REDIS_URL": "localhost:6379"}, "REDIS_URL", id="not a Redis address"),
]


@pytest.mark.parametrize(("change", "named"), WRONG)
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    variables: dict[str, str], change: dict[str, str | None], named: str
) -> None:
    changed = {name: value for name, value in {**variables, **change}.items() if value is not None}

    outcome = run_with(changed)

    assert outcome.returncode == 2
    assert named in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_one_line(
    variables: dict[str, str], process: subprocess.Popen[bytes], outside: httpx2.AsyncClient, port: int
) -> None:
    outcome = run_with(variables)

    assert outcome.returncode == 2
    assert str(port) in outcome.stderr
    assert "Traceback" not in outcome.stderr


async def test_a_run_is_started_and_its_stream_opens_at_once(outside: httpx2.AsyncClient) -> None:
    run_id = await started_ad(outside)

    async with outside.stream("GET", f"/v1/runs/{run_id}/stream") as stream:
        first = await anext(stream.aiter_text())

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert first.startswith("retry:")


async def test_check_28_sigterm_ends_streams_cleanly_and_the_process_with_0(
    outside: httpx2.AsyncClient, process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    run_id = await started_ad(outside)

    async with outside.stream("GET", f"/v1/runs/{run_id}/stream") as stream:
        chunks = stream.aiter_bytes()
        await anext(chunks)
        process.send_signal(signal.SIGTERM)
        # A clean end of the chunked body raises nothing.
        async for _ in chunks:
            pass

    assert await asyncio.to_thread(process.wait, 60) == 0
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert '"level": "error"' not in log


async def test_a_header_of_many_megabytes_is_refused_before_it_takes_memory(
    outside: httpx2.AsyncClient, process: subprocess.Popen[bytes], port: int
) -> None:
    assert (await outside.get("/healthz")).status_code == 200
    before = resident_bytes(process.pid)

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: ")
    answer = b""
    try:
        for _ in range(64):
            writer.write(b"a" * 1024 * 1024)
            await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 60)
    except ConnectionError:
        # The gateway closed while this client was still sending; its answer may be lost with the connection.
        pass
    else:
        assert answer.startswith(b"HTTP/1.1 431 "), answer[:200]
    finally:
        writer.close()

    assert resident_bytes(process.pid) - before < 8 * 1024 * 1024


async def started_ad(caller: httpx2.AsyncClient) -> str:
    """A run of an installed pipeline that no worker serves here."""
    answer = await caller.post(
        "/v1/runs", json={"pipeline": "ad_creative", "input": {"url": "https://shop.example/"}}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["run_id"])
