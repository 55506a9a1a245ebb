"""Loading what a contract names: the workflow class, the activities, and the sandbox they run in. For workers and tests only."""

import importlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, Final

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from signalbox_core.pipeline.activity.deps import ActivityDeps
from signalbox_core.pipeline.contract.spec import PipelineSpec

Activity = Callable[..., Any]

_MARK: Final = "__temporal_activity_definition"
_FACTORY: Final = "Activities"
_SHARED: Final = ("signalbox_core", "msgspec")


def load_workflow(spec: PipelineSpec) -> type:
    """The workflow class that `SPEC.workflow` names."""
    return _class_at(spec.workflow)


def load_workflows(spec: PipelineSpec) -> list[type]:
    """Every workflow class of the pipeline: the run's own first, then those of `SPEC.workflows`."""
    return [_class_at(place) for place in (spec.workflow, *spec.workflows)]


def load_activities(spec: PipelineSpec, deps: ActivityDeps) -> list[Activity]:
    """The activities that `SPEC.activities` names: made by its factory (class `Activities` unless named), else the module's functions.

    Raises:
        ValueError: there are none.
    """
    module_name, _, name = spec.activities.partition(":")
    module = importlib.import_module(module_name)
    factory = getattr(module, name or _FACTORY, None)
    made = factory(deps) if factory is not None else module
    found = list(made) if isinstance(made, Sequence) else activities_of(made)
    if not found:
        raise ValueError(
            f"pipeline {spec.name}: {spec.activities} has no @activity.defn function; SPEC.activities names another place"
        )
    return found


def activities_of(holder: object) -> list[Activity]:
    """The `@activity.defn` methods of an object, or functions of a module."""
    members = (member for _, member in inspect.getmembers(holder, callable) if hasattr(member, _MARK))
    if isinstance(holder, ModuleType):
        # An unbound method's function is no activity of its own.
        return [member for member in members if "." not in member.__qualname__]
    return list(members)


def sandbox(specs: Iterable[PipelineSpec]) -> SandboxedWorkflowRunner:
    """Temporal's sandbox; contracts, activities and the library pass through, so only workflow modules are imported anew."""
    names = {*_SHARED}
    for spec in specs:
        names |= {spec.input.__module__, spec.result.__module__, spec.activities.partition(":")[0]}
        names.add(f"{spec.workflow.partition(':')[0].rpartition('.')[0]}.contract")
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*sorted(names))
    )


def _class_at(place: str) -> type:
    module, _, name = place.partition(":")
    found: type = getattr(importlib.import_module(module), name)
    return found
