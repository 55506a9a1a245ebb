"""A pipeline that returns who decided its question, and why each vote counted."""

from typing import Final

from msgspec import Struct
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from signalbox_core.events.policy import CountedVote
    from signalbox_core.pipeline.run import Run
    from signalbox_core.pipeline.spec import Approval, PipelineSpec, Policy, Quorum
    from signalbox_core.subjects import Subject


class SignOffInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    policy: Policy = Policy()


class SignOffAnswer(Struct, frozen=True, kw_only=True):
    publish: bool


class SignOffResult(Struct, frozen=True, kw_only=True):
    decided_by: str
    decider: Subject | None
    rule: str | None
    group: str | None
    votes: tuple[CountedVote, ...]
    is_policy_known: bool


SIGN_OFF: Final = Approval(name="publish", title="Publish?", answer=SignOffAnswer)
TWO_GROUPS: Final = Policy(quorum=(Quorum(1, group="marketing"), Quorum(1, group="legal")))
SPEC: Final = PipelineSpec(
    name="sign_off",
    title="Sign-off",
    input=SignOffInput,
    result=SignOffResult,
    steps=(),
    approvals=(SIGN_OFF,),
    workflow="support.fakes.sign_off_pipeline:SignOff",
)


@workflow.defn(name="sign_off")
class SignOff:
    @workflow.init
    def __init__(self, _request: SignOffInput) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, request: SignOffInput) -> SignOffResult:
        async with self.signalbox as run:
            await run.ask(SIGN_OFF, options=None, policy=request.policy)
            receipt = run.receipt(SIGN_OFF)
            return SignOffResult(
                decided_by=receipt.decided_by,
                decider=receipt.decider,
                rule=receipt.rule,
                group=receipt.group,
                votes=receipt.votes,
                is_policy_known=receipt.policy_digest == request.policy.digest,
            )
