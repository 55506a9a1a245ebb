"""Which pipelines a worker serves, and their code. A pipeline whose code cannot be loaded is skipped."""

import importlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from temporalio import workflow
from temporalio.worker import WorkflowRunner

from signalbox_core.errors import InvalidInput, SignalboxError
from signalbox_core.pipeline import PipelineSpec
from signalbox_core.pipeline.activity.loader import Activity, load_activities, load_workflows, sandbox
from signalbox_core.pipeline.contract.discovery import InstalledPipelines
from signalbox_core.pipeline.deps import ActivityDeps

log = logging.getLogger(__name__)


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
    requested |= {child.name for name in requested for child in specs[name].children}
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
            _validate(sandbox([spec]), workflows)
        except Exception as error:  # whatever a foreign module raises when it is imported
            log.exception("pipeline skipped", extra={"pipeline": spec.name})
            self.problems.append(_problem(spec, error))
            return None
        return PipelineCode(spec=spec, workflows=tuple(workflows))

    def _with_activities(self, code: PipelineCode, deps: ActivityDeps) -> PipelineCode | None:
        try:
            activities = load_activities(code.spec, deps)
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


def _validate(runner: WorkflowRunner, workflows: Sequence[type]) -> None:
    """Import the workflows as the worker does when it starts.

    Raises:
        Exception: a workflow class is not a workflow, or its module cannot be imported in the sandbox.
    """
    for kind in workflows:
        definition: Any = workflow._Definition.must_from_class(kind)
        runner.prepare_workflow(definition)
