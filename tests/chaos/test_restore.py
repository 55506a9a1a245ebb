"""Backup, total loss, restore: Temporal's database, objects and keys are the truth, the rest is rebuilt."""

import contextlib
import shutil
from pathlib import Path

import pytest

from signalbox_client import AsyncSignalbox
from signalbox_core.errors import NotFound
from support.assertions.eventually import eventually
from support.drivers.journeys import approve_all, start_ads, until_asked
from support.servers.stack import running_stack

TRUTH = ("temporal.sqlite*", "objects", "keys", "secrets")
"""What docs/runbooks.md#restore lists; without Redis and Pub/Sub."""


def copy_truth(source: Path, target: Path) -> None:
    target.mkdir(mode=0o700)
    for pattern in TRUTH:
        for path in source.glob(pattern):
            if path.is_dir():
                shutil.copytree(path, target / path.name)
            else:
                shutil.copy2(path, target)


async def has_receipt(client: AsyncSignalbox, run_id: str) -> bool:
    with contextlib.suppress(NotFound):
        return bool(await client.receipt(run_id, "variants"))
    return False


@pytest.mark.timeout(600)
async def test_a_waiting_run_goes_on_after_everything_was_lost_and_restored(tmp_path: Path) -> None:
    folder, backup = tmp_path / "stack", tmp_path / "backup"
    with running_stack(folder) as stack:
        async with stack.client() as client:
            ended = await start_ads(stack, client)
            assert await approve_all(client, ended) == "completed"
            files = (await client.run(ended)).artifacts
            contents = [await client.artifact(ended, file.name) for file in files]
            await eventually(lambda: has_receipt(client, ended), within_s=120, every_s=0.5)
            waiting = await start_ads(stack, client)
            asked = await until_asked(client, waiting)
    copy_truth(folder, backup)
    shutil.rmtree(folder)

    copy_truth(backup, folder)
    with running_stack(folder) as stack:
        async with stack.client() as client:

            async def is_in_inbox() -> bool:
                return waiting in {approval.run_id for approval in await client.approvals()}

            await eventually(is_in_inbox, within_s=180, every_s=0.5)
            restored = await until_asked(client, waiting)
            assert (restored.digest, restored.requested_at) == (asked.digest, asked.requested_at)
            assert await approve_all(client, waiting) == "completed"
            assert (await client.run(ended)).status == "completed"
            assert await has_receipt(client, ended)
            assert contents
            assert [await client.artifact(ended, file.name) for file in files] == contents
