"""A workflow runner in which no two threads run the same workflow at once.

When workflow code does not yield for two seconds, as on a machine without CPU to spare, the SDK fails the
workflow task and evicts the workflow. It does not wait for the thread that still runs the code. The eviction
then runs concurrently, finds tasks that it cannot end, and is repeated forever: the run is stuck until the
worker restarts. Here the eviction waits for the thread.
"""

import threading
from typing import Any

from temporalio.worker import WorkflowInstance, WorkflowRunner

from signalbox_core.temporal.workflow_wrappers import WrappedInstance, WrappedRunner


def lock_activations(runner: WorkflowRunner) -> WorkflowRunner:
    """Wrap `runner` so that each workflow is activated by one thread at a time."""
    return WrappedRunner(runner, lambda instance, _: _LockedInstance(instance))


class _LockedInstance(WrappedInstance):
    def __init__(self, instance: WorkflowInstance) -> None:
        super().__init__(instance)
        self._lock = threading.Lock()

    def activate(self, act: Any) -> Any:
        with self._lock:
            return super().activate(act)
