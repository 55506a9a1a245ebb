"""Builds of the workers of `deploys`, each with another release of the workflow, on one deployment."""

import os
import uuid
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentVersionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.ids import run_key
from signalbox_core.pipeline import PipelineSpec
from signalbox_core.pipeline.activity.loader import load_workflows
from signalbox_core.pipeline.contract.spec import Versioning
from signalbox_core.temporal.builds import WorkerBuild, serving_build
from signalbox_core.temporal.deployments import MakeCurrent, WorkerDeployments
from signalbox_core.temporal.names import MEMO_STARTED_BY, MEMO_TENANT
from signalbox_core.temporal.task_failures import last_task_failure
from signalbox_core.testing.emitter import FakeEmitter
from signalbox_core.testing.run_under_test import RunUnderTest
from signalbox_worker.deployment import deployment_config, ensure_current
from signalbox_worker.pipelines import PipelineCode
from signalbox_worker.settings import Settings
from signalbox_worker.worker import WorkerBuilder
from support.assertions.eventually import eventually
from support.deploys.activities import finish, prepare, prepare_otherwise
from support.deploys.contract import SPEC, DeploysInput, DeploysResult

RUNS: Final = int(os.environ.get("SIGNALBOX_TEST_WAITING_RUNS", "20"))
_ACTIVITIES: Final = 4
BREAKING: Final = ("RenamedActivity", "AddedActivity", "RemovedActivity", "AskedFirst", "EditedContract")
"""A step renamed, a step added before the question, a step removed, the order changed, the input changed."""


def release_spec(release: str, versioning: Versioning = "auto-upgrade") -> PipelineSpec:
    """The contract of a release of the workflow."""
    return replace(SPEC, workflow=f"support.deploys.workflow:{release}", versioning=versioning)


class Fleet:
    """The workers of one deployment on a task queue of its own.

    Attributes:
        name: of the deployment; empty for unversioned workers.
        max_cached: with 0, every workflow task replays its run.
    """

    def __init__(self, client: Client, versioning: Versioning, *, name: str | None = None) -> None:
        self.client = client
        self.name = f"deploys-{uuid.uuid4().hex[:8]}" if name is None else name
        self.task_queue = f"deploys-{uuid.uuid4().hex[:8]}"
        self.emitter = FakeEmitter()
        self.max_cached = 0
        self._versioning = versioning

    @asynccontextmanager
    async def build(self, build_id: str, release: str, *more_queues: str) -> AsyncIterator[None]:
        """Run a worker of a build for each queue; the first build becomes current."""
        spec = release_spec(release, self._versioning)
        code = PipelineCode(
            spec=spec,
            workflows=tuple(load_workflows(spec)),
            activities=(prepare, prepare_otherwise, finish),
        )
        settings = Settings(
            receiver_url="http://receiver/v1/events",
            keyid="worker",
            private_key_file="",
            objects_url="memory://",
            deployment_name=self.name or None,
            build_id=build_id if self.name else None,
            max_activities=_ACTIVITIES,
            max_cached_workflows=self.max_cached,
        )
        async with AsyncExitStack() as stack:
            builder = WorkerBuilder(
                client=self.client,
                emitter=self.emitter,
                threads=stack.enter_context(ThreadPoolExecutor(_ACTIVITIES)),
                settings=settings,
                deployment=(deployment := deployment_config(settings)),
            )
            if deployment is not None:
                await ensure_current(self.client, deployment.version)
            for task_queue in (self.task_queue, *more_queues):
                await stack.enter_async_context(builder.worker(task_queue, [code]))
            yield

    async def wait_until_known(self, *builds: str) -> None:
        """Wait until Temporal has seen the workers of these builds poll for workflow tasks and activities."""

        async def are_known() -> bool:
            return all([len(await self._queues(build)) >= 2 for build in builds])

        await eventually(are_known, within_s=60, every_s=0.2)

    async def _queues(self, build_id: str) -> list[Any]:
        request = DescribeWorkerDeploymentVersionRequest(
            namespace=self.client.namespace,
            deployment_version=WorkerDeploymentVersion(deployment_name=self.name, build_id=build_id),
        )
        try:
            found = await self.client.workflow_service.describe_worker_deployment_version(request)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return []
        return list(found.version_task_queues)

    async def promote(self, build_id: str) -> None:
        """Make a build current."""
        await self.wait_until_known(build_id)
        await WorkerDeployments(self.client).change(self.name, lambda _: MakeCurrent(build_id=build_id))

    async def start(self, request: Struct | None = None, *, run_id: str | None = None) -> RunUnderTest:
        handle: WorkflowHandle[Any, Any] = await self.client.start_workflow(
            SPEC.name,
            request or DeploysInput(),
            id=run_key("acme", run_id or f"deploys-{uuid.uuid4().hex[:12]}"),
            task_queue=self.task_queue,
            memo={MEMO_TENANT: "acme", MEMO_STARTED_BY: "tester"},
            result_type=DeploysResult,
        )
        return RunUnderTest(handle, self.emitter, converter=self.client.data_converter)


async def until_all_asked(runs: Sequence[RunUnderTest], *, within_s: float) -> None:
    """Wait until each run has asked its question. The events are read once, not for each run."""

    def have_asked() -> bool:
        events = runs[0].emitter.milestones
        asked = {event.runid for event in events if event.name == "approval.requested"}
        return asked.issuperset(run.run_id for run in runs)

    await eventually(have_asked, within_s=within_s, every_s=0.1)


async def build_of(run: RunUnderTest) -> str | None:
    """The build that executes a run."""
    found: WorkerBuild | None = serving_build(await _versioning_info(run))
    return found.build_id if found is not None else None


async def failing(client: Client, runs: Sequence[RunUnderTest]) -> list[str]:
    """The runs that are blocked: their workflow task fails, and not because a worker was too slow."""
    return [run.handle.id for run in runs if await is_blocked(client, run)]


async def is_blocked(client: Client, run: RunUnderTest) -> bool:
    described = (await run.handle.describe()).raw_description
    if described.pending_workflow_task.attempt < 2:
        return False
    failure = await last_task_failure(client, run.handle.id, deadline=timedelta(seconds=10))
    return failure is not None and failure.cause != "timed_out"


async def _versioning_info(run: RunUnderTest) -> Any:
    return (await run.handle.describe()).raw_description.workflow_execution_info.versioning_info
