"""Every provider satisfies the same contract, each over its real interface."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from signalbox_autoscaler.providers.cloud_run import CloudRunJobs
from signalbox_autoscaler.providers.kubernetes import KubernetesJobs, read_template
from signalbox_autoscaler.providers.local import LocalProcesses
from signalbox_autoscaler.providers.provider import (
    ENDS,
    Execution,
    ExecutionState,
    LaunchRefused,
    LaunchSpec,
    LaunchUncertain,
    Provider,
)
from signalbox_core.errors import InvalidInput, Unavailable
from support.assertions.eventually import eventually
from support.servers.backends import free_port
from support.servers.providers import JOB, KINDS, TEMPLATE, cloud_run_program, provider_of, set_faults

TASK = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
names = ("SIGNALBOX_WORKER_BURST_INDEX", "CLOUD_RUN_TASK_INDEX", "JOB_COMPLETION_INDEX")
index = next(os.environ[name] for name in names if name in os.environ)
with open(f"{os.environ['OUT']}/{os.environ['SIGNALBOX_WORKER_BURST_LAUNCH']}-{index}", "a") as file:
    print(os.environ["COLOUR"], file=file)
while not os.path.exists(os.environ["OUT"] + "/end"):
    time.sleep(0.05)
sys.exit(int(open(os.environ["OUT"] + "/end").read()))
"""


@pytest.fixture(params=KINDS)
async def provider(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Provider]:
    async with provider_of(request.param, [sys.executable, "-c", TASK], tmp_path) as opened:
        yield opened
        (tmp_path / "end").write_text("0")


def spec_of(launch_id: str, folder: Path, *, workers: int = 2) -> LaunchSpec:
    return LaunchSpec(
        launch_id=launch_id,
        workers=workers,
        timeout_s=300,
        environment={"OUT": str(folder), "COLOUR": "green"},
    )


async def execution(provider: Provider, launch_id: str) -> Execution | None:
    found = [item for item in await provider.executions() if item.launch_id == launch_id]
    assert len(found) <= 1, "one launch, one execution"
    return found[0] if found else None


async def until(provider: Provider, launch_id: str, *states: ExecutionState | None) -> Execution | None:
    async def reached() -> tuple[Execution | None] | None:
        found = await execution(provider, launch_id)
        return (found,) if (found.state if found else None) in states else None

    return (await eventually(reached, within_s=20))[0]


async def test_a_launch_runs_its_workers_each_with_its_index(provider: Provider, tmp_path: Path) -> None:
    handle = await provider.launch(spec_of("l-1", tmp_path))
    found = await until(provider, "l-1", ExecutionState.RUNNING)
    assert found is not None
    assert found.handle == handle
    await eventually(
        lambda: {path.name for path in tmp_path.glob("l-1-*")} == {"l-1-0", "l-1-1"}, within_s=20
    )
    await eventually(lambda: (tmp_path / "l-1-0").read_text() == "green\n")
    (tmp_path / "end").write_text("0")

    ended = await until(provider, "l-1", ExecutionState.SUCCEEDED)

    assert ended is not None
    assert (ended.running, ended.succeeded, ended.failed) == (0, 2, 0)
    assert ended.lasted_s >= 0


async def test_workers_that_fail_are_counted(provider: Provider, tmp_path: Path) -> None:
    (tmp_path / "end").write_text("3")
    await provider.launch(spec_of("l-2", tmp_path))

    ended = await until(provider, "l-2", ExecutionState.FAILED)

    assert ended is not None
    assert ended.failed == 2


async def test_a_cancelled_launch_ends(provider: Provider, tmp_path: Path) -> None:
    handle = await provider.launch(spec_of("l-3", tmp_path))
    await until(provider, "l-3", ExecutionState.RUNNING)

    await provider.cancel(handle)

    # A deleted Kubernetes Job is no longer listed; the others list it as cancelled.
    ended = await until(provider, "l-3", ExecutionState.CANCELLED, None)
    assert ended is None or ended.cancelled == 2
    await provider.cancel(handle)


async def test_cancelling_an_unknown_launch_does_nothing(provider: Provider) -> None:
    handle = f"{JOB}/executions/burst-none" if isinstance(provider, CloudRunJobs) else "nothing"
    await provider.cancel(handle)
    assert await provider.executions() == []


@pytest.mark.parametrize("kind", ["local", "kubernetes"])
async def test_where_names_are_unique_a_second_request_starts_nothing(kind: str, tmp_path: Path) -> None:
    async with provider_of(kind, [sys.executable, "-c", TASK], tmp_path) as provider:
        first, second = [await provider.launch(spec_of("l-4", tmp_path)) for _ in range(2)]
        assert first == second
        assert await execution(provider, "l-4") is not None
        (tmp_path / "end").write_text("0")
        await until(provider, "l-4", ExecutionState.SUCCEEDED)
    assert (tmp_path / "l-4-0").read_text() == "green\n"


async def test_another_autoscaler_of_the_machine_lists_and_cancels_the_processes(tmp_path: Path) -> None:
    first, second = [
        LocalProcesses(tmp_path / "launches", [sys.executable, "-c", TASK], {}) for _ in range(2)
    ]
    await first.launch(spec_of("l-5", tmp_path))
    assert await until(second, "l-5", ExecutionState.RUNNING) is not None

    await second.cancel("l-5")

    assert await until(first, "l-5", ExecutionState.CANCELLED) is not None


async def test_workers_of_an_autoscaler_that_stops_drain(tmp_path: Path) -> None:
    provider = LocalProcesses(tmp_path / "launches", [sys.executable, "-c", TASK], {})
    await provider.launch(spec_of("l-6", tmp_path))
    # A worker writes its file after its signal handler is installed.
    await eventually(
        lambda: {path.name for path in tmp_path.glob("l-6-*")} == {"l-6-0", "l-6-1"}, within_s=20
    )

    await provider.aclose()

    ended = await until(provider, "l-6", ExecutionState.SUCCEEDED)
    assert ended is not None
    assert ended.succeeded == 2


async def test_a_command_that_cannot_be_started_is_refused(tmp_path: Path) -> None:
    provider = LocalProcesses(tmp_path / "launches", ["/nowhere/worker"], {})
    with pytest.raises(LaunchRefused, match="/nowhere/worker cannot be started"):
        await provider.launch(spec_of("l-7", tmp_path))


async def test_cloud_run_errors_are_refusals_or_uncertain(tmp_path: Path) -> None:
    async with cloud_run_program([]) as address:
        provider = CloudRunJobs(JOB, endpoint=address, run_timeout_s=0.5)
        await set_faults(address, refuse=1)
        with pytest.raises(LaunchRefused, match="Quota exceeded"):
            await provider.launch(spec_of("refused", tmp_path))
        await set_faults(address, slow_replies=1, slow_reply_s=5)
        with pytest.raises(LaunchUncertain):
            await provider.launch(spec_of("slow", tmp_path))
        await set_faults(address, lost_replies=1)
        with pytest.raises(LaunchUncertain):
            await provider.launch(spec_of("lost", tmp_path))

        assert sorted(item.launch_id for item in await provider.executions()) == ["lost", "slow"]
        with pytest.raises(LaunchRefused, match="no job"):
            await CloudRunJobs(f"{JOB}-other", endpoint=address).launch(spec_of("other", tmp_path))
        await provider.aclose()


async def test_cloud_run_lists_all_pages_and_kills_tasks_at_their_timeout(tmp_path: Path) -> None:
    async with cloud_run_program([]) as address:
        provider = CloudRunJobs(JOB, endpoint=address)
        names = [f"l-{number}" for number in range(105)]
        for name in names:
            await provider.launch(LaunchSpec(launch_id=name, workers=1, timeout_s=1, environment={}))
        assert {item.launch_id for item in await provider.executions()} == set(names)
        ended = await until(provider, "l-0", ExecutionState.FAILED)
        assert ended is not None
        assert ended.failed == 1
        await provider.aclose()


@pytest.mark.parametrize("kind", ["cloud_run", "kubernetes"])
async def test_an_unreachable_provider_is_unavailable(kind: str, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "token").write_text("t")
    provider: Provider = (
        CloudRunJobs(JOB, endpoint=address, run_timeout_s=1)
        if kind == "cloud_run"
        else KubernetesJobs(f"http://{address}", "signalbox", TEMPLATE, token_file=tmp_path / "token")
    )
    with pytest.raises(Unavailable):
        await provider.executions()
    with pytest.raises(Unavailable):
        await provider.launch(spec_of("l-8", tmp_path))
    await provider.aclose()


async def test_kubernetes_refuses_an_invalid_token(tmp_path: Path) -> None:
    async with provider_of("kubernetes", [], tmp_path) as provider:
        (tmp_path / "token").write_text("stale")
        with pytest.raises(LaunchRefused, match="Unauthorized"):
            await provider.launch(spec_of("l-9", tmp_path))


@pytest.mark.parametrize("text", ["", "{}", '{"spec": {"template": {"spec": {"containers": []}}}}'])
def test_a_template_without_a_container_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(InvalidInput, match="KUBERNETES_TEMPLATE"):
        read_template(tmp_path / "job.json")


async def test_tasks_of_the_emulated_cloud_run_start_during_concurrent_calls() -> None:
    """The emulator forks: gRPC fork handlers would kill a child during another call, so it disables them."""
    async with cloud_run_program([sys.executable, "-c", ""]) as address:
        await set_faults(address, slow_replies=1_000, slow_reply_s=3)
        provider = CloudRunJobs(JOB, endpoint=address, run_timeout_s=10)
        template = LaunchSpec(launch_id="", workers=4, timeout_s=60, environment={})

        async def launch(number: int) -> None:
            await asyncio.sleep(number * 0.05)
            await provider.launch(replace(template, launch_id=f"l-{number}"))

        async def ended() -> list[Execution] | None:
            found = await provider.executions()
            return list(found) if len(found) == 20 and all(item.state in ENDS for item in found) else None

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(launch(number))
            watching = [group.create_task(eventually(ended, within_s=60)) for _ in range(4)]
        assert sum(item.failed for item in watching[0].result() or ()) == 0
        await provider.aclose()
