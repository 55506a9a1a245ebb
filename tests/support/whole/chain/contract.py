"""A pipeline that does nothing: in steps, all at once, or when a person agrees. What is left is the cost."""

from datetime import timedelta

from msgspec import Struct

from signalbox_core.pipeline import Approval, PipelineSpec, Step

MOST_STEPS = 10


class ChainInput(Struct, frozen=True, kw_only=True):
    """`steps` activities in sequence, each a step; `parallel` at once in one; a question if `asks`."""

    steps: int = MOST_STEPS
    parallel: int = 0
    quick: bool = False
    asks: bool = False


class ChainResult(Struct, frozen=True, kw_only=True):
    done: int


class Agreed(Struct, frozen=True, kw_only=True):
    yes: bool


GO = Approval(name="go", title="Go on?", answer=Agreed, deadline=timedelta(days=1))
SPEC = PipelineSpec(
    name="chain",
    title="Chain",
    input=ChainInput,
    result=ChainResult,
    workflow="support.whole.chain.workflow:Chain",
    activities="support.whole.chain.activities",
    steps=tuple(Step(f"step-{number}", f"Step {number}") for number in range(MOST_STEPS)),
    approvals=(GO,),
)
