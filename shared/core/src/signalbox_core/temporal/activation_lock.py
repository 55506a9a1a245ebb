"""A workflow runner in which no two threads run the same workflow at once.

When workflow code does not yield for two seconds, as on a machine without CPU to spare, the SDK fails the
workflow task and evicts the workflow. It does not wait for the thread that still runs the code. The eviction
then runs beside it, finds tasks that it cannot end, and is repeated for ever: the run stays where it is until
the worker restarts. Here the eviction waits for the thread.
"""

import threading
from typing import Any

from temporalio import workflow
from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner


def lock_activations(runner: WorkflowRunner) -> WorkflowRunner:
    """Wrap `runner` so that each workflow is activated by one thread at a time."""
    return _LockingRunner(runner)


class _LockingRunner(WorkflowRunner):
    def __init__(self, runner: WorkflowRunner) -> None:
        self._runner = runner

    def prepare_workflow(self, defn: Any) -> None:
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _LockedInstance(self._runner.create_instance(det))

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._runner.set_worker_level_failure_exception_types(types)


class _LockedInstance(WorkflowInstance):
    def __init__(self, instance: WorkflowInstance) -> None:
        self._instance = instance
        self._lock = threading.Lock()

    def activate(self, act: Any) -> Any:
        with self._lock:
            return self._instance.activate(act)

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> workflow.Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()
