"""The data of the events of approvals; `catalogue` lists them with all others."""

from datetime import datetime

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signalbox_core.subjects import Subject


class ApprovalRequested(Struct, frozen=True, kw_only=True):
    """A question to a person.

    Attributes:
        approval_id: unique in the run (`variants`, `variants-2`).
        name: the approval in the pipeline's contract.
        answer_schema: JSON Schema of the answer.
        digest: covers question, options and evidence: exactly what the approver sees.
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


class ApprovalReminded(Struct, frozen=True, kw_only=True):
    approval_id: str
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
