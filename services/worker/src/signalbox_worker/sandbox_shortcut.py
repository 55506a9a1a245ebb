"""A workflow sandbox that skips the lookup of serialization contexts.

The SDK enters the sandbox several times for every payload of a workflow task, to find the context in which
it is encoded. The codec needs only the workflow of the task, which is known outside the sandbox; entering it
takes a third of a worker's CPU time in a step of 25 small activities.
"""

from typing import Any

from temporalio import workflow
from temporalio.converter import (
    DataConverter,
    StorageDriverStoreContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from signalbox_core.temporal.claim_check import ClaimCheckCodec
from signalbox_core.temporal.codec import SealedPayloads


def skip_context_lookups(runner: WorkflowRunner, converter: DataConverter) -> WorkflowRunner:
    """Wrap `runner`, unless `converter` needs more context than the workflow of the task."""
    codec = converter.payload_codec
    is_simple = isinstance(codec, ClaimCheckCodec | SealedPayloads) or not isinstance(
        codec, WithSerializationContext
    )
    return _SingleContextRunner(runner) if is_simple and converter.external_storage is None else runner


class _SingleContextRunner(WorkflowRunner):
    def __init__(self, runner: WorkflowRunner) -> None:
        self._runner = runner

    def prepare_workflow(self, defn: Any) -> None:
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        context = WorkflowSerializationContext(det.info.namespace, det.info.workflow_id)
        return _SingleContextInstance(self._runner.create_instance(det), context)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._runner.set_worker_level_failure_exception_types(types)


class _SingleContextInstance(WorkflowInstance):
    def __init__(self, instance: WorkflowInstance, context: WorkflowSerializationContext) -> None:
        self._instance = instance
        self._context = context

    def activate(self, act: Any) -> Any:
        return self._instance.activate(act)

    def get_serialization_context(
        self,
        command_info: Any,  # noqa: ARG002 - the interface's
    ) -> WorkflowSerializationContext:
        return self._context

    def get_external_store_context(
        self,
        command_info: Any,  # noqa: ARG002 - the interface
    ) -> StorageDriverStoreContext:
        return StorageDriverStoreContext(target=None)

    def get_info(self) -> workflow.Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()
