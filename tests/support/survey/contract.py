"""A pipeline that asks many questions at once."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct

from signalbox_core.pipeline import Approval, PipelineSpec, Step


class SurveyInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    questions: Annotated[int, Meta(title="Questions", ge=1, le=2_000)] = 10


class Opinion(Struct, frozen=True, kw_only=True):
    agree: bool


class SurveyResult(Struct, frozen=True, kw_only=True):
    agreed: int


PAGE = Approval(name="page", title="Is this page right?", answer=Opinion, deadline=timedelta(days=1))
SPEC = PipelineSpec(
    name="survey",
    title="Survey",
    input=SurveyInput,
    result=SurveyResult,
    workflow="support.survey.workflow:Survey",
    activities="support.survey.workflow:none",
    steps=(Step("ask", "Ask"),),
    approvals=(PAGE,),
)
