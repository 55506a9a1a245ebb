"""The contracts of the installed pipelines. Loads no workflow code."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from signalbox_core.errors import NotFound
from signalbox_core.pipeline.contract.find import find_fields
from signalbox_core.pipeline.spec import PipelineSpec, json_schema
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schemas import (
    ApprovalContractView,
    ExternalEventView,
    PipelineListView,
    PipelineView,
    StartEventView,
    StepView,
)


class PipelineHandlers:
    """The handlers of /v1/pipelines; the views are built once, because contracts never change at run time."""

    def __init__(self, specs: Mapping[str, PipelineSpec]) -> None:
        self._views = {name: pipeline_view(spec) for name, spec in sorted(specs.items())}

    async def list(self, _call: ApiCall) -> Response:
        return json_response(PipelineListView(pipelines=tuple(self._views.values())))

    async def show(self, call: ApiCall) -> Response:
        name = call.param("name")
        view = self._views.get(name)
        if view is None:
            installed = ", ".join(self._views) or "none"
            raise NotFound(
                f"there is no pipeline {name[:60]!r}; installed: {installed}",
                field="name",
                code="unknown_pipeline",
            )
        return json_response(view)


def pipeline_view(spec: PipelineSpec) -> PipelineView:
    return PipelineView(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        input_schema=_raw(json_schema(spec.input)),
        result_schema=_raw(json_schema(spec.result)),
        steps=tuple(StepView(name=step.name, title=step.title) for step in spec.steps),
        approvals=tuple(
            ApprovalContractView(
                name=item.name,
                title=item.title,
                answer_schema=_raw(json_schema(item.answer)),
                deadline_s=item.deadline.total_seconds(),
            )
            for item in spec.approvals
        ),
        find=tuple(find_fields(spec.input)),
        url=f"/v1/pipelines/{spec.name}",
        external_events=tuple(
            ExternalEventView(
                name=event.name,
                title=event.title,
                data_schema=_raw(json_schema(event.data)),
                timeout_s=event.timeout.total_seconds(),
                keep_s=event.keep.total_seconds(),
            )
            for event in spec.external_events
        ),
        starts=tuple(
            StartEventView(
                name=start.event.name,
                title=start.event.title,
                data_schema=_raw(json_schema(start.event.data)),
                once_per=start.once_per,
            )
            for start in spec.starts
        ),
    )


def _raw(schema: Mapping[str, object]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(schema))
