"""Measures the CPU time of workflow code: of each step of a workflow task, in the thread that runs it."""

import time
from typing import Any, Final

from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import Replayer, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from signalbox_core.pipeline import PipelineSpec
from signalbox_core.pipeline.activity.loader import load_workflow, sandbox
from signalbox_core.pipeline.workflow.interceptor import RunInterceptor
from signalbox_core.temporal import data_converter
from signalbox_core.testing.emitter import FakeEmitter
from support.assertions.replays import repeat_while_busy

_REFERENCE_LOOP: Final = 4_000_000
_REFERENCE_S: Final = 0.1
"""What the loop takes on the machine for which limits are stated."""


def machine_slowness() -> float:
    """Return how much slower this machine is now than the one for which limits are stated."""
    began = time.thread_time()
    total = 0
    for number in range(_REFERENCE_LOOP):
        total += number & 7
    assert total > 0
    return (time.thread_time() - began) / _REFERENCE_S


async def measured_replay(spec: PipelineSpec, history: WorkflowHistory) -> list[float]:
    """Replay a history, again while the machine is too busy for it; return the CPU seconds of each step."""
    steps: list[float] = []

    async def play() -> None:
        steps.clear()
        replayer = Replayer(
            workflows=[load_workflow(spec)],
            data_converter=data_converter,
            workflow_runner=_MeasuredRunner(sandbox([spec]), steps),
            interceptors=[RunInterceptor(FakeEmitter().offer)],
        )
        await replayer.replay_workflow(history)

    await repeat_while_busy(play)
    return steps


class _MeasuredRunner(WorkflowRunner):
    def __init__(self, runner: WorkflowRunner, cpu_s: list[float]) -> None:
        self._runner = runner
        self._cpu_s = cpu_s

    def prepare_workflow(self, defn: Any) -> None:
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _MeasuredInstance(self._runner.create_instance(det), self._cpu_s)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._runner.set_worker_level_failure_exception_types(types)


class _MeasuredInstance(WorkflowInstance):
    def __init__(self, instance: WorkflowInstance, cpu_s: list[float]) -> None:
        self._instance = instance
        self._cpu_s = cpu_s

    def activate(self, act: Any) -> Any:
        began = time.thread_time()
        try:
            return self._instance.activate(act)
        finally:
            self._cpu_s.append(time.thread_time() - began)

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> workflow.Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()
