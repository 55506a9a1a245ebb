"""Burst workers as executions of a Cloud Run Job, which somebody deployed (`k8s/cloud-run/burst-job.yaml`).

RunJob has no request id: a call that was cut off may have been taken, and asking again would launch twice. So it is asked once, and a
launch is known by its id in the environment of the listed executions.
"""

from collections.abc import Awaitable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import grpc
from google.api_core import exceptions
from google.cloud import run_v2
from google.cloud.run_v2.services.executions.transports import ExecutionsGrpcAsyncIOTransport
from google.cloud.run_v2.services.jobs.transports import JobsGrpcAsyncIOTransport

from signalbox_autoscaler.providers.provider import (
    Execution,
    ExecutionState,
    LaunchRefused,
    LaunchUncertain,
    Order,
)
from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.scaling.burst import LAUNCH_VARIABLE

RUN_WITHIN_S: Final = 15.0
_CALL_WITHIN_S: Final = 10.0
_PAGE: Final = 100
_MAX_PAGES: Final = 20
_KEPT: Final = timedelta(hours=1)
_NOT_TAKEN: Final = (
    exceptions.TooManyRequests,
    exceptions.InvalidArgument,
    exceptions.NotFound,
    exceptions.Forbidden,
    exceptions.Unauthorized,
    exceptions.FailedPrecondition,
)
"""Answers that say no; any other failure leaves it open whether the job runs."""


class CloudRunJobs:
    """Executions of `job` (`projects/P/locations/L/jobs/J`).

    Args:
        endpoint: `host:port` of a local server that speaks google.cloud.run.v2 without TLS; Google's unless given.
        container: of the job's template, which gets the environment; the only one unless given.
    """

    name = "cloud_run"
    max_workers = 10
    settles_s = 60.0

    def __init__(
        self,
        job: str,
        *,
        endpoint: str | None = None,
        container: str = "",
        run_within_s: float = RUN_WITHIN_S,
    ) -> None:
        if len(job.split("/")) != 6 or not job.startswith("projects/"):
            raise InvalidInput(
                "SIGNALBOX_AUTOSCALER_CLOUD_RUN_JOB must be like projects/P/locations/L/jobs/J",
                field="cloud_run_job",
            )
        self._job = job
        self._container = container
        self._run_within_s = run_within_s
        self._channel = grpc.aio.insecure_channel(endpoint) if endpoint else None
        if self._channel:
            self._jobs = run_v2.JobsAsyncClient(transport=JobsGrpcAsyncIOTransport(channel=self._channel))
            self._executions = run_v2.ExecutionsAsyncClient(
                transport=ExecutionsGrpcAsyncIOTransport(channel=self._channel)
            )
        else:
            self._jobs, self._executions = run_v2.JobsAsyncClient(), run_v2.ExecutionsAsyncClient()

    async def launch(self, order: Order) -> str:
        request = run_v2.RunJobRequest(name=self._job, overrides=self._overrides(order))
        try:
            # No retry: one that followed a lost answer would launch again.
            operation = await self._jobs.run_job(request, retry=None, timeout=self._run_within_s)
        except _NOT_TAKEN as error:
            raise LaunchRefused(f"Cloud Run refused launch {order.launch_id}: {error.message}") from error
        except (exceptions.GoogleAPIError, OSError) as error:
            raise LaunchUncertain(
                f"Cloud Run did not say whether it took launch {order.launch_id}: {error}"
            ) from error
        handle: str = operation.metadata.name
        return handle

    def _overrides(self, order: Order) -> run_v2.RunJobRequest.Overrides:
        variables = [run_v2.EnvVar(name=name, value=value) for name, value in sorted(order.variables.items())]
        override = run_v2.RunJobRequest.Overrides.ContainerOverride(name=self._container, env=variables)
        return run_v2.RunJobRequest.Overrides(
            container_overrides=[override],
            task_count=order.workers,
            timeout=timedelta(seconds=order.timeout_s),
        )

    async def executions(self) -> Sequence[Execution]:
        """Newest first; those that ended more than an hour ago are left out, and nothing older than them is read."""
        found: list[Execution] = []
        request = run_v2.ListExecutionsRequest(parent=self._job, page_size=_PAGE)
        try:
            pages = await self._executions.list_executions(request, timeout=_CALL_WITHIN_S)
            read = 0
            async for page in pages.pages:
                now, read = datetime.now(UTC), read + 1
                found += [
                    seen
                    for item in page.executions
                    if _is_recent(item, now) and (seen := execution_of(item, now))
                ]
                if read >= _MAX_PAGES or not any(_is_recent(item, now) for item in page.executions):
                    break
        except (exceptions.GoogleAPIError, OSError) as error:
            raise Unavailable(f"Cloud Run does not list the executions of {self._job}: {error}") from error
        return found

    async def cancel(self, handle: str) -> None:
        try:
            await self._executions.cancel_execution(name=handle, timeout=_CALL_WITHIN_S)
        except (exceptions.NotFound, exceptions.FailedPrecondition):
            return
        except (exceptions.GoogleAPIError, OSError) as error:
            raise Unavailable(f"Cloud Run does not cancel {handle}: {error}") from error

    async def aclose(self) -> None:
        for transport in (self._jobs.transport, self._executions.transport):
            await cast("Awaitable[None]", transport.close())  # type: ignore[no-untyped-call]  # the library types it as of its synchronous twin


def execution_of(seen: run_v2.Execution, now: datetime) -> Execution | None:
    """What it says of a launch of ours; None: it is somebody else's. A cancelled one ends without an error: its count tells."""
    launch_id = _launch_id(seen.template.containers)
    if launch_id is None:
        return None
    began = _instant(seen.start_time) or _instant(seen.create_time)
    until = _instant(seen.completion_time) or now
    return Execution(
        launch_id=launch_id,
        handle=seen.name,
        state=_state(seen),
        running=seen.running_count,
        succeeded=seen.succeeded_count,
        failed=seen.failed_count,
        cancelled=seen.cancelled_count,
        lasted_s=max(0.0, (until - began).total_seconds()) if began else 0.0,
    )


def _launch_id(containers: Iterable[run_v2.Container]) -> str | None:
    values = [
        variable.value
        for container in containers
        for variable in container.env
        if variable.name == LAUNCH_VARIABLE
    ]
    return values[0] if values else None


def _state(seen: run_v2.Execution) -> ExecutionState:
    if _instant(seen.completion_time) is None:
        return ExecutionState.RUNNING if seen.running_count else ExecutionState.STARTING
    if seen.cancelled_count:
        return ExecutionState.CANCELLED
    return ExecutionState.FAILED if seen.failed_count else ExecutionState.SUCCEEDED


def _is_recent(seen: run_v2.Execution, now: datetime) -> bool:
    ended_at = _instant(seen.completion_time)
    return ended_at is None or now - ended_at < _KEPT


def _instant(value: object) -> datetime | None:
    """A timestamp field, which the library gives as a datetime, or None while it is unset."""
    return value if isinstance(value, datetime) else None
