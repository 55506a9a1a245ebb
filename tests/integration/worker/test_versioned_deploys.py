"""Deploying under waiting runs: pinned runs complete on their build, whatever later builds have changed."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from temporalio.client import Client

from signalbox_core.temporal import connect
from signalbox_core.temporal.deployments import Ramp, WorkerDeployments
from signalbox_core.testing.run_under_test import RunUnderTest
from support.assertions.eventually import eventually
from support.deploys.builds import BREAKING, RUNS, Fleet, build_of, failing, is_blocked, until_all_asked
from support.deploys.contract import DeploysInput, DeploysResult, EditedInput, GoAhead

PATIENCE_S = 60 + RUNS
BATCH = 20


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect(temporal_address, "default")


async def wait_for_questions(runs: list[RunUnderTest]) -> None:
    await until_all_asked(runs, within_s=PATIENCE_S)


async def poke(client: Client, runs: list[RunUnderTest], *, paused: bool) -> None:
    """Give every run a workflow task, which replays it, and wait until it has completed or failed."""
    for batch in (runs[start : start + BATCH] for start in range(0, len(runs), BATCH)):
        before = [(await run.handle.describe()).history_length for run in batch]
        for run in batch:
            await (run.pause() if paused else run.resume())

        async def is_done(run: RunUnderTest, length: int) -> bool:
            described = await run.handle.describe()
            has_task = described.raw_description.HasField("pending_workflow_task")
            return (described.history_length > length + 1 and not has_task) or await is_blocked(client, run)

        for run, length in zip(batch, before, strict=True):
            await eventually(lambda run=run, length=length: is_done(run, length), within_s=PATIENCE_S)


@pytest.mark.timeout(300 + 10 * RUNS)
async def test_five_breaking_deploys_block_no_pinned_run(client: Client) -> None:
    fleet = Fleet(client, "pinned")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(fleet.build("b0", "Current"))
        runs = [await fleet.start(DeploysInput(text="four")) for _ in range(RUNS)]
        await wait_for_questions(runs)
        for number, release in enumerate(BREAKING, 1):
            await stack.enter_async_context(fleet.build(f"b{number}", release))
            await fleet.promote(f"b{number}")
            await poke(client, runs, paused=number % 2 == 1)
            assert await failing(client, runs) == [], release
            new = await fleet.start(EditedInput(region="eu") if release == "EditedContract" else None)
            await wait_for_questions([new])
            assert await build_of(new) == f"b{number}"
        await poke(client, runs, paused=False)
        for run in runs:
            await run.decide("go_ahead", GoAhead())
        results = await asyncio.gather(*(run.result() for run in runs))

        assert results == [DeploysResult(chars=4)] * RUNS
        assert {await build_of(run) for run in runs} == {"b0"}


async def test_a_run_that_upgrades_moves_to_the_current_build(client: Client) -> None:
    fleet = Fleet(client, "auto-upgrade")
    async with fleet.build("b0", "Current"), fleet.build("b1", "LaterStep"):
        run = await fleet.start()
        await wait_for_questions([run])
        await fleet.promote("b1")
        await run.decide("go_ahead", GoAhead())
        await run.result()

        assert await build_of(run) == "b1"
        assert run.event_names().count("step.started") == 3


async def test_a_pinned_run_that_continues_as_new_begins_on_the_current_build(client: Client) -> None:
    fleet = Fleet(client, "pinned")
    async with fleet.build("b0", "Repeated"), fleet.build("b1", "Current"):
        run = await fleet.start(DeploysInput(text="first"))
        await wait_for_questions([run])
        await fleet.promote("b1")
        await run.decide("go_ahead", GoAhead())

        async def has_upgraded() -> bool:
            return await build_of(run) == "b1"

        await eventually(has_upgraded, within_s=30)
        await eventually(lambda: run.event_names().count("approval.requested") == 2, within_s=30)
        await run.handle.terminate()


async def test_unversioned_workers_ignore_the_versioning_of_contracts(client: Client) -> None:
    fleet = Fleet(client, "pinned", name="")
    async with fleet.build("", "Repeated"):
        run = await fleet.start(DeploysInput(text="first"))
        await wait_for_questions([run])
        await run.decide("go_ahead", GoAhead())
        await eventually(lambda: run.event_names().count("approval.requested") == 2, within_s=30)
        assert await build_of(run) is None
    async with fleet.build("", "Repeated"):
        await run.decide("go_ahead-2", GoAhead())
        assert await run.result() == DeploysResult(chars=5)


async def test_concurrent_changes_of_a_deployment_are_all_made(client: Client) -> None:
    fleet = Fleet(client, "pinned")
    deployments = WorkerDeployments(client)
    async with fleet.build("b0", "Current"), fleet.build("b1", "Current"):
        await fleet.wait_until_known("b0", "b1")
        percents = range(10, 60, 10)

        # Different changes: Temporal accepts one that is already in force, whatever reading it is based on.
        await asyncio.gather(
            *(
                deployments.change(fleet.name, lambda _, each=percent: Ramp(build_id="b1", percent=each))
                for percent in percents
            )
        )

        ramping = (await deployments.describe(fleet.name)).ramping
        assert ramping is not None
        assert ramping.percent in percents
