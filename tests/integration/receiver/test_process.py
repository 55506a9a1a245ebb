"""The process from its start to SIGTERM."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest

from signalbox_core.events import encode_event
from signalbox_core.signatures import Signer
from support.assertions.eventually import eventually
from support.drivers.signed_requests import ONE
from support.fakes.events import story
from support.servers import backends
from support.servers.live_receiver import one_sender, published


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
    return await asyncio.create_subprocess_exec(
        *command, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"REDIS_URL": "unset"}, "set the environment variable REDIS_URL", id="missing"),
        pytest.param(
            {"SIGNALBOX_RECEIVER_POTR": "1"},
            "unknown environment variable SIGNALBOX_RECEIVER_POTR",
            id="unknown",
        ),
        pytest.param({"SIGNALBOX_RECEIVER_PORT": "x"}, "SIGNALBOX_RECEIVER_PORT", id="wrong-type"),
        pytest.param(
            {"SIGNALBOX_RECEIVER_PUBLIC_ORIGIN": "example.com"},
            "SIGNALBOX_RECEIVER_PUBLIC_ORIGIN must be",
            id="origin",
        ),
        pytest.param(
            {"SIGNALBOX_RECEIVER_KEYS": "/nowhere/keys.json"},
            "cannot read the key file /nowhere/keys.json",
            id="no-key-file",
        ),
        pytest.param(
            {"SIGNALBOX_RECEIVER_LOG_LEVEL": "LOUD"}, "SIGNALBOX_RECEIVER_LOG_LEVEL", id="log-level"
        ),
        pytest.param({"REDIS_URL": "http://x"}, "REDIS_URL", id="redis-url"),
    ],
)
async def test_a_wrong_setting_is_one_line_and_status_2(
    tmp_path: Path, changes: dict[str, str], says: str
) -> None:
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


async def test_sigterm_under_load_keeps_every_promise(
    redis_url: str, pubsub_host: str, project: str, tmp_path: Path
) -> None:
    keys, signer, _ = one_sender(tmp_path)
    port = backends.free_port()
    origin = f"http://127.0.0.1:{port}"
    around = {"REDIS_URL": redis_url, "PUBSUB_EMULATOR_HOST": pubsub_host, "GOOGLE_CLOUD_PROJECT": project}
    child = await start(
        environment(
            keys, SIGNALBOX_RECEIVER_PORT=str(port), SIGNALBOX_RECEIVER_PUBLIC_ORIGIN=origin, **around
        )
    )
    await eventually(lambda: backends.is_listening(port), within_s=30)
    promised: list[str] = []
    async with httpx2.AsyncClient(base_url=origin, timeout=60) as client, asyncio.TaskGroup() as group:
        for lane in range(4):
            group.create_task(send_until_refused(client, signer, f"{project}-{lane}", promised))
        await eventually(lambda: len(promised) >= 40)
        child.send_signal(signal.SIGTERM)
    _, err = await child.communicate()
    assert child.returncode == 0
    assert b"Traceback" not in err
    assert set(promised) <= {message.attributes["ce-id"] for message in await published(pubsub_host, project)}


async def send_until_refused(
    client: httpx2.AsyncClient, signer: Signer, prefix: str, promised: list[str]
) -> None:
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
