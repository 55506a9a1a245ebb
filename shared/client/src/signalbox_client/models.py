"""Response types of the gateway. Unknown members are ignored, so an older client can read a newer gateway."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from signalbox_client.wire.event_models import ExternalEventContract, StartEventContract
from signalbox_client.wire.inbox_models import Inbox as Inbox  # noqa: PLC0414
from signalbox_client.wire.inbox_models import InboxEntry as InboxEntry  # noqa: PLC0414
from signalbox_core.events.catalogue import Failure
from signalbox_core.events.policy import Quorum, QuorumProgress
from signalbox_core.events.snapshot import (
    ApprovalStatus,
    BlockedState,
    ChildState,
    ClaimState,
    EventWaitState,
    QueuedState,
    RefusedVoteState,
    RunStatus,
    StepState,
    VoteState,
)
from signalbox_core.subjects import Subject

NULL = msgspec.Raw(b"null")


class CallerIdentity(Struct, frozen=True, kw_only=True):
    """The caller: whom the API key or the token belongs to."""

    name: str
    subject: Subject
    tenant: str
    roles: tuple[str, ...] = ()


class StepContract(Struct, frozen=True, kw_only=True):
    name: str
    title: str


class ApprovalContract(Struct, frozen=True, kw_only=True):
    name: str
    title: str
    answer_schema: msgspec.Raw = NULL


class Pipeline(Struct, frozen=True, kw_only=True):
    """A pipeline's contract; the schemas are JSON Schema 2020-12. `find`: the names for `find.NAME:VALUE`."""

    name: str
    title: str
    description: str = ""
    input_schema: msgspec.Raw = NULL
    result_schema: msgspec.Raw = NULL
    steps: tuple[StepContract, ...] = ()
    approvals: tuple[ApprovalContract, ...] = ()
    find: tuple[str, ...] = ()
    external_events: tuple[ExternalEventContract, ...] = ()
    starts: tuple[StartEventContract, ...] = ()


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
    subject: str | None = None
    tags: tuple[str, ...] = ()


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
    door: str | None = None


class ApprovalPolicy(Struct, frozen=True, kw_only=True):
    """Who may decide; without a quorum, any one approver. `text` describes it for people."""

    needed: int = 1
    quorum: tuple[Quorum, ...] = ()
    veto: tuple[str, ...] = ()
    exclude_starter: bool = False
    people: tuple[str, ...] = ()
    require_signature: bool = False
    text: str = ""


class Approval(Struct, frozen=True, kw_only=True):
    """A question, its evidence, and the decisions so far.

    Attributes:
        votes: the latest vote of each subject, if a policy governs the question.
        quorum: how far the newest answer has come.
        asked_policy: with which it was asked, if a hand-over has replaced the policy since.
        outcome: `modified`; after the deadline `expired`, or `defaulted` if the run continues with `answer`.
        door: how the deciding vote, or the veto, was submitted; None if that was not recorded.
    """

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
    about: str | None = None
    proposal: msgspec.Raw = NULL
    outcome: str | None = None
    modified: tuple[str, ...] = ()
    policy: ApprovalPolicy = ApprovalPolicy()
    asked_policy: ApprovalPolicy | None = None
    votes: tuple[VoteState, ...] = ()
    claim: ClaimState | None = None
    refused: tuple[RefusedVoteState, ...] = ()
    quorum: tuple[QuorumProgress, ...] = ()
    round: int = 1
    decision_id: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    decider: Subject | None = None
    note: str | None = None
    door: str | None = None
    answer: msgspec.Raw = NULL


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
    subject: str | None = None
    tags: tuple[str, ...] = ()
    waits: tuple[EventWaitState, ...] = ()
    plain: bool = False
    trace_id: str | None = None


class Decided(Struct, frozen=True, kw_only=True):
    """The effect of a decision.

    A status of `counted` means: further votes are needed; `quorum` and `message` state which. `recorded`
    means: stored durably, and applied as soon as a worker is available.
    """

    run_id: str
    approval_id: str
    decision_id: str
    status: str
    decided_by: str = ""
    decided_at: datetime | None = None
    blocked: BlockedState | None = None
    quorum: tuple[QuorumProgress, ...] = ()
    message: str | None = None


class BulkOutcome(Struct, frozen=True, kw_only=True):
    """The outcome of one of many decisions, or in a dry run the outcome that it would have.

    A status of `refused` means: refused for the reason in `code` and `detail`. `failed` means: it may succeed
    if it is sent again. The others mean the same as for a single decision.
    """

    run_id: str
    approval_id: str
    decision_id: str
    status: str
    code: str | None = None
    detail: str | None = None
    quorum: tuple[QuorumProgress, ...] = ()
    message: str | None = None


class BulkOutcomes(Struct, frozen=True, kw_only=True):
    """The gateway's response to many decisions: one outcome for each, in their order."""

    dry_run: bool
    results: tuple[BulkOutcome, ...]


class Assigned(Struct, frozen=True, kw_only=True):
    """Who deals with an approval. A claim has no effect after `claimed_until`."""

    run_id: str
    approval_id: str
    claimed_by: Subject | None = None
    claimed_until: datetime | None = None
    delegated_to: str | None = None


class Accepted(Struct, frozen=True, kw_only=True):
    run_id: str
    accepted: str = ""
