"""One job and its executions: RunJob, ListExecutions, GetExecution, CancelExecution and GetOperation."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, cast

import grpc
from google.cloud import run_v2
from google.longrunning.operations_pb2 import GetOperationRequest, Operation

from signalbox_devstack.emulators.cloud_run.faults import CloudRunFaults
from signalbox_devstack.emulators.job_execution import JobExecution

MAX_TASKS: Final = 10_000
MAX_RUNNING: Final = 1_000
_DEFAULT_TIMEOUT_S: Final = 600.0
_PAGE: Final = 100


class CloudRunError(Exception):
    """Ends a call with a status other than OK."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class JobService:
    """The API methods for the only job, named `job`.

    Args:
        command: what each task runs; empty: it waits until it is cancelled.
        cold_start_s: delay between a request and the start of its tasks.
        logs: folder for the output of the tasks.
    """

    def __init__(self, job: str, command: Sequence[str], *, cold_start_s: float, logs: Path | None) -> None:
        self.faults = CloudRunFaults()
        self._job = job
        self._command = command
        self._cold_start_s = cold_start_s
        self._logs = logs
        self._executions: dict[str, _Execution] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run_job(self, request: run_v2.RunJobRequest) -> Operation:
        self._check(request)
        running_count = sum(not item.running.ended_at for item in self._executions.values())
        if self.faults.take("refuse") or running_count >= MAX_RUNNING:
            raise CloudRunError(grpc.StatusCode.RESOURCE_EXHAUSTED, "Quota exceeded for running executions")
        execution = self._create(request)
        running = execution.running
        self._executions[running.name] = execution
        work = running.run(
            cold_start_s=self._cold_start_s,
            is_zombie=self.faults.take("zombies"),
            fails=self.faults.take("failures"),
        )
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self.faults.take("slow_replies"):
            await asyncio.sleep(self.faults.slow_reply_s)
        if self.faults.take("lost_replies"):
            raise CloudRunError(grpc.StatusCode.UNAVAILABLE, "the connection was lost")
        return operation_of(execution, self._job)

    async def list_executions(self, request: run_v2.ListExecutionsRequest) -> run_v2.ListExecutionsResponse:
        if request.parent != self._job:
            raise CloudRunError(grpc.StatusCode.NOT_FOUND, f"no job {request.parent}")
        size, start = min(request.page_size or _PAGE, _PAGE), int(request.page_token or 0)
        newest = list(reversed(self._executions.values()))
        page = [execution_of(item, self._job) for item in newest[start : start + size]]
        following = str(start + size) if start + size < len(newest) else ""
        return run_v2.ListExecutionsResponse(executions=page, next_page_token=following)

    async def get_execution(self, request: run_v2.GetExecutionRequest) -> run_v2.Execution:
        return execution_of(self._find(request.name), self._job)

    async def cancel_execution(self, request: run_v2.CancelExecutionRequest) -> Operation:
        found = self._find(request.name)
        if found.running.ended_at:
            raise CloudRunError(grpc.StatusCode.FAILED_PRECONDITION, f"{request.name} has ended")
        found.running.cancel()
        return operation_of(found, self._job)

    async def get_operation(self, request: GetOperationRequest) -> Operation:
        return operation_of(self._find(request.name.replace("/operations/", "/executions/")), self._job)

    async def close(self) -> None:
        """Cancel every execution and wait until its tasks have ended."""
        for item in self._executions.values():
            item.running.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _check(self, request: run_v2.RunJobRequest) -> None:
        if request.name != self._job:
            raise CloudRunError(grpc.StatusCode.NOT_FOUND, f"no job {request.name}")
        if not 0 <= request.overrides.task_count <= MAX_TASKS:
            raise CloudRunError(grpc.StatusCode.INVALID_ARGUMENT, f"task_count must be 1 to {MAX_TASKS}")

    def _create(self, request: run_v2.RunJobRequest) -> "_Execution":
        short = f"{self._job.rpartition('/')[2]}-{len(self._executions) + 1:05d}"
        variables = [
            variable for override in request.overrides.container_overrides for variable in override.env
        ]
        timeout = cast("timedelta | None", request.overrides.timeout)
        template = run_v2.TaskTemplate(
            containers=[run_v2.Container(name="worker", image="local", env=variables)],
            max_retries=0,
            timeout=timeout,
        )
        count = request.overrides.task_count or 1

        def environment(index: int) -> Mapping[str, str]:
            own = {
                "CLOUD_RUN_EXECUTION": short,
                "CLOUD_RUN_TASK_INDEX": str(index),
                "CLOUD_RUN_TASK_COUNT": str(count),
            }
            return {
                **{variable.name: variable.value for variable in variables},
                **own,
                "CLOUD_RUN_TASK_ATTEMPT": "0",
            }

        running = JobExecution(
            f"{self._job}/executions/{short}",
            environment,
            count=count,
            timeout_s=timeout.total_seconds() if timeout else _DEFAULT_TIMEOUT_S,
            command=self._command,
            log=self._logs / f"{short}.log" if self._logs else None,
        )
        return _Execution(running, template)

    def _find(self, name: str) -> "_Execution":
        if name not in self._executions:
            raise CloudRunError(grpc.StatusCode.NOT_FOUND, f"no execution {name}")
        return self._executions[name]


@dataclass(frozen=True)
class _Execution:
    running: JobExecution
    template: run_v2.TaskTemplate


def execution_of(item: _Execution, job: str) -> run_v2.Execution:
    """The execution as the API represents it."""
    running = item.running
    return run_v2.Execution(
        name=running.name,
        job=job.rpartition("/")[2],
        create_time=running.created_at,
        start_time=running.started_at,
        completion_time=running.ended_at,
        parallelism=running.count,
        task_count=running.count,
        template=item.template,
        reconciling=running.ended_at is None,
        running_count=running.running_count,
        succeeded_count=running.counts["succeeded"],
        failed_count=running.counts["failed"],
        cancelled_count=running.counts["cancelled"],
    )


def operation_of(item: _Execution, job: str) -> Operation:
    """The long-running operation of an execution. A cancelled one is done without an error."""
    running, execution = item.running, run_v2.Execution.pb(execution_of(item, job))
    operation = Operation(
        name=running.name.replace("/executions/", "/operations/"), done=running.ended_at is not None
    )
    operation.metadata.Pack(execution)
    if running.ended_at is not None:
        operation.response.Pack(execution)
    return operation
