"""Receipts of decided questions, and what they allow an effect to use."""

from msgspec import Struct
from temporalio import workflow

from signalbox_core.errors import Conflict
from signalbox_core.pipeline.contract.approved_effect import (
    DecisionReceipt,
    EffectApproval,
    ShownQuestion,
    check_argument,
    not_what_was_approved,
)
from signalbox_core.pipeline.contract.failures import as_application_error, pipeline_bug
from signalbox_core.pipeline.contract.spec import PipelineSpec
from signalbox_core.pipeline.workflow.answers import decode_accepted
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion


def build_receipt(asked: AskedQuestion) -> DecisionReceipt:
    """Build the receipt of a decided question from what the history has.

    Raises:
        ApplicationError: `pipeline_bug`: the question is not decided.
    """
    record = asked.record
    if record is None:
        raise pipeline_bug(
            f"approval {asked.approval_id} has no decision, so there is no receipt; "
            "call run.receipt after run.ask has returned a person's answer"
        )
    counted = record.votes or ()
    return DecisionReceipt(
        approval_id=asked.approval_id,
        name=asked.approval.name,
        decision_id=record.decision_id,
        decided_by=record.decided_by,
        question_digest=asked.digest,
        shown=ShownQuestion(options=asked.requested.options, evidence=asked.requested.evidence),
        answer=record.answer,
        votes=counted,
        policy_digest=None if asked.policy.is_default else asked.policy.digest,
        decider=record.decider,
        rule="quorum" if record.result else None,
        group=next((vote.group for vote in counted if vote.decision_id == record.decision_id), None),
    )


def approve_call(spec: PipelineSpec, receipt: DecisionReceipt, argument: object) -> EffectApproval:
    """Return what an activity call may use. The activity's interceptor compares the argument with it.

    A call that the history has already is not checked again.
    """
    if workflow.unsafe.is_replaying():
        return receipt.for_replay()
    return receipt.for_argument(argument, _approved_values(spec, receipt))


class EffectChecks:
    """Checks the approved events of one run, each once: a refusal is recorded as a patch."""

    def __init__(self, spec: PipelineSpec) -> None:
        self._spec = spec
        self._count = 0

    def check_event(self, receipt: DecisionReceipt, data: Struct) -> None:
        """Check that an event's data are an approved value.

        Raises:
            ApplicationError: `not_what_was_approved`, not retryable.
        """
        self._count += 1
        refused = f"signalbox.effect-refused-{self._count}"
        if workflow.unsafe.is_replaying() and not workflow.patched(refused):
            return
        refusal = self._refusal(receipt, data)
        if workflow.unsafe.is_replaying() and refusal is None:
            # The contract has changed since the refusal.
            refusal = not_what_was_approved(receipt.for_replay(), "the event's data were refused")
        if refusal is not None:
            workflow.patched(refused)
            raise as_application_error(refusal)

    def _refusal(self, receipt: DecisionReceipt, data: Struct) -> Conflict | None:
        try:
            check_argument(receipt.for_argument(data, _approved_values(self._spec, receipt)), data)
        except Conflict as error:
            return error
        return None


def _approved_values(spec: PipelineSpec, receipt: DecisionReceipt) -> list[object]:
    approval = spec.approval(receipt.name)
    if approval.approves is None:
        return [receipt.answer]
    return list(approval.approves(decode_accepted(receipt.answer, approval.answer), receipt.shown))
