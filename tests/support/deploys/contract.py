"""The contract of `deploys`."""

from datetime import timedelta

from msgspec import Struct

from signalbox_core.pipeline import Approval, PipelineSpec, Step


class DeploysInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: str = ""


class EditedInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: str = ""
    region: str


class DeploysResult(Struct, frozen=True, kw_only=True):
    chars: int = 0


class GoAhead(Struct, frozen=True, kw_only=True):
    yes: bool = True


GO_AHEAD = Approval(name="go_ahead", title="Go ahead?", answer=GoAhead, deadline=timedelta(days=30))
SPEC = PipelineSpec(
    name="deploys",
    title="Deploys",
    input=DeploysInput,
    result=DeploysResult,
    workflow="support.deploys.workflow:Current",
    steps=(Step("prepare", "Prepare"), Step("finish", "Finish")),
    approvals=(GO_AHEAD,),
)
