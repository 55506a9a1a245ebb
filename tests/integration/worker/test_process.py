"""The worker as people start it: a process, configured by its environment, against a real Temporal server."""

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx2
import pytest
from temporalio.client import WorkflowFailureError

from signalbox_core.events import CloudEvent
from signalbox_core.signatures import Algorithm
from signalbox_core.temporal import connect
from signalbox_core.temporal.names import MEMO_TENANT
from support.assertions.eventually import eventually
from support.drivers.signed_requests import new_private_key, private_pem
from support.fakes.stub_receiver import StubReceiver, stub_receiver
from support.servers.backends import free_port


def environment(temporal_address: str, receiver: StubReceiver, folder: Path, port: int) -> dict[str, str]:
    key = folder / "worker.pem"
    key.write_bytes(private_pem(new_private_key(Algorithm.ED25519)))
    return {
        "PATH": os.environ["PATH"],
        "TEMPORAL_ADDRESS": temporal_address,
        "SIGNALBOX_WORKER_RECEIVER_URL": receiver.url,
        "SIGNALBOX_WORKER_KEYID": "worker-1",
        "SIGNALBOX_WORKER_PRIVATE_KEY_FILE": str(key),
        "SIGNALBOX_WORKER_OBJECTS_URL": f"file://{folder}/objects",
        "SIGNALBOX_WORKER_PORT": str(port),
        "SIGNALBOX_WORKER_PIPELINES": "ad_creative",
    }


@contextlib.asynccontextmanager
async def worker_process(
    variables: Mapping[str, str], port: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "signalbox_worker",
        env=variables,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await eventually(lambda: is_ready(port), within_s=60)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def is_ready(port: int) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
    return False


async def test_a_worker_process_runs_a_pipeline_and_drains(temporal_address: str, tmp_path: Path) -> None:
    port, run_id = free_port(), f"ad-creative-{uuid.uuid4().hex[:8]}"
    client = await connect(temporal_address, "default")
    async with (
        stub_receiver() as receiver,
        worker_process(environment(temporal_address, receiver, tmp_path, port), port) as process,
    ):
        handle = await client.start_workflow(
            "ad_creative",
            {"url": "http://127.0.0.1:9/"},
            id=run_id,
            task_queue="ad_creative",
            memo={MEMO_TENANT: "acme"},
        )
        with pytest.raises(WorkflowFailureError):
            await handle.result()

        def milestones() -> list[CloudEvent]:
            return [event for event in receiver.milestones() if event.runid == run_id]

        await eventually(lambda: milestones()[-1:] and milestones()[-1].name == "run.failed")
        names = [event.name for event in milestones()]
        assert (names[0], names[-2:]) == ("run.started", ["step.failed", "run.failed"])
        assert b"blocked" in bytes(milestones()[-1].data)

        process.send_signal(signal.SIGTERM)
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
        assert b"worker stopped" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            {"SIGNALBOX_WORKER_KEYID": None},
            "set the environment variable SIGNALBOX_WORKER_KEYID",
            id="missing",
        ),
        pytest.param(
            {"SIGNALBOX_WORKER_RECEIVER_URL": "receiver"}, "SIGNALBOX_WORKER_RECEIVER_URL", id="no address"
        ),
        pytest.param(
            {"SIGNALBOX_WORKER_PIPELINES": "adcreative"},
            "no pipeline 'adcreative'; installed: ",
            id="unknown pipeline",
        ),
        pytest.param(
            {"SIGNALBOX_WORKER_PRIVATE_KEY_FILE": "/nowhere.pem"},
            "cannot read the private key /nowhere.pem",
            id="no key file",
        ),
        pytest.param(
            {"SIGNALBOX_WORKER_COLOUR": "red"},
            "unknown environment variable SIGNALBOX_WORKER_COLOUR",
            id="unknown",
        ),
    ],
)
async def test_a_wrong_setting_is_one_line(
    temporal_address: str, tmp_path: Path, change: Mapping[str, str | None], said: str
) -> None:
    variables: dict[str, str | None] = {
        **environment(temporal_address, StubReceiver(1), tmp_path, free_port()),
        **change,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signalbox_worker"),
        env={name: value for name, value in variables.items() if value is not None},
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await process.communicate()

    assert process.returncode == 2
    assert error.decode().startswith("signalbox-worker: ")
    assert said in error.decode()
    assert error.count(b"\n") == 1


async def test_no_temporal_is_one_line(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signalbox_worker"),
        env=environment(f"127.0.0.1:{free_port()}", StubReceiver(1), tmp_path, free_port()),
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await process.communicate()

    assert process.returncode == 1
    assert "Temporal does not respond at 127.0.0.1:" in error.decode()
    assert error.count(b"\n") == 1
