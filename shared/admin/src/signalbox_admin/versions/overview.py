"""What each build of the workers serves: its state, its open runs, and the queues that its workers poll."""

import asyncio
from datetime import datetime

from msgspec import Struct
from temporalio.client import Client

from signalbox_admin.versions.canary import count_pinned, version_query
from signalbox_core.temporal.builds import Build, BuildState, WorkerBuild
from signalbox_core.temporal.deployments import WorkerDeployments


class BuildOverview(Struct, frozen=True, kw_only=True):
    """One build.

    Attributes:
        is_drained: it gets no run, and no open run is pinned to it, so its workers may be stopped.
        open_runs: open workflows whose latest workflow task it has completed.
        pinned_runs: those of them that complete on this build.
        has_workers: workers of the build poll at least one queue.
        unserved_queues: task queues that its workers have polled and do not poll now.
    """

    deployment: str
    build: str
    state: BuildState
    percent: float
    since: datetime | None
    is_drained: bool
    open_runs: int
    pinned_runs: int
    has_workers: bool
    unserved_queues: tuple[str, ...]


async def describe_builds(client: Client, name: str | None = None) -> list[BuildOverview]:
    """Describe the builds of one deployment, or of all.

    Raises:
        NotFound: there is no such deployment.
        Unavailable: Temporal does not respond.
    """
    deployments = WorkerDeployments(client)
    found = [await deployments.describe(each) for each in ([name] if name else await deployments.names())]
    reader = _BuildReader(client, deployments)
    return [await reader.read(deployment.name, build) for deployment in found for build in deployment.builds]


class _BuildReader:
    def __init__(self, client: Client, deployments: WorkerDeployments) -> None:
        self._client = client
        self._deployments = deployments
        self._polling: dict[str, frozenset[WorkerBuild]] = {}

    async def read(self, name: str, build: Build) -> BuildOverview:
        key = WorkerBuild(name, build.build_id)
        query = f"ExecutionStatus = 'Running' AND {version_query(key)}"
        open_runs, pinned_runs, queues = await asyncio.gather(
            self._client.count_workflows(query),
            count_pinned(self._client, key),
            self._deployments.task_queues(name, build.build_id),
        )
        served = {queue for queue in queues if key in await self._builds_of(queue)}
        return BuildOverview(
            deployment=name,
            build=build.build_id,
            state=build.state,
            percent=build.percent,
            since=build.since,
            is_drained=build.state is BuildState.DRAINED and pinned_runs == 0,
            open_runs=open_runs.count,
            pinned_runs=pinned_runs,
            has_workers=bool(served),
            unserved_queues=tuple(queue for queue in queues if queue not in served),
        )

    async def _builds_of(self, queue: str) -> frozenset[WorkerBuild]:
        if queue not in self._polling:
            self._polling[queue] = await self._deployments.polling_builds(queue)
        return self._polling[queue]
