"""Loads the workflow classes and activities that a contract names, for workers and tests."""

import importlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, Final

from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from signalbox_core.pipeline.activity.deps import ActivityDeps
from signalbox_core.pipeline.contract.spec import PipelineSpec
from signalbox_core.temporal.activation_lock import lock_activations
from signalbox_core.temporal.early_creation import create_before_messages

Activity = Callable[..., Any]

_MARK: Final = "__temporal_activity_definition"
_FACTORY: Final = "Activities"
# `cryptography` imports parts of itself when a run first verifies a signature.
_SHARED: Final = ("signalbox_core", "msgspec", "cryptography", "fido2")


def load_workflow(spec: PipelineSpec) -> type:
    """Load the workflow class that `SPEC.workflow` names."""
    return _class_at(spec.workflow)


def load_workflows(spec: PipelineSpec) -> list[type]:
    """Load every workflow class of the pipeline: the run's own first, then those of `SPEC.workflows`."""
    return [_class_at(path) for path in (spec.workflow, *spec.workflows)]


def load_activities(spec: PipelineSpec, deps: ActivityDeps) -> list[Activity]:
    """Load the activities that `SPEC.activities` names.

    They come from the module's factory (a class `Activities` unless the spec names another), or else are the
    module's functions.

    Raises:
        ValueError: the module has no activities.
    """
    module_name, _, name = spec.activities.partition(":")
    module = importlib.import_module(module_name)
    factory = getattr(module, name or _FACTORY, None)
    holder = factory(deps) if factory is not None else module
    found = list(holder) if isinstance(holder, Sequence) else activities_of(holder)
    if not found:
        raise ValueError(
            f"pipeline {spec.name}: {spec.activities} has no @activity.defn function; correct SPEC.activities"
        )
    return found


def activities_of(holder: object) -> list[Activity]:
    """Return the `@activity.defn` methods of an object, or functions of a module."""
    members = (member for _, member in inspect.getmembers(holder, callable) if hasattr(member, _MARK))
    if isinstance(holder, ModuleType):
        # A class in the module may expose its methods as functions; those are not activities of the module.
        return [member for member in members if "." not in member.__qualname__]
    return list(members)


def sandbox(specs: Iterable[PipelineSpec]) -> WorkflowRunner:
    """Create Temporal's sandbox. It reloads workflow modules; contracts and activities pass through."""
    names = {*_SHARED}
    for spec in specs:
        names |= {spec.input.__module__, spec.result.__module__, spec.activities.partition(":")[0]}
        names.add(f"{spec.workflow.partition(':')[0].rpartition('.')[0]}.contract")
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*sorted(names))
    return lock_activations(create_before_messages(SandboxedWorkflowRunner(restrictions=restrictions)))


def _class_at(path: str) -> type:
    module, _, name = path.partition(":")
    found: type = getattr(importlib.import_module(module), name)
    return found
