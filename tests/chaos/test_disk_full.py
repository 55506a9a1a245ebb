"""The embedded stack on a full disk: reasons are named, the status is true, and room lets all recover."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from signalbox_client import AsyncSignalbox
from signalbox_core.errors import Unavailable
from support.assertions.eventually import eventually
from support.servers.small_disk import SmallDisk, small_disk
from support.servers.stack import DEV, RunningStack, running_stack

INPUT = {"task": "summarise", "text": "A short text. It has two sentences."}
PDF = b"%PDF-1.4\n" + bytes(2_000_000)
HEALTHY = {"ready", "on_demand"}
"""The simulated sites start on their first connection, which this test does not make."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", megabytes=256) as mounted:
        yield mounted


@pytest.fixture
def stack(disk: SmallDisk) -> Iterator[RunningStack]:
    with running_stack(disk.folder / "state") as started:
        yield started


def status_of(stack: RunningStack) -> dict[str, Any]:
    command = [*DEV, "status", "--json", "--state-dir", str(stack.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode == 0) == all(part["status"] in HEALTHY for part in found["parts"])
    return found


def parts_of(stack: RunningStack) -> dict[str, str]:
    return {part["name"]: part["status"] for part in status_of(stack)["parts"]}


async def refusal_of(client: AsyncSignalbox) -> str | None:
    """Why a start is refused; None when it is accepted."""
    try:
        await client.start("ai_task", INPUT)
    except Unavailable as error:
        return error.detail
    return None


async def upload(stack: RunningStack) -> httpx2.Response:
    endpoints = stack.endpoints
    headers = {"authorization": f"Bearer {endpoints.api_keys['admin']}", "content-type": "application/pdf"}
    async with httpx2.AsyncClient(base_url=str(endpoints.gateway), headers=headers, timeout=60) as http:
        return await http.post("/v1/objects", content=PDF)


@pytest.mark.timeout(300)
async def test_a_full_disk_is_named_and_everything_recovers_with_room(
    stack: RunningStack, disk: SmallDisk
) -> None:
    endpoints = stack.endpoints
    async with AsyncSignalbox(str(endpoints.gateway), endpoints.api_keys["admin"], backoff_s=()) as client:
        disk.fill()

        async def is_refused() -> bool:
            detail = await refusal_of(client) or ""
            return "could not be queued" in detail and "No space left on device" in detail

        await eventually(is_refused, within_s=90)
        refused = await upload(stack)
        assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")

        def is_reported() -> bool:
            parts = parts_of(stack)
            return parts["pubsub"] == "restarting" and {
                parts[name] for name in ("redis", "receiver", "gateway")
            } == {"unhealthy"}

        await eventually(is_reported, within_s=60, every_s=0.5)
        assert "is full; free some space" in status_of(stack)["problem"]

        disk.make_room()
        await eventually(lambda: set(parts_of(stack).values()) <= HEALTHY, within_s=60, every_s=0.5)
        assert status_of(stack)["problem"] is None

        async def is_accepted() -> bool:
            return await refusal_of(client) is None

        await eventually(is_accepted, within_s=60, every_s=0.5)
        assert (await upload(stack)).status_code == 201
        started = await client.start("ai_task", INPUT)

        async def has_completed() -> bool:
            return (await client.run(started.run_id)).status == "completed"

        await eventually(has_completed, within_s=90, every_s=0.5)
        running = [part for part in status_of(stack)["parts"] if part["status"] == "ready"]
        assert stack.endpoints.pids == {part["name"]: part["pid"] for part in running}
