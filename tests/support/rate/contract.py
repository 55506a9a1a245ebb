"""A pipeline that does nothing, twenty-five times at once: what is left is the cost of running it."""

from msgspec import Struct

from signalbox_core.pipeline import PipelineSpec, Step


class RateInput(Struct, frozen=True, kw_only=True):
    activities: int = 25


class RateResult(Struct, frozen=True, kw_only=True):
    done: int


SPEC = PipelineSpec(
    name="rate",
    title="Rate",
    input=RateInput,
    result=RateResult,
    workflow="support.rate.workflow:Rate",
    steps=(Step("work", "Work"),),
)
