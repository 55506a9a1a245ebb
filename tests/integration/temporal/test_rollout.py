"""`signalbox-admin rollout` and `deployments` on a real Temporal server, with real workers of each build."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from temporalio.client import Client

from signalbox_admin.cli import main as admin
from signalbox_admin.replay_runs import open_runs_query, replay_open_runs
from signalbox_admin.versions.overview import describe_builds
from signalbox_core.pipeline.contract.spec import Versioning
from signalbox_core.temporal import connect
from signalbox_core.temporal.deployments import WorkerDeployments
from signalbox_core.testing.run_under_test import RunUnderTest
from support.assertions.eventually import eventually
from support.deploys.builds import Fleet, build_of, failing, release_spec, until_all_asked
from support.deploys.contract import DeploysInput, DeploysResult, GoAhead

WATCH_S = 120


@pytest.fixture
async def client(temporal_address: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)
    return await connect(temporal_address, "default")


async def command(*words: str) -> int:
    return await asyncio.to_thread(admin, list(words))


async def waiting(fleet: Fleet, count: int) -> list[RunUnderTest]:
    runs = [await fleet.start(DeploysInput(text="four")) for _ in range(count)]
    await until_all_asked(runs, within_s=60)
    return runs


async def finish(runs: Sequence[RunUnderTest]) -> None:
    for run in runs:
        await run.decide("go_ahead", GoAhead())
    assert await asyncio.gather(*(run.result() for run in runs)) == [DeploysResult(chars=4)] * len(runs)


async def states(fleet: Fleet) -> dict[str, str]:
    return {
        build.build_id: build.state
        for build in (await WorkerDeployments(fleet.client).describe(fleet.name)).builds
    }


@pytest.mark.timeout(240)
@pytest.mark.parametrize("versioning", ["auto-upgrade", "pinned"])
async def test_a_canary_with_a_bug_is_rolled_back_and_its_runs_begin_on_the_current_build(
    client: Client, versioning: Versioning, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = Fleet(client, versioning)
    async with fleet.build("b0", "Current"), fleet.build("b1", "Faulty"):
        await fleet.wait_until_known("b0", "b1")
        watching = asyncio.create_task(
            command("rollout", "canary", fleet.name, "b1", "--percent", "100", "--watch", str(WATCH_S))
        )
        await eventually(lambda: is_ramping(fleet), within_s=30)
        run = await fleet.start(DeploysInput(text="four"))

        assert await watching == 4
        await finish([run])
        assert await build_of(run) == "b0"
        assert (await states(fleet))["b0"] == "current"
    printed = capsys.readouterr().out
    assert f"blocked  acme  {run.run_id}  (deploys)" in printed
    assert "cannot take 4 characters" in printed
    assert f"rolled back: build b1 of {fleet.name} gets no new runs" in printed


async def is_ramping(fleet: Fleet) -> bool:
    return (await WorkerDeployments(fleet.client).describe(fleet.name)).ramping is not None


@pytest.mark.timeout(300)
async def test_a_canary_that_breaks_waiting_runs_is_rolled_back_and_they_continue(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = Fleet(client, "auto-upgrade")
    async with fleet.build("b0", "Current"), fleet.build("b1", "RenamedActivity"):
        runs = await waiting(fleet, 5)
        await fleet.wait_until_known("b0", "b1")
        watching = asyncio.create_task(
            command("rollout", "canary", fleet.name, "b1", "--percent", "100", "--watch", str(WATCH_S))
        )
        await eventually(lambda: is_ramping(fleet), within_s=30)
        for run in runs:
            await run.pause()

        assert await watching == 4

        async def have_recovered() -> bool:
            return await failing(client, runs) == []

        await eventually(have_recovered, within_s=120, every_s=0.2)
        for run in runs:
            await run.resume()
        await finish(runs)
        assert {await build_of(run) for run in runs} == {"b0"}
    assert "does not match the run's history" in capsys.readouterr().out


@pytest.mark.timeout(240)
async def test_a_sound_build_is_promoted_and_taken_back(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = Fleet(client, "pinned")
    async with fleet.build("b0", "Current"), fleet.build("b1", "Current"):
        old = await waiting(fleet, 2)
        await fleet.wait_until_known("b0", "b1")
        assert await command("rollout", "canary", fleet.name, "b1", "--percent", "50", "--watch", "0.1") == 0
        assert "no run was blocked in 0.1 s" in capsys.readouterr().out
        assert await states(fleet) == {"b1": "ramping", "b0": "current"}

        assert await command("rollout", "promote", fleet.name, "b1") == 0
        assert await command("rollout", "promote", fleet.name, "b1") == 0
        assert "build b1" in capsys.readouterr().out
        (new,) = await waiting(fleet, 1)
        assert [await build_of(run) for run in (*old, new)] == ["b0", "b0", "b1"]

        assert await command("rollout", "back", fleet.name, "b1") == 0
        printed = capsys.readouterr().out
        assert "current: b0" in printed
        assert "give the burst workers build b0" in printed
        assert (await states(fleet))["b0"] == "current"
        await finish([*old, new])


@pytest.mark.timeout(240)
async def test_going_back_from_a_build_that_added_a_queue_in_use_needs_force(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = Fleet(client, "pinned")
    first, added = fleet.task_queue, f"{fleet.task_queue}-added"
    async with fleet.build("b0", "Current"), fleet.build("b1", "Current", added):
        await fleet.wait_until_known("b0", "b1")
        deployments = WorkerDeployments(client)

        async def has_both() -> bool:
            return await deployments.task_queues(fleet.name, "b1") == [first, added]

        await eventually(has_both, within_s=60)
        assert await command("rollout", "promote", fleet.name, "b1") == 0
        fleet.task_queue = added
        runs = await waiting(fleet, 1)
        capsys.readouterr()

        assert await command("rollout", "back", fleet.name, "b1") == 2
        error = capsys.readouterr().err
        assert "missing active task queues" in error
        assert "or use --force" in error
        assert (await states(fleet))["b1"] == "current"

        assert await command("rollout", "back", fleet.name, "b1", "--force") == 0
        assert (await states(fleet))["b0"] == "current"
        await finish(runs)


@pytest.mark.timeout(240)
async def test_the_list_counts_the_runs_that_need_a_build(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = Fleet(client, "pinned")
    async with fleet.build("b1", "Current"), fleet.build("b0", "Current"):
        await fleet.wait_until_known("b0", "b1")
        assert await command("rollout", "promote", fleet.name, "b0") == 0
        runs = await waiting(fleet, 3)
        assert await command("rollout", "promote", fleet.name, "b1") == 0

        async def are_counted() -> bool:
            counts = {build.build: build.pinned_runs for build in await describe_builds(client, fleet.name)}
            return counts == {"b0": 3, "b1": 0}

        await eventually(are_counted, within_s=60)
        capsys.readouterr()
        assert await command("deployments", fleet.name, "--json") == 0
        listed = {item["build"]: item for item in json.loads(capsys.readouterr().out)}
        assert (listed["b0"]["state"], listed["b0"]["open_runs"]) == ("draining", 3)
        assert (listed["b0"]["is_drained"], listed["b0"]["has_workers"]) == (False, True)
        assert (listed["b1"]["state"], listed["b1"]["has_workers"]) == ("current", True)
        assert await command("deployments", fleet.name) == 0
        assert capsys.readouterr().out.startswith("DEPLOYMENT")
        await finish(runs)


@pytest.mark.timeout(240)
async def test_runs_that_a_release_would_break_are_protected_by_the_build_they_are_pinned_to(
    client: Client,
) -> None:
    for versioning, breaks in (("pinned", False), ("auto-upgrade", True)):
        fleet = Fleet(client, versioning)
        async with fleet.build("b0", "Current"):
            runs = await waiting(fleet, 2)
            query = open_runs_query(None, None, fleet.task_queue)

            async def are_listed(query: str = query) -> bool:
                return (await client.count_workflows(query)).count == 2

            await eventually(are_listed, within_s=60)
            spec = release_spec("RenamedActivity", versioning)
            found = [item async for item in replay_open_runs(client, {spec.name: spec}, query, pinned=True)]

            assert len(found) == 2
            assert all("Nondeterminism" in outcome.reason for outcome in found)
            assert [outcome.breaks for outcome in found] == [breaks] * 2
            assert {outcome.pinned_to for outcome in found} == ({""} if breaks else {"b0"})
            await finish(runs)


async def test_an_unknown_deployment_is_an_error_in_one_line(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert client.namespace == "default"
    for words in (("rollout", "promote", "nowhere", "b1"), ("deployments", "nowhere")):
        assert await command(*words) == 2
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1
        assert "first poll of their workers" in error
