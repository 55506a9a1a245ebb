"""Verifies the signature of a vote on a question whose policy requires one. Pure.

Which passkeys a subject has is not known here: the gateway has checked that, as it has checked the subject.
"""

from signalbox_core.errors import InvalidSignature
from signalbox_core.passkeys.signature import DecisionStatement, answer_sha256, note_sha256
from signalbox_core.passkeys.verification import verify_signature
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import as_application_error, non_retryable_error
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.tally import voter_of


def verify_vote_signature(question: AskedQuestion, decision: Decision) -> None:
    """Check that a vote is signed if the policy requires it, and that a signature is of this very vote.

    Raises:
        ApplicationError: `signature_required`, or the code of `verify_signature`.
    """
    if decision.signature is None:
        if question.policy.require_signature:
            raise non_retryable_error(
                messages.SIGNATURE_REQUIRED,
                messages.signature_required(question.approval_id),
                field="signature",
            )
        return
    try:
        verify_signature(decision.signature, statement_of(question, decision))
    except InvalidSignature as error:
        raise as_application_error(error) from None


def statement_of(question: AskedQuestion, decision: Decision) -> DecisionStatement:
    """The statement that the voter has to sign."""
    return DecisionStatement(
        tenant=question.tenant,
        run_id=question.run_id,
        approval_id=question.approval_id,
        question_digest=question.digest,
        decision_id=decision.decision_id,
        subject=voter_of(decision).subject,
        answer_sha256=answer_sha256(decision.answer),
        note_sha256=note_sha256(decision.note),
        objection=decision.objection,
    )
