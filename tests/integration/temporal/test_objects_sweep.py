"""`signalbox-admin objects sweep` deletes payloads that nothing refers to, and no other."""

import asyncio
import hashlib
import os
import time
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleState,
)
from temporalio.common import RawValue

from signalbox_admin.cli import main as admin
from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.objects import open_object_store
from signalbox_core.temporal import connect
from signalbox_core.temporal.claim_check import ENCODING, ClaimCheck
from signalbox_core.temporal.codec import Payload
from signalbox_core.testing.pipeline import PipelineUnderTest, RunUnderTest, pipeline_under_test
from support.assertions.eventually import eventually
from support.deploys.activities import finish, prepare
from support.deploys.contract import SPEC, DeploysInput
from support.fakes.payload_keys import payload_keys_file

LARGE = DeploysInput(text="x" * 300_000)
YEAR_S = 400 * 86_400


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "objects"
    found.mkdir()
    return found


@pytest.fixture
async def client(temporal_address: str, tmp_path: Path, folder: Path) -> Client:
    keys = KeyRing(payload_keys_file(tmp_path))
    return await connect(
        temporal_address, "default", keys=keys, objects=open_object_store(f"file://{folder}")
    )


@pytest.fixture
async def pipeline(client: Client) -> AsyncIterator[PipelineUnderTest]:
    async with pipeline_under_test(SPEC, activities=[prepare, finish], client=client) as pipeline:
        yield pipeline


def plant(folder: Path, run: str, *, tenant: str = "acme") -> str:
    """A stored payload of a run that Temporal does not have; its key."""
    body = uuid.uuid4().bytes
    key = f"payloads/{tenant}/{run}/{hashlib.sha256(body).hexdigest()}"
    (folder / key).parent.mkdir(parents=True, exist_ok=True)
    (folder / key).write_bytes(body)
    return key


def claim(key: str) -> RawValue:
    """What Temporal holds in the place of the payload."""
    data = msgspec.json.encode(ClaimCheck(key=key, size_bytes=16))
    return RawValue(Payload(metadata={"encoding": ENCODING}, data=data))


def keys_in(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def of_run(folder: Path, run: RunUnderTest) -> set[str]:
    return {key for key in keys_in(folder) if f"/{run.run_id}/" in key}


def age(folder: Path) -> None:
    for key in keys_in(folder):
        os.utime(folder / key, (time.time() - YEAR_S, time.time() - YEAR_S))


async def forget(client: Client, run: RunUnderTest) -> None:
    """End the run's retention: Temporal deletes it."""
    await run.handle.terminate()
    request = DeleteWorkflowExecutionRequest(
        namespace=client.namespace, workflow_execution=WorkflowExecution(workflow_id=run.handle.id)
    )
    await client.workflow_service.delete_workflow_execution(request)

    async def is_gone() -> bool:
        return (await client.count_workflows(f"WorkflowId = '{run.handle.id}'")).count == 0

    await eventually(is_gone, within_s=60, every_s=0.2)


async def sweep(folder: Path, *arguments: str) -> int:
    return await asyncio.to_thread(admin, ["objects", "sweep", "--objects", f"file://{folder}", *arguments])


async def until_waiting(run: RunUnderTest) -> None:
    await eventually(lambda: "approval.requested" in run.event_names(), within_s=60)


@pytest.mark.timeout(300)
async def test_only_payloads_to_which_nothing_refers_are_deleted(
    pipeline: PipelineUnderTest,
    client: Client,
    temporal_address: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)
    waiting, ended, expired = [await pipeline.start(LARGE) for _ in range(3)]
    for run in (waiting, ended, expired):
        await until_waiting(run)
    await ended.handle.terminate()
    gone = of_run(folder, expired)
    await forget(client, expired)

    carried, scheduled = plant(folder, "expired-child"), plant(folder, "schedule-input")
    raw = await connect(temporal_address, "default")
    parent = await raw.start_workflow(
        "none", claim(carried), id=f"acme:{uuid.uuid4().hex}", task_queue="none"
    )
    schedule = await raw.create_schedule(
        f"sweep-{uuid.uuid4().hex}",
        Schedule(
            action=ScheduleActionStartWorkflow("none", claim(scheduled), id="none", task_queue="none"),
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=1))]),
            state=ScheduleState(paused=True),
        ),
    )
    orphan, foreign = plant(folder, "orphan"), plant(folder, "orphan", tenant="other")
    age(folder)
    young = plant(folder, "young")
    before = keys_in(folder)
    assert gone
    assert of_run(folder, waiting)
    assert of_run(folder, ended)

    try:
        assert await sweep(folder) == 0
        dry, after_dry = capsys.readouterr().out, keys_in(folder)
        assert await sweep(folder, "--tenant", "acme", "--delete") == 0
        after_acme = keys_in(folder)
        assert await sweep(folder, "--delete") == 0
        after_all = keys_in(folder)
    finally:
        await parent.terminate()
        await schedule.delete()

    assert after_dry == before
    assert f"acme: {len(gone) + 1} payloads of 2 runs" in dry
    assert "other: 1 payloads of 1 runs" in dry
    assert dry.endswith("payloads could be deleted; use --delete to do so\n")
    assert before - after_acme == gone | {orphan}
    assert after_acme - after_all == {foreign}
    assert {carried, scheduled, young} <= after_all
    await replayable(client, waiting)


async def replayable(client: Client, run: RunUnderTest) -> None:
    """The waiting run still has its input."""
    described = await run.handle.describe()
    assert described.status is not None
    history = await run.handle.fetch_history()
    payloads = history.events[0].workflow_execution_started_event_attributes.input.payloads
    codec = client.data_converter.payload_codec
    assert codec is not None
    (opened,) = await codec.decode(list(payloads))
    assert b"xxxx" in opened.data


async def test_an_age_below_the_retention_is_refused(
    temporal_address: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)

    assert await sweep(folder, "--older-than", "0") == 2

    assert "less than the retention of the namespace" in capsys.readouterr().err
