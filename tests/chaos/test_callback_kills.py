"""kill -9 of worker, gateway, Redis and Temporal while callbacks arrive: each run gets the first one."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx2
import msgspec
import pytest

from signalbox_client import AsyncSignalbox
from signalbox_core.errors import SignalboxError, Unavailable
from support.assertions.eventually import eventually
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack
from support.shipping.activities import CALLBACKS_FOLDER

RUNS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("callbacks")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[RunningStack]:
    """The stack with the shipping pipeline installed as a package of its own."""
    installed = tmp_path_factory.mktemp("installed")
    environ = {
        "PYTHONPATH": install_pipelines(installed, "shipping", "support.shipping"),
        CALLBACKS_FOLDER: str(folder),
    }
    with running_stack(tmp_path_factory.mktemp("callback-stack"), environ=environ) as started:
        yield started


async def start_until_accepted(client: AsyncSignalbox, run_id: str) -> None:
    async def accepted() -> bool:
        try:
            await client.start("shipping", {"order": run_id, "by_callback": True}, run_id=run_id)
        except Unavailable:
            return False
        return True

    await eventually(accepted, within_s=120, every_s=0.2)


async def post_until_accepted(http: httpx2.AsyncClient, url: str, parcel: str) -> str:
    """POST until the callback is acknowledged or refused as used; return its status or code."""

    async def answered() -> str:
        try:
            answer = await http.post(url, json={"parcel": parcel})
        except httpx2.TransportError:
            return ""
        assert answer.status_code in (200, 202, 409, 503), answer.text
        body = answer.json()
        return "" if answer.status_code == 503 else str(body.get("code") or body["status"])

    return await eventually(answered, within_s=120, every_s=0.2)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("part", ["worker", "gateway", "redis", "temporal"])
async def test_a_part_killed_while_callbacks_arrive_loses_and_doubles_none(
    stack: RunningStack, client: AsyncSignalbox, folder: Path, part: str
) -> None:
    runs = [f"ship-{uuid4().hex[:8]}" for _ in range(RUNS)]
    await asyncio.gather(*(start_until_accepted(client, run_id) for run_id in runs))

    def urls() -> list[str]:
        files = [folder / run_id for run_id in runs]
        found = [file.read_text() for file in files if file.is_file()]
        return found if len(found) == RUNS and all(found) else []

    targets = dict(zip(runs, await eventually(urls, within_s=120), strict=True))
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
        killed = stack.kill(part)
        first = await asyncio.gather(
            *(post_until_accepted(http, url, run_id) for run_id, url in targets.items())
        )
        await stack.until_replaced(part, killed)
        again = await asyncio.gather(*(post_until_accepted(http, url, "another") for url in targets.values()))

    async def all_have_completed() -> bool:
        try:
            return all([(await client.run(run_id)).status == "completed" for run_id in runs])
        except SignalboxError:
            return False

    await eventually(all_have_completed, within_s=180, every_s=0.5)
    # A POST whose answer was lost is repeated, and is then used.
    assert set(first) <= {"received", "recorded", "callback_used", "callback_closed"}
    assert set(again) <= {"recorded", "callback_used", "callback_closed"}
    for run_id in runs:
        assert msgspec.json.decode(await client.result(run_id)) == {"amount": 0, "parcel": run_id}
        (wait,) = (await client.run(run_id)).waits
        assert wait.status == "received"
