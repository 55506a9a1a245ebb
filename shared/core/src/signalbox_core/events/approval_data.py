"""The data of the events of approvals; `catalogue` lists them with all others."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signalbox_core.events.policy import CountedVote, Policy, QuorumProgress
from signalbox_core.passkeys.signature import PasskeySignature
from signalbox_core.subjects import Subject


class LadderRung(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happens at a time at which nobody has decided. `to` names a group (`group:leads`) or a subject."""

    kind: Literal["remind", "delegate", "escalate"]
    at: datetime
    to: str | None = None


class ApprovalRequested(Struct, frozen=True, kw_only=True):
    """A question to a person.

    Attributes:
        approval_id: unique in the run (`variants`, `variants-2`).
        name: the approval in the pipeline's contract.
        answer_schema: JSON Schema of the answer.
        digest: covers question, options, evidence and policy: exactly what the approver sees.
        about: what the question is about, if the title does not state it.
        proposal: the answer, or a part of it, as proposed; an answer that differs is recorded as modified.
        policy: who may decide; left out when it is the default, by which any one approver decides.
        ladder: the steps of an escalation ladder before the deadline; left out without one.
        default_answer: of the ladder, with which the run continues after the deadline.
        round: 2 or more for a question that is asked again, after all earlier ones of its name were closed.
        links: whether people without an account may decide by link; left out by earlier versions.
    """

    approval_id: str
    name: str
    title: str
    answer_schema: msgspec.Raw
    options: msgspec.Raw
    evidence: msgspec.Raw
    digest: str
    step: str | None = None
    deadline_at: datetime | None = None
    about: str | UnsetType = UNSET
    policy: Policy | UnsetType = UNSET
    proposal: msgspec.Raw | UnsetType = UNSET
    ladder: tuple[LadderRung, ...] | UnsetType = UNSET
    default_answer: msgspec.Raw | UnsetType = UNSET
    round: int | UnsetType = UNSET
    links: bool | UnsetType = UNSET


class ApprovalReminded(Struct, frozen=True, kw_only=True):
    approval_id: str
    deadline_at: datetime | None = None


class ApprovalHandedOver(Struct, frozen=True, kw_only=True):
    """The question went to somebody else: a person delegated it, or nobody had decided it.

    Attributes:
        to: a group (`group:leads`) or a subject.
        policy: who may decide from now on; left out when that has not changed.
        delegated_by: the person; left out when the ladder did it.
    """

    approval_id: str
    to: str
    deadline_at: datetime | None = None
    policy: Policy | UnsetType = UNSET
    delegated_by: Subject | UnsetType = UNSET
    note: str | UnsetType = UNSET


class ApprovalVoted(Struct, frozen=True, kw_only=True):
    """A subject's vote on a question that a policy governs, or its objection. It replaces its earlier vote.

    Attributes:
        answer: null of an objection.
        rule: by which the subject was allowed to vote: `quorum` or `veto`.
        group: the group for which the vote counts; null for any group.
        quorum: how far the newest answer has come with this vote; empty before the first answer.
        signature: of the vote, made with the voter's passkey.
        door: how the vote was submitted, derived by the gateway from credentials and request; left out if
            that was not recorded.
    """

    approval_id: str
    decision_id: str
    voted_by: Subject
    answer: msgspec.Raw
    objection: bool = False
    note: str | None = None
    rule: str = "quorum"
    group: str | None = None
    policy_digest: str = ""
    quorum: tuple[QuorumProgress, ...] = ()
    signature: PasskeySignature | UnsetType = UNSET
    door: str | UnsetType = UNSET


class ApprovalDecided(Struct, frozen=True, kw_only=True):
    """The answer.

    `decider` gave the deciding vote. With a policy, `votes` are those that made the outcome. `outcome` is
    `modified` if the answer edits what was proposed; `modified` has the JSON pointers of the edited members.
    `signatures` are those of the votes that made the outcome, made with the voters' passkeys. `door` is how
    the deciding vote was submitted.
    """

    approval_id: str
    decision_id: str
    decided_by: str
    answer: msgspec.Raw
    note: str | None = None
    decider: Subject | UnsetType = UNSET
    rule: str | UnsetType = UNSET
    group: str | UnsetType = UNSET
    policy_digest: str | UnsetType = UNSET
    votes: tuple[CountedVote, ...] | UnsetType = UNSET
    outcome: Literal["modified"] | UnsetType = UNSET
    modified: tuple[str, ...] | UnsetType = UNSET
    signatures: tuple[PasskeySignature, ...] | UnsetType = UNSET
    door: str | UnsetType = UNSET


class ApprovalVetoed(Struct, frozen=True, kw_only=True):
    """A member of a veto group objected, which ends the question.

    Attributes:
        group: that veto group.
        signatures: of the objection, made with the passkey of who objected; at most one.
        door: how the objection was submitted.
    """

    approval_id: str
    decision_id: str
    voted_by: Subject
    reason: str
    rule: str = "veto"
    group: str | None = None
    policy_digest: str = ""
    signatures: tuple[PasskeySignature, ...] | UnsetType = UNSET
    door: str | UnsetType = UNSET


class ApprovalVoteRefused(Struct, frozen=True, kw_only=True):
    """A vote was refused after its sender had a reply: it was stored until a worker responded, or early.

    Attributes:
        code: as of the problem with which the gateway refuses such a vote.
        reason: the code in words.
        door: how the vote was submitted.
    """

    approval_id: str
    decision_id: str
    voted_by: Subject
    code: str
    reason: str
    door: str | UnsetType = UNSET


class ApprovalClaimed(Struct, frozen=True, kw_only=True):
    """The subject deals with the question. A later claim of it extends the time."""

    approval_id: str
    claimed_by: Subject
    until: datetime


class ApprovalReleased(Struct, frozen=True, kw_only=True):
    """The subject no longer deals with the question."""

    approval_id: str
    released_by: Subject


class ApprovalExpired(Struct, frozen=True, kw_only=True):
    """The deadline passed.

    Attributes:
        outcome: `defaulted` if the run continues with a default answer; left out by earlier releases.
        answer: that default answer; left out if it is too large for an event.
    """

    approval_id: str
    outcome: Literal["expired", "defaulted"] | UnsetType = UNSET
    answer: msgspec.Raw | UnsetType = UNSET


class ApprovalWithdrawn(Struct, frozen=True, kw_only=True):
    approval_id: str
