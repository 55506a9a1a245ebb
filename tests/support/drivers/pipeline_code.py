"""Loads a pipeline's code for a test that builds its own worker."""

from signalbox_core.pipeline import PipelineSpec
from signalbox_core.pipeline.activity.loader import load_activities, load_workflows
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_worker.pipelines import PipelineCode


def pipeline_code(spec: PipelineSpec, deps: ActivityDeps) -> PipelineCode:
    return PipelineCode(
        spec=spec, workflows=tuple(load_workflows(spec)), activities=tuple(load_activities(spec, deps))
    )
