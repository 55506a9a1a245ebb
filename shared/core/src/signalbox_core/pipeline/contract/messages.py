"""The messages between gateway and run, as plain Structs. Imports no Temporal client."""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signalbox_core.events.policy import CountedVote, QuorumProgress
from signalbox_core.passkeys.signature import PasskeySignature
from signalbox_core.subjects import Subject

QUERY_SNAPSHOT: Final = "snapshot"
"""Query without argument → `Snapshot`."""
UPDATE_DECIDE: Final = "decide"
"""Update with a `Decision` → `DecisionRecord`; the decision id is the update id."""
QUERY_PREVIEW: Final = "judge_decisions"
"""Query with a `DecisionBatch` → `DecisionPreviews`: what updates with the same decisions would do now."""
SIGNAL_DECIDE: Final = "decide"
"""The same payload as a signal: durable while no worker runs. A refusal becomes `approval.vote_refused`."""
SIGNAL_PAUSE: Final = "pause"
SIGNAL_RESUME: Final = "resume"
SIGNAL_CANCEL_REASON: Final = "cancel_reason"
"""Sent just before Temporal's cancel request, which cannot carry who requested it."""

UPDATE_ASSIGN: Final = "assign_approval"
"""Update with an `Assignment` → `AssignmentRecord`; the request id is the update id."""
CLAIM_DURATION: Final = timedelta(minutes=15)

UNKNOWN_APPROVAL: Final = "unknown_approval"
ALREADY_DECIDED: Final = "already_decided"
APPROVAL_EXPIRED: Final = "approval_expired"
DIGEST_REQUIRED: Final = "digest_required"
STALE_DIGEST: Final = "stale_digest"
INVALID_ANSWER: Final = "invalid_answer"
ANSWER_TOO_LARGE: Final = "answer_too_large"
NOT_ASKED_YET: Final = "not_asked_yet"
WITHDRAWN: Final = "withdrawn"
VETOED: Final = "vetoed"
CLAIMED: Final = "claimed"
NOT_CLAIMED: Final = "not_claimed"
DECISION_ID_TAKEN: Final = "decision_id_taken"
REASON_REQUIRED: Final = "reason_required"
NOT_ALLOWED_BY_POLICY: Final = "not_allowed_by_policy"
SIGNATURE_REQUIRED: Final = "signature_required"


MAX_ANSWER_BYTES: Final = 128 * 1024
"""Of the JSON of an answer, so that the events of the vote, and receipts, can hold it."""


VoteResult = Literal["decided", "counted", "vetoed"]
"""`counted`: the vote is recorded, and the question stays open."""


class Decision(Struct, frozen=True, kw_only=True):
    """A person's vote: an answer, or an objection.

    Attributes:
        answer: null of an objection.
        decision_id: makes the decision idempotent.
        digest: of the question as the person saw it. Only services may leave it out, and a decision that
            arrives before its question.
        decider: the subject that decides; None in messages of earlier releases. `decided_by` is a name.
        signature: made with the decider's passkey, which the gateway has found registered.
        door: how the decision was submitted (`signalbox_core.decision_doors`); callers cannot choose it.
    """

    approval_id: str
    decision_id: str
    answer: msgspec.Raw
    decided_by: str
    digest: str | None = None
    note: str | None = None
    decider: Subject | None = None
    objection: bool = False
    signature: PasskeySignature | None = None
    door: str | None = None


class DecisionRecord(Struct, frozen=True, kw_only=True):
    """What the run recorded of a decision; without `result`, it is the decision that won.

    Attributes:
        result: what the vote did to a question with a policy.
        quorum: how far its answer has come.
        votes: those that made the outcome.
    """

    approval_id: str
    decision_id: str
    decided_by: str
    decided_at: datetime
    answer: msgspec.Raw
    decider: Subject | None = None
    result: VoteResult | UnsetType = UNSET
    quorum: tuple[QuorumProgress, ...] | UnsetType = UNSET
    votes: tuple[CountedVote, ...] | UnsetType = UNSET


AssignmentAction = Literal["claim", "release", "delegate"]


class Assignment(Struct, frozen=True, kw_only=True):
    """Who deals with a question. It gives nobody a right: only the policy permits votes.

    Attributes:
        to: of `delegate`: a subject, or `group:<name>`.
    """

    approval_id: str
    request_id: str
    action: AssignmentAction
    by: Subject
    to: str | None = None
    note: str | None = None


class AssignmentRecord(Struct, frozen=True, kw_only=True):
    """Who deals with a question now."""

    approval_id: str
    claimed_by: Subject | None = None
    claimed_until: datetime | None = None
    delegated_to: str | None = None


class EarlyDecision(Struct, frozen=True, kw_only=True):
    """A decision that arrived before its question."""

    decision: Decision
    record: DecisionRecord


class Control(Struct, frozen=True, kw_only=True):
    """Pause or resume, and who requested it."""

    by: str | None = None


class CancelReason(Struct, frozen=True, kw_only=True):
    reason: str | None = None
    by: str | None = None


class ErrorDetails(Struct, frozen=True, kw_only=True):
    """The detail of every ApplicationError that Signalbox raises; `facts` is a JSON object for programs."""

    code: str
    message: str
    field: str | None = None
    facts: msgspec.Raw = msgspec.Raw(b"{}")


class DecisionBatch(Struct, frozen=True, kw_only=True):
    """Decisions of different approvals of one run."""

    decisions: tuple[Decision, ...]


class DecisionPreview(Struct, frozen=True, kw_only=True):
    """What a decision would do now.

    Attributes:
        result: what the run would record; also set if an earlier decision of the same id is on record.
        quorum: how far its answer would come, in a question with a policy.
        refusal: why the run would refuse it.
    """

    result: VoteResult = "decided"
    quorum: tuple[QuorumProgress, ...] = ()
    refusal: ErrorDetails | None = None


class DecisionPreviews(Struct, frozen=True, kw_only=True):
    """One preview for each decision of a batch, in its order."""

    previews: tuple[DecisionPreview, ...] = msgspec.field(name="judgements")


def digest_required(approval_id: str) -> str:
    """The message of `digest_required`, of gateway and run."""
    return (
        f"a person decides what was shown: send the `digest` of approval {approval_id} "
        "with the decision, as loaded with the question"
    )


def answer_too_large(approval_id: str, size_bytes: int) -> str:
    """The message of `answer_too_large`, of gateway and run."""
    return (
        f"the answer to approval {approval_id} has {size_bytes} bytes, and at most {MAX_ANSWER_BYTES} are "
        "accepted; upload large files with POST /v1/objects, and answer with the `object` of each"
    )


def signature_required(approval_id: str) -> str:
    """The message of `signature_required`, of gateway and run."""
    return (
        f"approval {approval_id} is decided with a passkey, and this vote is not signed: "
        "decide it in the console, or on a page with <signalbox-approval>"
    )
