"""A workflow runner that creates the workflow object before its first messages are delivered.

The SDK creates the object when its code first runs. In a replay that is for the patches of the history,
before signals and updates. In the first execution it is with them, and a signal whose handler is registered
in `__init__` is then handled after the updates that arrived with it. With other commands than in the history,
the replay would block the run.
"""

from typing import Any, Final

from temporalio.worker import WorkflowRunner

from signalbox_core.temporal.workflow_wrappers import WrappedInstance, WrappedRunner

_NO_PATCH: Final = "signalbox.no-patch"
"""An id that no code passes to `workflow.patched`."""


def create_before_messages(runner: WorkflowRunner) -> WorkflowRunner:
    """Wrap `runner` so that the first activation begins as in a replay of a history with patches."""
    return WrappedRunner(runner, lambda instance, _: _EarlyInstance(instance))


class _EarlyInstance(WrappedInstance):
    def activate(self, act: Any) -> Any:
        if any(job.HasField("initialize_workflow") for job in act.jobs):
            act.jobs.add().notify_has_patch.patch_id = _NO_PATCH
        return super().activate(act)
