"""The workflow runner of a worker: the sandbox with its wrappers, and the versioning of the contracts."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.converter import DataConverter
from temporalio.worker import (
    WorkerDeploymentConfig,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)

from signalbox_core.pipeline.activity.loader import sandbox
from signalbox_core.pipeline.contract.spec import Versioning
from signalbox_core.temporal.sealed_messages import mark_unsealed_messages
from signalbox_core.temporal.workflow_wrappers import WrappedInstance, WrappedRunner
from signalbox_worker.pipelines import PipelineCode
from signalbox_worker.sandbox_shortcut import skip_context_lookups

_BEHAVIORS: Final[Mapping[Versioning, VersioningBehavior]] = {
    "auto-upgrade": VersioningBehavior.AUTO_UPGRADE,
    "pinned": VersioningBehavior.PINNED,
}


def workflow_runner(
    codes: Sequence[PipelineCode], converter: DataConverter, deployment: WorkerDeploymentConfig | None
) -> WorkflowRunner:
    """Build the runner for the workflows of these pipelines."""
    sandboxed = skip_context_lookups(sandbox([code.spec for code in codes]), converter)
    runner = mark_unsealed_messages(sandboxed, converter)
    return runner if deployment is None else apply_versioning(runner, versioning_behaviors(codes))


def versioning_behaviors(codes: Sequence[PipelineCode]) -> dict[str, VersioningBehavior]:
    """Return the behavior of each workflow type, as the pipelines' contracts declare it."""
    return {
        str(_definition(kind).name): _BEHAVIORS[code.spec.versioning]
        for code in codes
        for kind in code.workflows
    }


def apply_versioning(runner: WorkflowRunner, behaviors: Mapping[str, VersioningBehavior]) -> WorkflowRunner:
    """Wrap `runner` so that workflow tasks report these behaviors.

    The SDK has one default for all workflow types of a worker, and reads others from the classes only. A
    class that declares a behavior keeps it.
    """

    def wrap(instance: WorkflowInstance, details: WorkflowInstanceDetails) -> WorkflowInstance:
        behavior = behaviors.get(details.info.workflow_type)
        return instance if behavior is None else _VersionedInstance(instance, behavior)

    return WrappedRunner(runner, wrap)


class _VersionedInstance(WrappedInstance):
    def __init__(self, instance: WorkflowInstance, behavior: VersioningBehavior) -> None:
        super().__init__(instance)
        self._behavior = behavior

    def activate(self, act: Any) -> Any:
        completion = super().activate(act)
        if completion.HasField("successful") and not completion.successful.versioning_behavior:
            completion.successful.versioning_behavior = self._behavior.value
        return completion


def _definition(kind: type) -> Any:
    return workflow._Definition.must_from_class(kind)
