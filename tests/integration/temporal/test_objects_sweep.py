"""`signalbox-admin objects sweep` deletes payloads that nothing refers to, and no other."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleState,
)
from temporalio.service import RPCError

from signalbox_admin.payloads.sweep import has_workflows
from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.objects import open_object_store
from signalbox_core.temporal import connect
from signalbox_core.testing.pipeline import PipelineUnderTest, RunUnderTest, pipeline_under_test
from support.assertions.eventually import eventually
from support.deploys.activities import finish, prepare
from support.deploys.contract import SPEC, DeploysInput
from support.fakes.payload_keys import payload_keys_file
from support.stored_payloads import age, claim, forget, keys_in, plant, sweep

DELETE = ("--delete", "--namespace", "default")
LARGE = DeploysInput(text="x" * 300_000)


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


def of_run(folder: Path, run: RunUnderTest) -> set[str]:
    return {key for key in keys_in(folder) if f"/{run.run_id}/" in key}


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
    await forget(client, expired.handle)

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
        assert await sweep(folder, "--tenant", "acme", *DELETE) == 0
        after_acme = keys_in(folder)
        assert await sweep(folder, *DELETE) == 0
        after_all = keys_in(folder)
    finally:
        await parent.terminate()
        await schedule.delete()

    assert after_dry == before
    assert f"acme: {len(gone) + 1} payloads of 2 runs" in dry
    assert "other: 1 payloads of 1 runs" in dry
    assert "\nnamespace default: " in dry
    assert dry.endswith("payloads could be deleted; use --delete --namespace default to do so\n")
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


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        pytest.param(["--older-than", "0"], "less than the retention of the namespace", id="young"),
        pytest.param(["--older-than", "36501"], "use at most 36500 days", id="beyond-the-calendar"),
        pytest.param(["--older-than", "9" * 30], "use at most 36500 days", id="beyond-a-number-of-64-bits"),
        pytest.param(["--delete"], "--delete needs --namespace NAME", id="no-namespace"),
        pytest.param(
            ["--delete", "--namespace", "shop"],
            "--namespace shop: the connection is to the namespace 'default'",
            id="another-namespace",
        ),
        pytest.param(
            ["--namespace", "shop"], "set $TEMPORAL_NAMESPACE", id="another-namespace-without-delete"
        ),
    ],
)
async def test_what_could_delete_too_much_is_refused(
    arguments: list[str],
    remedy: str,
    temporal_address: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)
    plant(folder, "old")
    age(folder)
    before = keys_in(folder)

    assert await sweep(folder, *arguments) == 2

    error = capsys.readouterr().err
    assert remedy in error
    assert len(error.splitlines()) == 1
    assert keys_in(folder) == before


async def test_a_namespace_without_workflows_is_refused(
    temporal_address: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"unused-{uuid.uuid4().hex}"
    await register(temporal_address, name)
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", name)
    plant(folder, "run-of-another-namespace")
    age(folder)
    before = keys_in(folder)

    assert await sweep(folder, "--delete", "--namespace", name) == 2

    assert f"the namespace '{name}' has no workflows" in capsys.readouterr().err
    assert keys_in(folder) == before


async def register(temporal_address: str, namespace: str) -> None:
    client = await connect(temporal_address, namespace)
    request = RegisterNamespaceRequest(namespace=namespace)
    request.workflow_execution_retention_period.FromTimedelta(timedelta(days=1))
    await client.workflow_service.register_namespace(request)

    async def is_known() -> bool:
        try:
            return not await has_workflows(client)
        except RPCError:
            return False

    await eventually(is_known, within_s=60, every_s=0.2)
