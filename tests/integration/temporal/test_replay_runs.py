"""Before a deployment, `signalbox-admin replay-runs` names every open run that the new code would break."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from temporalio.client import Client

from signalbox_admin.cli import main as admin
from signalbox_admin.replay_runs import ReplayOutcome, open_runs_query, replay_open_runs
from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import InvalidInput
from signalbox_core.temporal import connect
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pipeline import PipelineUnderTest, pipeline_under_test
from support.assertions.eventually import eventually
from support.deploys.activities import finish, prepare
from support.deploys.builds import BREAKING, RUNS, release_spec, until_all_asked
from support.deploys.contract import SPEC, DeploysInput
from support.fakes.payload_keys import payload_keys_file

ALL_BREAKING: Final = (*BREAKING, "AddedTimer")


@pytest.fixture(params=["plain", "sealed"])
async def client(request: pytest.FixtureRequest, temporal_address: str, tmp_path: Path) -> Client:
    keys = KeyRing(payload_keys_file(tmp_path)) if request.param == "sealed" else None
    return await connect(temporal_address, "default", keys=keys, objects=FakeObjectStore())


@pytest.fixture
async def waiting(client: Client) -> AsyncIterator[PipelineUnderTest]:
    """Runs that wait for a person; the first one has a large input."""
    async with pipeline_under_test(SPEC, activities=[prepare, finish], client=client) as pipeline:
        runs = [
            await pipeline.start(DeploysInput(text="x" * (300_000 if number == 0 else 1)))
            for number in range(RUNS)
        ]
        await until_all_asked(runs, within_s=120 + RUNS)
        query = open_runs_query(None, None, pipeline.task_queue)

        async def are_listed() -> bool:
            return (await client.count_workflows(query)).count == RUNS

        await eventually(are_listed, within_s=60 + RUNS)
        yield pipeline
        for run in runs:
            await run.handle.terminate()


async def outcomes_of(pipeline: PipelineUnderTest, release: str) -> list[ReplayOutcome]:
    spec = release_spec(release)
    query = open_runs_query(None, None, pipeline.task_queue)
    return [item async for item in replay_open_runs(pipeline.client, {spec.name: spec}, query)]


@pytest.mark.timeout(300 + 10 * RUNS)
async def test_every_run_that_a_release_would_break_is_named_and_no_other(
    waiting: PipelineUnderTest,
) -> None:
    for release in ("Current", "LaterStep"):
        kept = await outcomes_of(waiting, release)
        assert [outcome.reason for outcome in kept] == [""] * RUNS
    for release in ALL_BREAKING:
        found = await outcomes_of(waiting, release)
        assert len({outcome.run_id for outcome in found}) == RUNS, release
        assert all("Nondeterminism" in outcome.reason for outcome in found), release
        assert {(item.tenant, item.pipeline, item.step) for item in found} == {("acme", "deploys", "prepare")}


async def test_a_run_of_a_pipeline_that_is_not_installed_is_not_checked(client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=[prepare, finish], client=client) as pipeline:
        run = await pipeline.start(DeploysInput())
        query = open_runs_query(None, SPEC.name, pipeline.task_queue)

        async def outcomes() -> list[ReplayOutcome]:
            return [item async for item in replay_open_runs(client, {}, query)]

        (found,) = await eventually(outcomes, within_s=60)
        await run.handle.terminate()

    assert (found.run_id, found.is_checked, found.reason) == (run.run_id, False, "")


async def test_the_command_counts_what_it_replays(
    temporal_address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)

    code = await asyncio.to_thread(admin, ["replay-runs", "--task-queue", "no-such-queue"])

    assert (code, capsys.readouterr().out) == (0, "0 open runs replayed: 0 would break\n")


async def test_an_unknown_namespace_is_an_error_in_one_line(
    temporal_address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "nowhere")

    assert await asyncio.to_thread(admin, ["replay-runs"]) == 2

    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "check the namespace" in error


def test_a_pipeline_that_is_not_installed_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert admin(["replay-runs", "--pipeline", "no_such"]) == 2
    assert "no pipeline 'no_such' is installed here" in capsys.readouterr().err


def test_a_name_cannot_change_the_query() -> None:
    with pytest.raises(InvalidInput):
        open_runs_query("acme' OR TaskQueue != '", None, None)
