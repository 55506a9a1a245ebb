"""A workflow sandbox that skips the lookup of serialization contexts.

The SDK enters the sandbox several times for every payload of a workflow task, to find the context in which
it is encoded. The codec needs only the workflow of the task, which is known outside the sandbox; entering it
takes a third of a worker's CPU time in a step of 25 small activities.
"""

from typing import Any

from temporalio.converter import (
    DataConverter,
    StorageDriverStoreContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from signalbox_core.temporal.claim_check import ClaimCheckCodec
from signalbox_core.temporal.codec import SealedPayloads
from signalbox_core.temporal.workflow_wrappers import WrappedInstance, WrappedRunner


def skip_context_lookups(runner: WorkflowRunner, converter: DataConverter) -> WorkflowRunner:
    """Wrap `runner`, unless `converter` needs more context than the workflow of the task."""
    codec = converter.payload_codec
    is_simple = isinstance(codec, ClaimCheckCodec | SealedPayloads) or not isinstance(
        codec, WithSerializationContext
    )
    if not is_simple or converter.external_storage is not None:
        return runner
    return WrappedRunner(runner, _with_single_context)


def _with_single_context(instance: WorkflowInstance, details: WorkflowInstanceDetails) -> WorkflowInstance:
    context = WorkflowSerializationContext(details.info.namespace, details.info.workflow_id)
    return _SingleContextInstance(instance, context)


class _SingleContextInstance(WrappedInstance):
    def __init__(self, instance: WorkflowInstance, context: WorkflowSerializationContext) -> None:
        super().__init__(instance)
        self._context = context

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
