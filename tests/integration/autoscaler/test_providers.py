"""Cloud Run Jobs, Kubernetes Jobs and local processes keep the same promises, each over its real interface."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from signalbox_autoscaler.providers.cloud_run import CloudRunJobs
from signalbox_autoscaler.providers.factory import choose
from signalbox_autoscaler.providers.kubernetes import KubernetesJobs
from signalbox_autoscaler.providers.kubernetes_job import build_burst_job
from signalbox_autoscaler.providers.local import LocalProcesses
from signalbox_autoscaler.providers.provider import (
    ENDS,
    Execution,
    ExecutionState,
    LaunchRefused,
    LaunchUncertain,
    Order,
    Provider,
)
from signalbox_autoscaler.settings import PREFIX, Settings
from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.settings import read_settings
from support.assertions.eventually import eventually
from support.servers.backends import free_port
from support.servers.providers import (
    JOB,
    KINDS,
    POD_TEMPLATE,
    cloud_run_program,
    kubernetes_call,
    kubernetes_program,
    provider_of,
    set_faults,
)

TASK = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
names = ("SIGNALBOX_WORKER_BURST_INDEX", "CLOUD_RUN_TASK_INDEX", "JOB_COMPLETION_INDEX")
index = next(os.environ[name] for name in names if name in os.environ)
with open(f"{os.environ['OUT']}/{os.environ['SIGNALBOX_WORKER_BURST_LAUNCH']}-{index}", "a") as file:
    print(os.environ["COLOUR"], file=file)
if index == os.environ.get("FAILS_AT"):
    sys.exit(1)
while not os.path.exists(os.environ["OUT"] + "/end"):
    time.sleep(0.05)
sys.exit(int(open(os.environ["OUT"] + "/end").read()))
"""


@pytest.fixture(params=KINDS)
async def provider(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Provider]:
    async with provider_of(request.param, [sys.executable, "-c", TASK], tmp_path) as made:
        yield made
        (tmp_path / "end").write_text("0")


def order(launch_id: str, folder: Path, *, workers: int = 2) -> Order:
    return Order(
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
    async def there() -> tuple[Execution | None] | None:
        found = await execution(provider, launch_id)
        return (found,) if (found.state if found else None) in states else None

    return (await eventually(there, within_s=20))[0]


async def test_a_launch_runs_its_workers_each_with_its_number(provider: Provider, tmp_path: Path) -> None:
    handle = await provider.launch(order("l-1", tmp_path))
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
    await provider.launch(order("l-2", tmp_path))

    ended = await until(provider, "l-2", ExecutionState.FAILED)

    assert ended is not None
    assert ended.failed == 2


async def test_a_cancelled_launch_ends_and_stays_so(provider: Provider, tmp_path: Path) -> None:
    handle = await provider.launch(order("l-3", tmp_path))
    await until(provider, "l-3", ExecutionState.RUNNING)

    await provider.cancel(handle)

    # Kubernetes forgets a deleted job; the others list it as cancelled.
    ended = await until(provider, "l-3", ExecutionState.CANCELLED, None)
    assert ended is None or ended.cancelled == 2
    await provider.cancel(handle)


async def test_what_is_unknown_is_cancelled_without_a_word(provider: Provider) -> None:
    handle = f"{JOB}/executions/burst-none" if isinstance(provider, CloudRunJobs) else "nothing"
    await provider.cancel(handle)
    assert await provider.executions() == []


@pytest.mark.parametrize("kind", ["local", "kubernetes"])
async def test_where_a_name_is_unique_asking_twice_launches_once(kind: str, tmp_path: Path) -> None:
    async with provider_of(kind, [sys.executable, "-c", TASK], tmp_path) as provider:
        first, second = [await provider.launch(order("l-4", tmp_path)) for _ in range(2)]
        assert first == second
        assert await execution(provider, "l-4") is not None
        (tmp_path / "end").write_text("0")
        await until(provider, "l-4", ExecutionState.SUCCEEDED)
    assert (tmp_path / "l-4-0").read_text() == "green\n"


async def test_another_autoscaler_of_the_machine_sees_the_processes(tmp_path: Path) -> None:
    first, second = [
        LocalProcesses(tmp_path / "launches", [sys.executable, "-c", TASK], {}) for _ in range(2)
    ]
    await first.launch(order("l-5", tmp_path))
    assert await until(second, "l-5", ExecutionState.RUNNING) is not None

    await second.cancel("l-5")

    assert await until(first, "l-5", ExecutionState.CANCELLED) is not None


async def test_workers_of_an_autoscaler_that_stops_are_told_to_drain(tmp_path: Path) -> None:
    provider = LocalProcesses(tmp_path / "launches", [sys.executable, "-c", TASK], {})
    await provider.launch(order("l-6", tmp_path))
    # Each writes its file once it can hear the signal.
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
        await provider.launch(order("l-7", tmp_path))


async def test_cloud_run_says_no_or_nothing(tmp_path: Path) -> None:
    async with cloud_run_program([]) as address:
        provider = CloudRunJobs(JOB, endpoint=address, run_within_s=0.5)
        await set_faults(address, refuse=1)
        with pytest.raises(LaunchRefused, match="Quota exceeded"):
            await provider.launch(order("refused", tmp_path))
        await set_faults(address, slow_replies=1, slow_reply_s=5)
        with pytest.raises(LaunchUncertain):
            await provider.launch(order("slow", tmp_path))
        await set_faults(address, lost_replies=1)
        with pytest.raises(LaunchUncertain):
            await provider.launch(order("lost", tmp_path))

        assert sorted(item.launch_id for item in await provider.executions()) == ["lost", "slow"]
        with pytest.raises(LaunchRefused, match="no job"):
            await CloudRunJobs(f"{JOB}-other", endpoint=address).launch(order("other", tmp_path))
        await provider.aclose()


async def test_cloud_run_lists_page_by_page_and_ends_tasks_at_their_timeout(tmp_path: Path) -> None:
    async with cloud_run_program([]) as address:
        provider = CloudRunJobs(JOB, endpoint=address)
        names = [f"l-{number}" for number in range(105)]
        for name in names:
            await provider.launch(Order(launch_id=name, workers=1, timeout_s=1, environment={}))
        assert {item.launch_id for item in await provider.executions()} == set(names)
        ended = await until(provider, "l-0", ExecutionState.FAILED)
        assert ended is not None
        assert ended.failed == 1
        await provider.aclose()


@pytest.mark.parametrize("kind", ["cloud_run", "kubernetes"])
async def test_a_provider_that_is_away_is_unavailable(kind: str, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "token").write_text("t")
    provider: Provider = (
        CloudRunJobs(JOB, endpoint=address, run_within_s=1)
        if kind == "cloud_run"
        else KubernetesJobs(f"http://{address}", "signalbox", "burst-worker", token_file=tmp_path / "token")
    )
    with pytest.raises(Unavailable):
        await provider.executions()
    with pytest.raises(Unavailable):
        await provider.launch(order("l-8", tmp_path))
    await provider.aclose()


async def test_kubernetes_refuses_a_wrong_token(tmp_path: Path) -> None:
    async with provider_of("kubernetes", [], tmp_path) as provider:
        (tmp_path / "token").write_text("stale")
        with pytest.raises(LaunchRefused, match="Unauthorized"):
            await provider.launch(order("l-9", tmp_path))


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[tuple[str, KubernetesJobs]]:
    """A simulated API server with the PodTemplate, and the provider that uses it."""
    (tmp_path / "token").write_text("secret")
    async with kubernetes_program([sys.executable, "-c", TASK]) as address:
        await kubernetes_call(address, "POST", "podtemplates", POD_TEMPLATE)
        provider = KubernetesJobs(
            f"http://{address}", "signalbox", "burst-worker", token_file=tmp_path / "token"
        )
        yield address, provider
        (tmp_path / "end").write_text("0")
        await provider.aclose()


async def running_pods(folder: Path, launch_id: str, *, starts: int) -> None:
    """Wait until the pods of both indexes have started, `starts` times in all."""

    def started() -> bool:
        files = list(folder.glob(f"{launch_id}-*"))
        return len(files) == 2 and sum(len(path.read_text().split()) for path in files) == starts

    await eventually(started, within_s=20)


@pytest.mark.parametrize("template", ["no-such-template", "empty"])
async def test_a_pod_template_that_is_missing_or_empty_is_named(
    cluster: tuple[str, KubernetesJobs], tmp_path: Path, template: str
) -> None:
    address, _ = cluster
    empty = {"metadata": {"name": "empty"}, "template": {"spec": {"containers": []}}}
    await kubernetes_call(address, "POST", "podtemplates", empty)
    provider = KubernetesJobs(f"http://{address}", "signalbox", template, token_file=tmp_path / "token")
    with pytest.raises(LaunchRefused, match=f"not requested: .*podtemplates/{template}"):
        await provider.launch(order("l-10", tmp_path))
    assert await provider.executions() == []
    await provider.aclose()


async def test_the_template_setting_is_a_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="KUBERNETES_TEMPLATE"):
        KubernetesJobs("http://127.0.0.1", "signalbox", "/config/job.json", token_file=tmp_path / "token")


async def test_a_changed_pod_template_reaches_the_next_launch(
    cluster: tuple[str, KubernetesJobs], tmp_path: Path
) -> None:
    address, provider = cluster
    await provider.launch(order("l-11", tmp_path))
    changed = json.loads(json.dumps(POD_TEMPLATE).replace("signalbox/worker", "signalbox/worker:v2"))
    await kubernetes_call(address, "POST", "podtemplates", changed)
    await provider.launch(order("l-12", tmp_path))

    images = []
    for name in ("l-11", "l-12"):
        job = (await kubernetes_call(address, "GET", f"jobs/{name}", group="apis/batch/v1")).json()
        images.append(job["spec"]["template"]["spec"]["containers"][0]["image"])
    assert images == ["registry.invalid/signalbox/worker", "registry.invalid/signalbox/worker:v2"]


async def test_an_evicted_pod_is_replaced_and_its_siblings_run_on(
    cluster: tuple[str, KubernetesJobs], tmp_path: Path
) -> None:
    address, provider = cluster
    await provider.launch(order("l-13", tmp_path))
    await running_pods(tmp_path, "l-13", starts=2)

    assert (await kubernetes_call(address, "POST", "pods/l-13-0/eviction")).status_code == 201
    await running_pods(tmp_path, "l-13", starts=3)

    found = await execution(provider, "l-13")
    assert found is not None
    assert (found.state, found.running, found.failed) == (ExecutionState.RUNNING, 2, 0)
    assert len((tmp_path / "l-13-1").read_text().split()) == 1
    (tmp_path / "end").write_text("0")
    ended = await until(provider, "l-13", ExecutionState.SUCCEEDED)
    assert ended is not None
    assert ended.succeeded == 2


async def test_a_backoff_limit_of_the_whole_job_ends_the_siblings_of_an_evicted_pod(
    cluster: tuple[str, KubernetesJobs], tmp_path: Path
) -> None:
    """The platform rule that burst Jobs avoid; the simulated API follows it."""
    address, provider = cluster
    job = json.loads(
        json.dumps(
            build_burst_job(
                POD_TEMPLATE["template"],
                launch_id="l-14",
                workers=2,
                timeout_s=300,
                variables=order("l-14", tmp_path).variables,
            )
        )
    )
    del job["spec"]["backoffLimitPerIndex"], job["spec"]["podFailurePolicy"]
    job["spec"]["backoffLimit"] = 0
    await kubernetes_call(address, "POST", "jobs", job, group="apis/batch/v1")
    await running_pods(tmp_path, "l-14", starts=2)

    await kubernetes_call(address, "POST", "pods/l-14-0/eviction")

    ended = await until(provider, "l-14", ExecutionState.FAILED)
    assert ended is not None
    assert (ended.running, ended.succeeded) == (0, 0)


async def test_one_failed_worker_does_not_end_the_others(
    cluster: tuple[str, KubernetesJobs], tmp_path: Path
) -> None:
    address, provider = cluster
    broken = json.loads(json.dumps(POD_TEMPLATE))
    broken["template"]["spec"]["containers"][0]["env"] = [{"name": "FAILS_AT", "value": "0"}]
    await kubernetes_call(address, "POST", "podtemplates", broken)
    await provider.launch(order("l-15", tmp_path))

    async def one_failed() -> Execution | None:
        found = await execution(provider, "l-15")
        return found if found and found.failed == 1 else None

    found = await eventually(one_failed, within_s=20)
    assert (found.state, found.running) == (ExecutionState.RUNNING, 1)
    (tmp_path / "end").write_text("0")
    ended = await until(provider, "l-15", ExecutionState.FAILED)
    assert ended is not None
    assert (ended.succeeded, ended.failed) == (1, 1)


async def test_the_simulated_api_refuses_a_failure_policy_that_a_cluster_refuses(
    cluster: tuple[str, KubernetesJobs], tmp_path: Path
) -> None:
    address, _ = cluster
    pod = {"spec": {"restartPolicy": "OnFailure", "containers": [{"name": "worker"}]}}
    spec = {"template": pod, "podFailurePolicy": {"rules": []}}
    job = {"kind": "Job", "metadata": {"name": "l-16"}, "spec": spec}
    answer = await kubernetes_call(address, "POST", "jobs", job, group="apis/batch/v1")
    assert (answer.status_code, "only Never" in answer.json()["message"]) == (422, True)


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "malformed"])
def test_a_wrong_file_of_authorities_is_named(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "ca.crt").write_text(content)
    environ = {
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "SIGNALBOX_AUTOSCALER_PROVIDER": "kubernetes",
        "SIGNALBOX_AUTOSCALER_KUBERNETES_TEMPLATE": "burst-worker",
        "SIGNALBOX_AUTOSCALER_KUBERNETES_CA_FILE": str(tmp_path / "ca.crt"),
    }
    settings = read_settings(Settings, prefix=PREFIX, environ=environ)
    with pytest.raises(InvalidInput, match=r"SIGNALBOX_AUTOSCALER_KUBERNETES_CA_FILE: .*ca\.crt"):
        choose(settings, environ)


async def test_tasks_of_the_local_cloud_run_start_whatever_it_answers_meanwhile() -> None:
    """It forks them, and gRPC's own fork handlers kill a child when another call is under way; they are off in its process."""
    async with cloud_run_program([sys.executable, "-c", ""]) as address:
        await set_faults(address, slow_replies=1_000, slow_reply_s=3)
        provider = CloudRunJobs(JOB, endpoint=address, run_within_s=10)
        nobody = Order(launch_id="", workers=4, timeout_s=60, environment={})

        async def launch(number: int) -> None:
            await asyncio.sleep(number * 0.05)
            await provider.launch(replace(nobody, launch_id=f"l-{number}"))

        async def ended() -> list[Execution] | None:
            found = await provider.executions()
            return list(found) if len(found) == 20 and all(item.state in ENDS for item in found) else None

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(launch(number))
            watching = [group.create_task(eventually(ended, within_s=60)) for _ in range(4)]
        assert sum(item.failed for item in watching[0].result() or ()) == 0
        await provider.aclose()
