"""A small pipeline that uses every part of `Run`, for the library's own tests."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct

from signalbox_core.pipeline import Approval, DomainEvent, PipelineSpec, Step


class SampleInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    items: Annotated[int, Meta(title="Items", ge=0, le=1_000)] = 3
    ask: bool = False
    hold: bool = False
    misuse: str = ""
    rounds: int = 0
    local: bool = False
    give_up: bool = False


class Made(Struct, frozen=True, kw_only=True):
    number: int
    label: str = ""


class Pick(Struct, frozen=True, kw_only=True):
    number: int
    note: str | None = None


class SampleResult(Struct, frozen=True, kw_only=True):
    made: list[int]
    picked: int | None = None


PICK = Approval(name="pick", title="Pick one", answer=Pick, deadline=timedelta(days=3), early=True)
SPEC = PipelineSpec(
    name="sample",
    title="Sample",
    input=SampleInput,
    result=SampleResult,
    workflow="support.sample.workflow:Sample",
    steps=(Step("prepare", "Prepare"), Step("work", "Work")),
    approvals=(PICK,),
    events=(DomainEvent("sample.made", Made, "One was made."),),
)
