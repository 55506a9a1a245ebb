"""What only a real socket shows: odd HTTP, slow and broken bodies, and the process from its start to SIGTERM."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx2
import pytest
from signalbox_core.events import encode_event
from signalbox_core.ids import new_run_id
from signalbox_core.signatures import Signer
from support import servers
from support.events import story
from support.live_receiver import LiveReceiver, live_receiver, make_topics, one_sender, published
from support.signing import ONE
from support.waiting import eventually


@pytest.fixture
async def project(pubsub_host: str) -> str:
    name = new_run_id("echo")
    await make_topics(pubsub_host, name)
    return name


@pytest.fixture
async def receiver(redis_url: str, pubsub_host: str, project: str, tmp_path: Path) -> AsyncIterator[LiveReceiver]:
    keys, signer, _ = one_sender(tmp_path)
    around = {"keys": keys, "signer": signer, "redis_url": redis_url, "pubsub_host": pubsub_host, "project": project}
    async with live_receiver(**around, body_timeout_s=0.3) as running:
        yield running


async def talk(receiver: LiveReceiver, request: bytes, *, ends: bool = False) -> bytes:
    """Send raw bytes (and end the sending side, with `ends`); give everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection(*receiver.origin.removeprefix("http://").split(":"))
    try:
        writer.write(request)
        if ends:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def raw(
    receiver: LiveReceiver, body: bytes, *, line: bytes = b"POST /v1/events HTTP/1.1", hosts: int = 1, length: int | None = None
) -> bytes:
    headers = receiver.signer.sign("POST", receiver.url, body, ONE)
    host = receiver.origin.removeprefix("http://")
    lines = [f"Host: {host}"] * hosts + [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    return line + b"\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("changes", "statuses"),
    [
        pytest.param({}, {202}, id="as-it-should-be"),
        pytest.param({"hosts": 2}, {400}, id="two-hosts"),
        pytest.param({"hosts": 0}, {400}, id="no-host"),
        pytest.param({"line": b"post /v1/events HTTP/1.1"}, {400, 405}, id="lower-case-method"),
        pytest.param({"line": b"POST /v1/events/../events HTTP/1.1"}, {404}, id="dot-segments"),
        pytest.param({"line": b"POST //v1/events HTTP/1.1"}, {404}, id="two-slashes"),
    ],
)
async def test_odd_requests_are_refused(
    receiver: LiveReceiver, pubsub_host: str, project: str, changes: dict[str, object], statuses: set[int]
) -> None:
    body = encode_event(story(project)[0])
    assert status_of(await talk(receiver, raw(receiver, body, **changes))) in statuses
    assert len(await published(pubsub_host, project)) == (1 if statuses == {202} else 0)


async def test_a_body_that_ends_early_burns_nothing(receiver: LiveReceiver, pubsub_host: str, project: str) -> None:
    body = encode_event(story(project)[0])
    request = raw(receiver, body)
    await talk(receiver, request[:-10], ends=True)
    assert not await published(pubsub_host, project)
    assert status_of(await talk(receiver, request)) == 202


async def test_a_slow_body_is_408(receiver: LiveReceiver, pubsub_host: str, project: str) -> None:
    body = encode_event(story(project)[0])
    answer = await talk(receiver, raw(receiver, body, length=len(body) + 10))
    assert status_of(answer) == 408
    assert b"application/problem+json" in answer
    assert not await published(pubsub_host, project)


async def test_a_large_declared_body_is_refused_before_it_comes(receiver: LiveReceiver) -> None:
    assert status_of(await talk(receiver, raw(receiver, b"", length=300_000))) == 413


def environment(keys: Path, **changes: str) -> dict[str, str]:
    usual = {
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SIGNALBOX_RECEIVER_PUBLIC_ORIGIN": "http://127.0.0.1:8081",
        "SIGNALBOX_RECEIVER_KEYS": str(keys),
        "SIGNALBOX_RECEIVER_PORT": "0",
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_")}
    return {name: value for name, value in (clean | usual | changes).items() if value != "unset"}


async def start(env: Mapping[str, str]) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "signalbox_webhook_receiver")
    return await asyncio.create_subprocess_exec(*command, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"REDIS_URL": "unset"}, "set the environment variable REDIS_URL", id="missing"),
        pytest.param({"SIGNALBOX_RECEIVER_POTR": "1"}, "unknown environment variable SIGNALBOX_RECEIVER_POTR", id="unknown"),
        pytest.param({"SIGNALBOX_RECEIVER_PORT": "x"}, "SIGNALBOX_RECEIVER_PORT", id="wrong-type"),
        pytest.param({"SIGNALBOX_RECEIVER_PUBLIC_ORIGIN": "example.com"}, "SIGNALBOX_RECEIVER_PUBLIC_ORIGIN must be", id="origin"),
        pytest.param({"SIGNALBOX_RECEIVER_KEYS": "/nowhere/keys.json"}, "cannot read the key file /nowhere/keys.json", id="no-key-file"),
        pytest.param({"SIGNALBOX_RECEIVER_LOG_LEVEL": "LOUD"}, "SIGNALBOX_RECEIVER_LOG_LEVEL", id="log-level"),
        pytest.param({"REDIS_URL": "http://x"}, "REDIS_URL", id="redis-url"),
    ],
)
async def test_a_wrong_setting_is_one_line_and_status_2(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    keys, _, _ = one_sender(tmp_path)
    child = await start(environment(keys, **changes))
    out, err = await child.communicate()
    assert (child.returncode, out) == (2, b"")
    assert err.decode().count("\n") == 1
    assert says in err.decode()


async def test_a_port_in_use_is_one_line_and_status_2(tmp_path: Path) -> None:
    keys, _, _ = one_sender(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        child = await start(environment(keys, SIGNALBOX_RECEIVER_PORT=str(taken.getsockname()[1])))
        _, err = await child.communicate()
    assert child.returncode == 2
    assert "SIGNALBOX_RECEIVER_PORT" in err.decode()


async def test_sigterm_under_load_keeps_every_promise(redis_url: str, pubsub_host: str, project: str, tmp_path: Path) -> None:
    keys, signer, _ = one_sender(tmp_path)
    port = servers.free_port()
    origin = f"http://127.0.0.1:{port}"
    around = {"REDIS_URL": redis_url, "PUBSUB_EMULATOR_HOST": pubsub_host, "GOOGLE_CLOUD_PROJECT": project}
    child = await start(environment(keys, SIGNALBOX_RECEIVER_PORT=str(port), SIGNALBOX_RECEIVER_PUBLIC_ORIGIN=origin, **around))
    await eventually(lambda: servers.answers(port), within_s=30)
    promised: list[str] = []
    async with httpx2.AsyncClient(base_url=origin) as client, asyncio.TaskGroup() as group:
        for lane in range(4):
            group.create_task(send_until_refused(client, signer, f"{project}-{lane}", promised))
        await eventually(lambda: len(promised) >= 40)
        child.send_signal(signal.SIGTERM)
    _, err = await child.communicate()
    assert child.returncode == 0
    assert b"Traceback" not in err
    assert set(promised) <= {message.attributes["ce-id"] for message in await published(pubsub_host, project)}


async def send_until_refused(client: httpx2.AsyncClient, signer: Signer, prefix: str, promised: list[str]) -> None:
    """Send the first event of ever new runs until the receiver does not take one; note those that it took."""
    for number in range(100_000):
        event = story(f"{prefix}-{number}")[0]
        body = encode_event(event)
        headers = signer.sign("POST", f"{client.base_url}/v1/events".replace("//v1", "/v1"), body, ONE)
        try:
            answer = await client.post("/v1/events", content=body, headers=headers)
        except httpx2.TransportError:
            return
        if answer.status_code != 202:
            return
        promised.append(event.id)
