"""Backup, total loss, restore: Temporal's database, objects and keys are the truth, the rest is rebuilt.

Objects are copied by `signalbox-admin backup` and `restore`; the database and the keys by the file system, as
by the means of their own that a deployment has.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.prompts import variants_of
from signalbox_core.errors import NotFound
from support.assertions.eventually import eventually
from support.drivers.journeys import approve, decide, start_ads, until_asked, until_ended
from support.servers.stack import running_stack

WITHIN_S = 180
FILES = ("temporal.sqlite*", "keys", "secrets")
"""With the objects what docs/runbooks.md#restore lists; without Redis and Pub/Sub."""


def copy_files(source: Path, target: Path) -> None:
    target.mkdir(mode=0o700)
    for pattern in FILES:
        for path in source.glob(pattern):
            if path.is_dir():
                shutil.copytree(path, target / path.name)
            else:
                shutil.copy2(path, target)


def back_up(stack: Path, backup: Path) -> None:
    """In the order of the runbook: Temporal's database before the objects."""
    copy_files(stack, backup)
    assert admin("backup", backup, stack) == 0


def restore(backup: Path, stack: Path) -> None:
    copy_files(backup, stack)
    assert admin("restore", backup, stack) == 0


def admin(command: str, backup: Path, stack: Path) -> int:
    program = Path(sys.executable).with_name("signalbox-admin")
    variables = {"SIGNALBOX_PAYLOAD_KEYS_FILE": str(stack / "keys/payload_keys.json")}
    return subprocess.run(
        [str(program), command, str(backup / "copied"), "--objects", (stack / "objects").as_uri()],
        env={**os.environ, **variables},
        check=False,
        timeout=WITHIN_S,
    ).returncode


async def approve_ads(client: AsyncSignalbox, run_id: str) -> str:
    approval = await until_asked(client, run_id, within_s=WITHIN_S)
    await decide(client, run_id, approval, [approve] * len(variants_of(approval)))
    return await until_ended(client, run_id, within_s=WITHIN_S)


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
            assert await approve_ads(client, ended) == "completed"
            files = (await client.run(ended)).artifacts
            contents = [await client.artifact(ended, file.name) for file in files]
            await eventually(lambda: has_receipt(client, ended), within_s=WITHIN_S, every_s=0.5)
            waiting = await start_ads(stack, client)
            asked = await until_asked(client, waiting, within_s=WITHIN_S)
    back_up(folder, backup)
    shutil.rmtree(folder)

    restore(backup, folder)
    with running_stack(folder) as stack:
        async with stack.client() as client:

            async def is_in_inbox() -> bool:
                return waiting in {approval.run_id for approval in await client.approvals()}

            await eventually(is_in_inbox, within_s=WITHIN_S, every_s=0.5)
            restored = await until_asked(client, waiting, within_s=WITHIN_S)
            assert (restored.digest, restored.requested_at) == (asked.digest, asked.requested_at)
            assert await approve_ads(client, waiting) == "completed"
            assert (await client.run(ended)).status == "completed"
            assert await has_receipt(client, ended)
            assert contents
            assert [await client.artifact(ended, file.name) for file in files] == contents
