"""Measures the CPU time of workflow code: of each step of a workflow task, in the thread that runs it."""

import time
from typing import Any, Final

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, WorkflowInstance, WorkflowRunner

from signalbox_core.pipeline import PipelineSpec
from signalbox_core.pipeline.activity.loader import load_workflow, sandbox
from signalbox_core.pipeline.workflow.interceptor import RunInterceptor
from signalbox_core.temporal import data_converter
from signalbox_core.temporal.workflow_wrappers import WrappedInstance, WrappedRunner
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
            workflow_runner=measured_runner(sandbox([spec]), steps),
            interceptors=[RunInterceptor(FakeEmitter().offer)],
        )
        await replayer.replay_workflow(history)

    await repeat_while_busy(play)
    return steps


def measured_runner(runner: WorkflowRunner, steps: list[float]) -> WorkflowRunner:
    """Wrap a runner so that it appends the CPU seconds of each step of its workflow tasks."""
    return WrappedRunner(runner, lambda instance, _: _MeasuredInstance(instance, steps))


class _MeasuredInstance(WrappedInstance):
    def __init__(self, instance: WorkflowInstance, cpu_s: list[float]) -> None:
        super().__init__(instance)
        self._cpu_s = cpu_s

    def activate(self, act: Any) -> Any:
        began = time.thread_time()
        try:
            return super().activate(act)
        finally:
            self._cpu_s.append(time.thread_time() - began)
