"""Wrappers of a workflow runner and its instances that pass every call on, to override single methods."""

from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

Wrap = Callable[[WorkflowInstance, WorkflowInstanceDetails], WorkflowInstance]


class WrappedRunner(WorkflowRunner):
    """Creates the instances of another runner, each wrapped by `wrap`."""

    def __init__(self, runner: WorkflowRunner, wrap: Wrap) -> None:
        self._runner = runner
        self._wrap = wrap

    def prepare_workflow(self, defn: Any) -> None:
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return self._wrap(self._runner.create_instance(det), det)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._runner.set_worker_level_failure_exception_types(types)


class WrappedInstance(WorkflowInstance):
    """Behaves as the instance that it wraps."""

    def __init__(self, instance: WorkflowInstance) -> None:
        self._instance = instance

    def activate(self, act: Any) -> Any:
        return self._instance.activate(act)

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> workflow.Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()
