"""Checks that a question is what its digest says, before a decision is sent with that digest."""

from typing import Final

from signalbox_client.models import Approval, ApprovalPolicy
from signalbox_core.errors import Conflict
from signalbox_core.events.policy import Policy
from signalbox_core.events.question_digest import QuestionContent

DIGEST_MISMATCH: Final = "digest_mismatch"


def verified_digest(approval: Approval) -> str:
    """Compute the digest of a question from what is shown, and return it if the gateway sent the same.

    Raises:
        Conflict: `digest_mismatch`: the gateway shows another question than the one that the digest is of.
    """
    digest = _content(approval).digest
    if digest != approval.digest:
        raise Conflict(
            f"approval {approval.approval_id}: its digest is not that of the question shown here, so nothing "
            "was sent; load it again, and contact the gateway's operator if this persists",
            code=DIGEST_MISMATCH,
            field="digest",
        )
    return digest


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
