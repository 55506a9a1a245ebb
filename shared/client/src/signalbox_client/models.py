"""Response types of the gateway. Unknown members are ignored, so an older client can read a newer gateway."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from signalbox_core.events.catalogue import Failure
from signalbox_core.events.snapshot import (
    ApprovalState,
    ApprovalStatus,
    ArtifactState,
    BlockedState,
    ChildState,
    QueuedState,
    RunStatus,
    Snapshot,
    StepState,
)
from signalbox_core.subjects import Subject

NULL = msgspec.Raw(b"null")


class StepContract(Struct, frozen=True, kw_only=True):
    name: str
    title: str


class ApprovalContract(Struct, frozen=True, kw_only=True):
    name: str
    title: str
    answer_schema: msgspec.Raw = NULL


class Pipeline(Struct, frozen=True, kw_only=True):
    """A pipeline's contract; the schemas are JSON Schema 2020-12."""

    name: str
    title: str
    description: str = ""
    input_schema: msgspec.Raw = NULL
    result_schema: msgspec.Raw = NULL
    steps: tuple[StepContract, ...] = ()
    approvals: tuple[ApprovalContract, ...] = ()


class PipelineList(Struct, frozen=True, kw_only=True):
    pipelines: tuple[Pipeline, ...]


class Uploaded(Struct, frozen=True, kw_only=True):
    """`object` is the reference that an input field for an uploaded file takes."""

    object: str
    media_type: str
    size_bytes: int
    sha256: str


class Started(Struct, frozen=True, kw_only=True):
    """A status of `queued` means: stored, and started as soon as Temporal is available."""

    run_id: str
    pipeline: str
    status: RunStatus
    links: Mapping[str, str] = {}


class Retried(Struct, frozen=True, kw_only=True):
    """`run_id`: the run that continues (`retry_of` is None), or the new run that repeats `retry_of`."""

    run_id: str
    pipeline: str
    status: RunStatus
    retry_of: str | None = None


class RunInput(Struct, frozen=True, kw_only=True):
    """What a run was started with. Secrets read `***`; `masked` has their paths."""

    run_id: str
    pipeline: str
    input: msgspec.Raw
    masked: tuple[str, ...] = ()


class RunItem(Struct, frozen=True, kw_only=True):
    run_id: str
    pipeline: str
    status: RunStatus
    started_at: datetime | None = None
    ended_at: datetime | None = None
    started_by: str | None = None
    blocked: BlockedState | None = None
    queued: QueuedState | None = None
    starter: Subject | None = None


class RunPage(Struct, frozen=True, kw_only=True):
    runs: tuple[RunItem, ...]
    next_cursor: str | None = None


class ApprovalDecision(Struct, frozen=True, kw_only=True):
    decision_id: str
    decided_by: str
    decided_at: datetime
    answer: msgspec.Raw
    note: str | None = None
    decider: Subject | None = None


class Approval(Struct, frozen=True, kw_only=True):
    """A question, its evidence, and the decisions so far."""

    approval_id: str
    name: str
    title: str
    status: ApprovalStatus
    requested_at: datetime
    run_id: str = ""
    step: str | None = None
    answer_schema: msgspec.Raw = NULL
    options: msgspec.Raw = NULL
    evidence: msgspec.Raw = NULL
    digest: str = ""
    deadline_at: datetime | None = None
    decisions: tuple[ApprovalDecision, ...] = ()


class Artifact(Struct, frozen=True, kw_only=True):
    name: str
    media_type: str
    size_bytes: int
    title: str | None = None
    url: str = ""


class Run(Struct, frozen=True, kw_only=True):
    """A run's snapshot. `epoch:sequence` is its stream cursor."""

    run_id: str
    pipeline: str
    status: RunStatus
    title: str = ""
    steps: tuple[StepState, ...] = ()
    approvals: tuple[Approval, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    result: msgspec.Raw = NULL
    error: Failure | None = None
    started_at: datetime | None = None
    started_by: str | None = None
    starter: Subject | None = None
    ended_at: datetime | None = None
    epoch: str = ""
    sequence: int = 0
    blocked: BlockedState | None = None
    queued: QueuedState | None = None
    parent: str | None = None
    children: tuple[ChildState, ...] = ()
    retry_of: str | None = None
    retried_as: str | None = None
    retried_at: datetime | None = None


class InboxEntry(Struct, frozen=True, kw_only=True):
    run_id: str
    approval_id: str
    title: str
    pipeline: str
    requested_at: datetime
    deadline_at: datetime | None = None


class Inbox(Struct, frozen=True, kw_only=True):
    """`next_cursor` is None on the last page; `total` counts the pending approvals of all pages."""

    approvals: tuple[InboxEntry, ...]
    next_cursor: str | None = None
    total: int = 0


class Decided(Struct, frozen=True, kw_only=True):
    """A status of `recorded` means: stored durably, and applied as soon as a worker is available."""

    run_id: str
    approval_id: str
    decision_id: str
    status: str
    decided_by: str = ""
    decided_at: datetime | None = None
    blocked: BlockedState | None = None


class Accepted(Struct, frozen=True, kw_only=True):
    run_id: str
    accepted: str = ""


def snapshot_of(run: Run) -> Snapshot:
    """Convert to the snapshot that events fold into; an artifact's `key` is its URL path in the API."""
    return Snapshot(
        run_id=run.run_id,
        tenant="",
        pipeline=run.pipeline,
        title=run.title,
        status=run.status,
        started_at=run.started_at,
        started_by=run.started_by,
        starter=run.starter,
        ended_at=run.ended_at,
        steps=run.steps,
        approvals=tuple(_approval_state(approval) for approval in run.approvals),
        artifacts=tuple(
            ArtifactState(
                name=item.name,
                media_type=item.media_type,
                size_bytes=item.size_bytes,
                key=item.url,
                title=item.title,
            )
            for item in run.artifacts
        ),
        result=run.result,
        error=run.error,
        sequence=run.sequence,
        blocked=run.blocked,
        queued=run.queued,
        parent=run.parent,
        children=run.children,
        retry_of=run.retry_of,
        retried_as=run.retried_as,
        retried_at=run.retried_at,
    )


def _approval_state(approval: Approval) -> ApprovalState:
    last = approval.decisions[-1] if approval.decisions else None
    return ApprovalState(
        approval_id=approval.approval_id,
        name=approval.name,
        title=approval.title,
        status=approval.status,
        answer_schema=approval.answer_schema,
        options=approval.options,
        evidence=approval.evidence,
        digest=approval.digest,
        requested_at=approval.requested_at,
        step=approval.step,
        deadline_at=approval.deadline_at,
        decision_id=last.decision_id if last else None,
        decided_by=last.decided_by if last else None,
        decider=last.decider if last else None,
        decided_at=last.decided_at if last else None,
        answer=last.answer if last else NULL,
        note=last.note if last else None,
    )
