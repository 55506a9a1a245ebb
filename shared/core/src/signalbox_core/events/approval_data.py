"""The data of the events of approvals; `catalogue` lists them with all others."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

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
        digest: covers question, options and evidence: exactly what the approver sees.
        ladder: the steps of an escalation ladder before the deadline; left out without one.
        default_answer: of the ladder, with which the run goes on after the deadline.
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
    ladder: tuple[LadderRung, ...] | UnsetType = UNSET
    default_answer: msgspec.Raw | UnsetType = UNSET


class ApprovalReminded(Struct, frozen=True, kw_only=True):
    approval_id: str
    deadline_at: datetime | None = None


class ApprovalHandedOver(Struct, frozen=True, kw_only=True):
    """The question went to somebody else, because nobody had decided it. `to` is a group or a subject."""

    approval_id: str
    to: str
    deadline_at: datetime | None = None


class ApprovalDecided(Struct, frozen=True, kw_only=True):
    approval_id: str
    decision_id: str
    decided_by: str
    answer: msgspec.Raw
    note: str | None = None
    decider: Subject | UnsetType = UNSET


class ApprovalExpired(Struct, frozen=True, kw_only=True):
    approval_id: str


class ApprovalWithdrawn(Struct, frozen=True, kw_only=True):
    approval_id: str
