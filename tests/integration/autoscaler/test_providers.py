"""Every provider satisfies the same contract, each over its real interface."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_autoscaler.actuate.executor import build_launch_spec
from signalbox_autoscaler.model import Launch, ScalingPolicy
from signalbox_autoscaler.providers.cloud_run import CloudRunJobs
from signalbox_autoscaler.providers.factory import create_provider
from signalbox_autoscaler.providers.kubernetes import KubernetesJobs
from signalbox_autoscaler.providers.kubernetes_job import build_burst_job
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

    return (await eventually(reached, within_s=60))[0]


async def test_a_launch_runs_its_workers_each_with_its_index(provider: Provider, tmp_path: Path) -> None:
    handle = await provider.launch(spec_of("l-1", tmp_path))
    found = await until(provider, "l-1", ExecutionState.RUNNING)
    assert found is not None
    assert found.handle == handle
    await eventually(
        lambda: {path.name for path in tmp_path.glob("l-1-*")} == {"l-1-0", "l-1-1"}, within_s=60
    )
    await eventually(lambda: (tmp_path / "l-1-0").read_text() == "green\n")
    (tmp_path / "end").write_text("0")

    ended = await until(provider, "l-1", ExecutionState.SUCCEEDED)

    assert ended is not None
    assert (ended.running, ended.succeeded, ended.failed) == (0, 2, 0)
    assert ended.lasted_s >= 0


async def test_the_list_shows_what_was_requested(provider: Provider, tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    now = before + timedelta(seconds=1)
    launch = Launch(launch_id="l-15", queue="q", workers=2, slots=20, requested_at=now, eta_at=now)
    spec = build_launch_spec(launch, ScalingPolicy())
    await provider.launch(replace(spec, environment={**spec.environment, "OUT": str(tmp_path), "COLOUR": ""}))
    await provider.launch(spec_of("l-16", tmp_path))

    found, other = await execution(provider, "l-15"), await execution(provider, "l-16")

    assert found is not None
    assert found.accepted is not None
    assert (found.accepted.queue, found.accepted.slots, found.accepted.workers) == ("q", 20, 2)
    assert before <= found.accepted.accepted_at <= datetime.now(UTC)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Execution) == found
    assert other is not None
    assert other.accepted is None, "it was not requested by an autoscaler"


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
        lambda: {path.name for path in tmp_path.glob("l-6-*")} == {"l-6-0", "l-6-1"}, within_s=60
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
        provider = CloudRunJobs(JOB, endpoint=address, run_timeout_s=3)
        await set_faults(address, refuse=1)
        with pytest.raises(LaunchRefused, match="Quota exceeded"):
            await provider.launch(spec_of("refused", tmp_path))
        await set_faults(address, slow_replies=1, slow_reply_s=20)
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
        else KubernetesJobs(f"http://{address}", "signalbox", "burst-worker", token_file=tmp_path / "token")
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


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[tuple[str, KubernetesJobs]]:
    """The address of an emulated API server with the PodTemplate, and a provider that uses it."""
    (tmp_path / "token").write_text("secret")
    async with kubernetes_program([sys.executable, "-c", TASK]) as address:
        await kubernetes_call(address, "POST", "podtemplates", POD_TEMPLATE)
        provider = KubernetesJobs(
            f"http://{address}", "signalbox", "burst-worker", token_file=tmp_path / "token"
        )
        yield address, provider
        (tmp_path / "end").write_text("0")
        await provider.aclose()


async def wait_for_pods(folder: Path, launch_id: str, *, starts: int) -> None:
    """Wait until both indexes have a pod and `starts` pods have been started in all."""

    def started() -> bool:
        files = list(folder.glob(f"{launch_id}-*"))
        return len(files) == 2 and sum(len(path.read_text().split()) for path in files) == starts

    await eventually(started, within_s=60)


@pytest.mark.parametrize("template", ["no-such-template", "empty"])
async def test_a_missing_or_empty_pod_template_refuses_the_launch(
    cluster: tuple[str, KubernetesJobs], tmp_path: Path, template: str
) -> None:
    address, _ = cluster
    empty = {"metadata": {"name": "empty"}, "template": {"spec": {"containers": []}}}
    await kubernetes_call(address, "POST", "podtemplates", empty)
    provider = KubernetesJobs(f"http://{address}", "signalbox", template, token_file=tmp_path / "token")
    with pytest.raises(LaunchRefused, match=f"not requested: .*podtemplates/{template}"):
        await provider.launch(spec_of("l-10", tmp_path))
    assert await provider.executions() == []
    await provider.aclose()


async def test_the_template_setting_must_be_a_resource_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="KUBERNETES_TEMPLATE"):
        KubernetesJobs("http://127.0.0.1", "signalbox", "/config/job.json", token_file=tmp_path / "token")


async def test_a_changed_pod_template_reaches_the_next_launch(
    cluster: tuple[str, KubernetesJobs], tmp_path: Path
) -> None:
    address, provider = cluster
    await provider.launch(spec_of("l-11", tmp_path))
    changed = json.loads(json.dumps(POD_TEMPLATE).replace("signalbox/worker", "signalbox/worker:v2"))
    await kubernetes_call(address, "POST", "podtemplates", changed)
    await provider.launch(spec_of("l-12", tmp_path))

    images = []
    for name in ("l-11", "l-12"):
        job = (await kubernetes_call(address, "GET", f"jobs/{name}", group="apis/batch/v1")).json()
        images.append(job["spec"]["template"]["spec"]["containers"][0]["image"])
    assert images == ["registry.invalid/signalbox/worker", "registry.invalid/signalbox/worker:v2"]


async def test_annotations_of_the_pod_template_are_kept(
    cluster: tuple[str, KubernetesJobs], tmp_path: Path
) -> None:
    address, provider = cluster
    changed = json.loads(json.dumps(POD_TEMPLATE))
    annotations = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    changed["template"]["metadata"]["annotations"] = annotations
    await kubernetes_call(address, "POST", "podtemplates", changed)
    await provider.launch(spec_of("l-17", tmp_path))

    job = (await kubernetes_call(address, "GET", "jobs/l-17", group="apis/batch/v1")).json()

    assert job["spec"]["template"]["metadata"] == {
        "annotations": annotations,
        "labels": {"app.kubernetes.io/component": "burst", "app.kubernetes.io/name": "burst-worker"},
    }


async def test_an_evicted_pod_is_replaced_and_the_others_keep_running(
    cluster: tuple[str, KubernetesJobs], tmp_path: Path
) -> None:
    address, provider = cluster
    await provider.launch(spec_of("l-13", tmp_path))
    await wait_for_pods(tmp_path, "l-13", starts=2)

    assert (await kubernetes_call(address, "POST", "pods/l-13-0/eviction")).status_code == 201
    await wait_for_pods(tmp_path, "l-13", starts=3)

    found = await execution(provider, "l-13")
    assert found is not None
    assert (found.state, found.running, found.failed) == (ExecutionState.RUNNING, 2, 0)
    assert len((tmp_path / "l-13-1").read_text().split()) == 1
    (tmp_path / "end").write_text("0")
    ended = await until(provider, "l-13", ExecutionState.SUCCEEDED)
    assert ended is not None
    assert ended.succeeded == 2


async def test_with_a_backoff_limit_for_the_whole_job_an_eviction_ends_all_pods(
    cluster: tuple[str, KubernetesJobs], tmp_path: Path
) -> None:
    """The Kubernetes rule that burst Jobs avoid; the emulator implements it."""
    address, provider = cluster
    job = json.loads(
        json.dumps(
            build_burst_job(
                POD_TEMPLATE["template"],
                launch_id="l-14",
                workers=2,
                timeout_s=300,
                variables=spec_of("l-14", tmp_path).variables,
            )
        )
    )
    del job["spec"]["backoffLimitPerIndex"], job["spec"]["podFailurePolicy"]
    job["spec"]["backoffLimit"] = 0
    await kubernetes_call(address, "POST", "jobs", job, group="apis/batch/v1")
    await wait_for_pods(tmp_path, "l-14", starts=2)

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
    await provider.launch(spec_of("l-15", tmp_path))

    async def one_failed() -> Execution | None:
        found = await execution(provider, "l-15")
        return found if found and found.failed == 1 else None

    found = await eventually(one_failed, within_s=60)
    assert (found.state, found.running) == (ExecutionState.RUNNING, 1)
    (tmp_path / "end").write_text("0")
    ended = await until(provider, "l-15", ExecutionState.FAILED)
    assert ended is not None
    assert (ended.succeeded, ended.failed) == (1, 1)


async def test_the_emulator_rejects_an_invalid_failure_policy(
    cluster: tuple[str, KubernetesJobs], tmp_path: Path
) -> None:
    address, _ = cluster
    pod = {"spec": {"restartPolicy": "OnFailure", "containers": [{"name": "worker"}]}}
    spec = {"template": pod, "podFailurePolicy": {"rules": []}}
    job = {"kind": "Job", "metadata": {"name": "l-16"}, "spec": spec}
    response = await kubernetes_call(address, "POST", "jobs", job, group="apis/batch/v1")
    assert (response.status_code, "only Never" in response.json()["message"]) == (422, True)


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "malformed"])
def test_an_invalid_ca_file_is_named(tmp_path: Path, content: str | None) -> None:
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
        create_provider(settings, environ)


async def test_tasks_of_the_emulated_cloud_run_start_during_concurrent_calls() -> None:
    """The emulator forks: gRPC fork handlers would kill a child during another call, so it disables them."""
    async with cloud_run_program([sys.executable, "-c", ""]) as address:
        await set_faults(address, slow_replies=1_000, slow_reply_s=3)
        provider = CloudRunJobs(JOB, endpoint=address, run_timeout_s=60)
        template = LaunchSpec(launch_id="", workers=4, timeout_s=120, environment={})

        async def launch(number: int) -> None:
            await asyncio.sleep(number * 0.05)
            await provider.launch(replace(template, launch_id=f"l-{number}"))

        async def ended() -> list[Execution] | None:
            found = await provider.executions()
            return list(found) if len(found) == 20 and all(item.state in ENDS for item in found) else None

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(launch(number))
            watching = [group.create_task(eventually(ended, within_s=120)) for _ in range(4)]
        assert sum(item.failed for item in watching[0].result() or ()) == 0
        await provider.aclose()
