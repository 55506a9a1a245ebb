"""Checks that a question is what its digest says, before a decision is sent with that digest."""

from typing import Final

from signalbox_client.models import Approval, ApprovalPolicy
from signalbox_core.errors import Conflict
from signalbox_core.events.policy import Policy
from signalbox_core.events.question_digest import QuestionContent, is_known_form

DIGEST_MISMATCH: Final = "digest_mismatch"


def verified_digest(approval: Approval) -> str:
    """Return the digest that the gateway sent, if it is that of what is shown.

    Raises:
        Conflict: `digest_mismatch`: the gateway shows another question than the one that the digest is of.
    """
    if not is_known_form(approval.digest):
        raise _mismatch(
            approval, "this version cannot compute its digest, so nothing was sent; update signalbox-client"
        )
    if not _content(approval).matches(approval.digest):
        raise _mismatch(
            approval,
            "its digest is not that of the question shown here, so nothing was sent; load it again, and "
            "contact the gateway's operator if this persists",
        )
    return approval.digest


def _mismatch(approval: Approval, detail: str) -> Conflict:
    return Conflict(f"approval {approval.approval_id}: {detail}", code=DIGEST_MISMATCH, field="digest")


def _content(approval: Approval) -> QuestionContent:
    return QuestionContent(
        title=approval.title,
        answer_schema=approval.answer_schema,
        options=approval.options,
        evidence=approval.evidence,
        about=approval.about,
        policy=_policy(approval.asked_policy or approval.policy),
        proposal=approval.proposal if bytes(approval.proposal) != b"null" else None,
    )


def _policy(shown: ApprovalPolicy) -> Policy | None:
    """The policy; None for the default, which the gateway shows without a quorum."""
    if not shown.quorum:
        return None
    return Policy(
        quorum=shown.quorum,
        veto=shown.veto,
        exclude_starter=shown.exclude_starter,
        people=shown.people,
        require_signature=shown.require_signature,
    )
