"""Which pipelines a worker serves, and their code. A pipeline whose code cannot be loaded is skipped."""

import importlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from temporalio import activity, workflow
from temporalio.worker import WorkflowRunner

from signalbox_core.errors import InvalidInput, SignalboxError
from signalbox_core.pipeline import PipelineSpec
from signalbox_core.pipeline.activity.loader import Activity, load_activities, load_workflows, sandbox
from signalbox_core.pipeline.contract.discovery import InstalledPipelines
from signalbox_core.pipeline.deps import ActivityDeps

log = logging.getLogger(__name__)

_RESERVED: Final = "signalbox."
"""Begins the names of the workflows and activities that every worker serves."""
_DYNAMIC: Final = "(any name)"
"""In the place of a name: of a definition that serves every name."""


class PipelineCode(Struct, frozen=True, kw_only=True):
    """The contract of a pipeline, its workflow classes and its activities."""

    spec: PipelineSpec
    workflows: tuple[type, ...]
    activities: tuple[Activity, ...] = ()


def select_pipelines(
    specs: Mapping[str, PipelineSpec], requested: frozenset[str], problems: Sequence[str] = ()
) -> list[PipelineSpec]:
    """Return the pipelines that this worker serves: the requested ones and their children, or all.

    Args:
        problems: why other installed pipelines have no contract; the error message has them.

    Raises:
        InvalidInput: a requested pipeline is not installed, or none is installed.
    """
    skipped = "".join(f"; skipped: {problem}" for problem in problems)
    unknown = sorted(requested - set(specs))
    if unknown:
        installed = ", ".join(sorted(specs)) or "none"
        raise InvalidInput(
            f"SIGNALBOX_WORKER_PIPELINES: no pipeline {unknown[0]!r}; installed: {installed}{skipped}",
            field="pipelines",
        )
    requested |= {child.name for name in requested for child in specs[name].family}
    chosen = [spec for name, spec in sorted(specs.items()) if not requested or name in requested]
    if not chosen:
        raise InvalidInput(
            "no pipeline is installed: install a package with the entry point group `signalbox.pipelines`"
            + skipped
        )
    return chosen


def group_by_queue(
    specs: Sequence[PipelineSpec], requested: frozenset[str] = frozenset()
) -> dict[str, list[PipelineSpec]]:
    """Group pipelines by task queue; only the requested queues, if any are given.

    Raises:
        InvalidInput: no pipeline uses a requested queue.
    """
    queues: dict[str, list[PipelineSpec]] = {}
    for spec in specs:
        queues.setdefault(spec.task_queue, []).append(spec)
    unknown = sorted(requested - set(queues))
    if unknown:
        raise InvalidInput(
            f"SIGNALBOX_WORKER_TASK_QUEUES: no pipeline uses task queue {unknown[0]!r}; "
            f"available: {', '.join(sorted(queues))}",
            field="task_queues",
        )
    return {queue: served for queue, served in queues.items() if not requested or queue in requested}


class PipelineLoader:
    """Loads the code of pipelines in two steps, since the activities need what the first step preloads.

    Attributes:
        problems: a sentence for each pipeline that was skipped; it names the pipeline and the reason.
    """

    def __init__(self, installed: InstalledPipelines) -> None:
        self.problems = list(installed.problems)
        self._names = TakenNames()

    def load_workflows(self, specs: Sequence[PipelineSpec]) -> list[PipelineCode]:
        """Load workflow classes and the modules of activities, and validate the workflows in the sandbox.

        Raises:
            InvalidInput: none of the pipelines can be loaded.
        """
        found = [code for spec in specs if (code := self._load(spec)) is not None]
        return self._at_least_one(found)

    def load_activities(self, codes: Sequence[PipelineCode], deps: ActivityDeps) -> list[PipelineCode]:
        """Add the activities.

        Raises:
            SignalboxError: a setting that the activities read is invalid.
            InvalidInput: the activities of no pipeline can be loaded.
        """
        found = [code for item in codes if (code := self._with_activities(item, deps)) is not None]
        return self._at_least_one(found)

    def _load(self, spec: PipelineSpec) -> PipelineCode | None:
        try:
            importlib.import_module(spec.activities.partition(":")[0])
            workflows = load_workflows(spec)
            _validate(sandbox([spec]), spec, workflows)
            self._names.take(spec, "workflow", [_workflow_name(kind) for kind in workflows])
        except Exception as error:  # whatever a foreign module raises when it is imported
            log.exception("pipeline skipped", extra={"pipeline": spec.name})
            self.problems.append(_problem(spec, error))
            return None
        return PipelineCode(spec=spec, workflows=tuple(workflows))

    def _with_activities(self, code: PipelineCode, deps: ActivityDeps) -> PipelineCode | None:
        try:
            activities = load_activities(code.spec, deps)
            self._names.take(code.spec, "activity", [_activity_name(item) for item in activities])
        except SignalboxError:
            raise
        except Exception as error:  # whatever a foreign factory raises
            log.exception("pipeline skipped", extra={"pipeline": code.spec.name})
            self.problems.append(_problem(code.spec, error))
            return None
        return PipelineCode(spec=code.spec, workflows=code.workflows, activities=tuple(activities))

    def _at_least_one(self, codes: list[PipelineCode]) -> list[PipelineCode]:
        if not codes:
            raise InvalidInput("no pipeline can be served: " + "; ".join(self.problems))
        return codes


def _problem(spec: PipelineSpec, error: Exception) -> str:
    return f"pipeline {spec.name}: its code cannot be loaded: {type(error).__name__}: {error}"


class TakenNames:
    """The names of workflows and activities on each task queue, each of which a worker can serve once."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str, str], str] = {}

    def take(self, spec: PipelineSpec, kind: str, names: Sequence[str]) -> None:
        """Take names for a pipeline, all or none.

        Raises:
            ValueError: one is reserved, or taken on the pipeline's task queue.
        """
        wanted: dict[tuple[str, str, str], str] = {}
        for name in names:
            key = (spec.task_queue, kind, name)
            owner = self._owners.get(key) or wanted.get(key)
            if owner is not None:
                raise ValueError(
                    f"the {kind} {name!r} is defined twice on task queue {spec.task_queue}, first by pipeline"
                    f" {owner}; give one of them another name"
                )
            if name.startswith(_RESERVED):
                raise ValueError(
                    f"the {kind} {name!r} must not begin with {_RESERVED!r}; give it another name"
                )
            wanted[key] = spec.name
        self._owners |= wanted


def _workflow_name(kind: type) -> str:
    return workflow._Definition.must_from_class(kind).name or _DYNAMIC


def _activity_name(item: Activity) -> str:
    return activity._Definition.must_from_callable(item).name or _DYNAMIC


def _validate(runner: WorkflowRunner, spec: PipelineSpec, workflows: Sequence[type]) -> None:
    """Import the workflows as the worker does when it starts.

    Raises:
        Exception: a workflow class is not a workflow, or its module cannot be imported in the sandbox.
        ValueError: the name of the run's workflow is not that of the pipeline, by which runs are started.
    """
    for kind in workflows:
        definition: Any = workflow._Definition.must_from_class(kind)
        runner.prepare_workflow(definition)
    if (name := _workflow_name(workflows[0])) != spec.name:
        raise ValueError(f"{spec.workflow} has the name {name!r}; use @workflow.defn(name={spec.name!r})")
