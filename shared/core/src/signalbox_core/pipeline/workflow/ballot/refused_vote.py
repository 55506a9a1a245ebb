"""A vote that was refused after its sender had a reply: by signal, or before its question was asked. Pure."""

from collections.abc import Mapping
from typing import Final

from msgspec import UNSET

from signalbox_core.events.approval_data import ApprovalVoteRefused
from signalbox_core.passkeys.verification import SIGNATURE_INVALID, SIGNATURE_MISMATCH, USER_NOT_VERIFIED
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.workflow.ballot.tally import voter_of

REASONS: Final[Mapping[str, str]] = {
    "conflict": "the run had ended or was being cancelled",
    messages.UNKNOWN_APPROVAL: "the run has no such approval",
    messages.NOT_ASKED_YET: "the question had not been asked",
    messages.ALREADY_DECIDED: "another decision came first",
    messages.VETOED: "an objection had ended the question",
    messages.APPROVAL_EXPIRED: "the deadline had passed",
    messages.WITHDRAWN: "the run no longer asked the question",
    messages.NOT_ALLOWED_BY_POLICY: "the policy does not let this subject decide",
    messages.DIGEST_REQUIRED: "it named no digest of what was shown",
    messages.STALE_DIGEST: "the question had changed since it was shown",
    messages.INVALID_ANSWER: "the answer violates a rule of the pipeline",
    messages.ANSWER_TOO_LARGE: "the answer was too large",
    messages.REASON_REQUIRED: "an objection needs a reason",
    messages.DECISION_ID_TAKEN: "its id was used by another subject",
    messages.SIGNATURE_REQUIRED: "it was not signed with a passkey",
    SIGNATURE_MISMATCH: "the passkey signed another decision",
    SIGNATURE_INVALID: "the signature was not made with this passkey",
    USER_NOT_VERIFIED: "the authenticator did not verify the person",
}
"""Each code of a refusal, in words. The history records codes only."""
_MAX_ID_CHARS: Final = 200


def refused_vote(decision: Decision, code: str) -> ApprovalVoteRefused:
    """Return the data of `approval.vote_refused`."""
    return ApprovalVoteRefused(
        approval_id=decision.approval_id[:_MAX_ID_CHARS],
        decision_id=decision.decision_id[:_MAX_ID_CHARS],
        voted_by=voter_of(decision),
        code=code,
        reason=REASONS.get(code, "the run did not accept it"),
        door=decision.door or UNSET,
    )
