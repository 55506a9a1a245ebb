"""Burst workers as executions of a deployed Cloud Run Job (`k8s/cloud-run/burst-job.yaml`).

RunJob has no request id, so it is not idempotent: a retry after a lost response would launch twice. It is
called once, and a launch is recognized by its id in the environment of the listed executions.
"""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
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
    LaunchSpec,
    LaunchUncertain,
    parse_accepted,
)
from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.scaling.burst import LAUNCH_VARIABLE

RUN_TIMEOUT_S: Final = 15.0
_CALL_TIMEOUT_S: Final = 10.0
_PAGE_SIZE: Final = 100
_MAX_PAGES: Final = 20
_RECENT: Final = timedelta(hours=1)
_REFUSALS: Final = (
    exceptions.TooManyRequests,
    exceptions.InvalidArgument,
    exceptions.NotFound,
    exceptions.Forbidden,
    exceptions.Unauthorized,
    exceptions.FailedPrecondition,
)
"""Errors after which no execution was created; after any other error one may have been."""


class CloudRunJobs:
    """Executions of `job` (`projects/P/locations/L/jobs/J`).

    Args:
        endpoint: `host:port` of a local server that speaks google.cloud.run.v2 without TLS; None: Google's.
        container: name of the container that gets the environment; needed only when the job has several.
        run_timeout_s: of a RunJob call.
    """

    name = "cloud_run"
    max_workers = 10
    listing_delay_s = 60.0

    def __init__(
        self,
        job: str,
        *,
        endpoint: str | None = None,
        container: str = "",
        run_timeout_s: float = RUN_TIMEOUT_S,
    ) -> None:
        if len(job.split("/")) != 6 or not job.startswith("projects/"):
            raise InvalidInput(
                "SIGNALBOX_AUTOSCALER_CLOUD_RUN_JOB must be like projects/P/locations/L/jobs/J",
                field="cloud_run_job",
            )
        self._job = job
        self._container = container
        self._run_timeout_s = run_timeout_s
        self._channel = grpc.aio.insecure_channel(endpoint) if endpoint else None
        if self._channel:
            self._jobs = run_v2.JobsAsyncClient(transport=JobsGrpcAsyncIOTransport(channel=self._channel))
            self._executions = run_v2.ExecutionsAsyncClient(
                transport=ExecutionsGrpcAsyncIOTransport(channel=self._channel)
            )
        else:
            self._jobs, self._executions = run_v2.JobsAsyncClient(), run_v2.ExecutionsAsyncClient()

    async def launch(self, spec: LaunchSpec) -> str:
        request = run_v2.RunJobRequest(name=self._job, overrides=self._overrides(spec))
        try:
            # Never retried: after a lost response a retry would launch again.
            operation = await self._jobs.run_job(request, retry=None, timeout=self._run_timeout_s)
        except _REFUSALS as error:
            raise LaunchRefused(f"Cloud Run refused launch {spec.launch_id}: {error.message}") from error
        except (exceptions.GoogleAPIError, OSError) as error:
            raise LaunchUncertain(f"Cloud Run may have accepted launch {spec.launch_id}: {error}") from error
        handle: str = operation.metadata.name
        return handle

    def _overrides(self, spec: LaunchSpec) -> run_v2.RunJobRequest.Overrides:
        variables = [run_v2.EnvVar(name=name, value=value) for name, value in sorted(spec.variables.items())]
        override = run_v2.RunJobRequest.Overrides.ContainerOverride(name=self._container, env=variables)
        return run_v2.RunJobRequest.Overrides(
            container_overrides=[override],
            task_count=spec.workers,
            timeout=timedelta(seconds=spec.timeout_s),
        )

    async def executions(self) -> Sequence[Execution]:
        """Newest first, without those that ended more than an hour ago; stops at the first page of only
        such."""
        found: list[Execution] = []
        request = run_v2.ListExecutionsRequest(parent=self._job, page_size=_PAGE_SIZE)
        try:
            pages = await self._executions.list_executions(request, timeout=_CALL_TIMEOUT_S)
            read = 0
            async for page in pages.pages:
                now, read = datetime.now(UTC), read + 1
                found += [
                    execution
                    for item in page.executions
                    if _is_recent(item, now) and (execution := parse_execution(item, now))
                ]
                if read >= _MAX_PAGES or not any(_is_recent(item, now) for item in page.executions):
                    break
        except (exceptions.GoogleAPIError, OSError) as error:
            raise Unavailable(f"Cloud Run did not list the executions of {self._job}: {error}") from error
        return found

    async def cancel(self, handle: str) -> None:
        try:
            await self._executions.cancel_execution(name=handle, timeout=_CALL_TIMEOUT_S)
        except (exceptions.NotFound, exceptions.FailedPrecondition):
            return
        except (exceptions.GoogleAPIError, OSError) as error:
            raise Unavailable(f"Cloud Run did not cancel {handle}: {error}") from error

    async def aclose(self) -> None:
        for transport in (self._jobs.transport, self._executions.transport):
            # The library types it as synchronous.
            await cast("Awaitable[None]", transport.close())  # type: ignore[no-untyped-call]


def parse_execution(listed: run_v2.Execution, now: datetime) -> Execution | None:
    """The execution of a launch; None: it was not started by an autoscaler.

    Cancellation is read from `cancelled_count`: a cancelled execution completes without an error.
    """
    variables = _variables(listed.template.containers)
    launch_id = variables.get(LAUNCH_VARIABLE)
    if launch_id is None:
        return None
    started = _instant(listed.start_time) or _instant(listed.create_time)
    ended = _instant(listed.completion_time) or now
    return Execution(
        launch_id=launch_id,
        handle=listed.name,
        state=_state(listed),
        running=listed.running_count,
        succeeded=listed.succeeded_count,
        failed=listed.failed_count,
        cancelled=listed.cancelled_count,
        lasted_s=max(0.0, (ended - started).total_seconds()) if started else 0.0,
        accepted=parse_accepted(
            variables, workers=listed.task_count, accepted_at=_instant(listed.create_time)
        ),
    )


def _variables(containers: Iterable[run_v2.Container]) -> Mapping[str, str]:
    return {variable.name: variable.value for container in containers for variable in container.env}


def _state(listed: run_v2.Execution) -> ExecutionState:
    if _instant(listed.completion_time) is None:
        return ExecutionState.RUNNING if listed.running_count else ExecutionState.STARTING
    if listed.cancelled_count:
        return ExecutionState.CANCELLED
    return ExecutionState.FAILED if listed.failed_count else ExecutionState.SUCCEEDED


def _is_recent(listed: run_v2.Execution, now: datetime) -> bool:
    ended_at = _instant(listed.completion_time)
    return ended_at is None or now - ended_at < _RECENT


def _instant(value: object) -> datetime | None:
    """A timestamp field: the library returns its own kind of datetime, or None while it is unset."""
    return datetime.fromtimestamp(value.timestamp(), UTC) if isinstance(value, datetime) else None
