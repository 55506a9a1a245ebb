"""The state of a run at one moment: what `snapshot.fold` returns and what API, console and client show."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.events.catalogue import Failure
from signalbox_core.events.children import ChildStatus
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.events.policy import Policy, QuorumProgress
from signalbox_core.events.waits import WaitStatus
from signalbox_core.ids import run_key
from signalbox_core.subjects import Subject

RunStatus = Literal[
    "queued", "running", "paused", "completed", "failed", "cancelled", "terminated", "timed_out"
]
StepStatus = Literal["pending", "running", "completed", "failed", "cancelled"]
ApprovalStatus = Literal["pending", "decided", "vetoed", "expired", "withdrawn", "cancelled"]
ENDED: Final = frozenset({"completed", "failed", "cancelled", "terminated", "timed_out"})


class StepState(Struct, frozen=True, kw_only=True):
    """One step.

    Attributes:
        text: the partial output of a running step, or the end of it after `text_offset` characters; None once
            the step has ended.
    """

    name: str
    title: str
    status: StepStatus = "pending"
    percent: float | None = None
    message: str | None = None
    items: str | None = None
    attempt: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    text: str | None = None
    text_offset: int = 0


class VoteState(Struct, frozen=True, kw_only=True):
    """The latest vote of one subject.

    Attributes:
        answer: null of an objection; its reason is the note.
        group: the group for which the vote counted when it was cast; None for any group.
        quorum: how far the newest answer had come then.
        door: how the vote was submitted; None if that was not recorded.
    """

    decision_id: str
    voted_by: Subject
    voted_at: datetime
    answer: msgspec.Raw
    objection: bool = False
    note: str | None = None
    group: str | None = None
    quorum: tuple[QuorumProgress, ...] = ()
    door: str | None = None


class RefusedVoteState(Struct, frozen=True, kw_only=True):
    """A vote that was refused after its sender had a reply; `reason` is the code in words."""

    decision_id: str
    voted_by: Subject
    refused_at: datetime
    code: str
    reason: str


class ClaimState(Struct, frozen=True, kw_only=True):
    """Who deals with a question. It has no effect after `until`."""

    by: Subject
    until: datetime


class ApprovalState(Struct, frozen=True, kw_only=True):
    """One question.

    Attributes:
        about: what the question is about, if the title does not state it.
        policy: None for the default, by which any one approver decides.
        proposal: the answer as proposed; null without one.
        outcome: `modified` if the answer edits the proposal; `modified` has the members as JSON pointers.
            After the deadline `expired`, or `defaulted` if the run continues with the default, `answer`.
        votes: in the order in which they were cast; only of questions with a policy, and objections.
        refused: the latest votes that were refused after their senders had a reply.
        asked_policy: the policy with which it was asked, which the digest covers, if a hand-over has replaced
            it.
        round: 2 for a question that is asked a second time, and so on.
        door: how the deciding vote, or the veto, was submitted.
    """

    approval_id: str
    name: str
    title: str
    status: ApprovalStatus
    answer_schema: msgspec.Raw
    options: msgspec.Raw
    evidence: msgspec.Raw
    digest: str
    requested_at: datetime
    step: str | None = None
    deadline_at: datetime | None = None
    decision_id: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    answer: msgspec.Raw = msgspec.Raw(b"null")
    note: str | None = None
    decider: Subject | None = None
    about: str | None = None
    policy: Policy | None = None
    votes: tuple[VoteState, ...] = ()
    claim: ClaimState | None = None
    proposal: msgspec.Raw = msgspec.Raw(b"null")
    outcome: str | None = None
    modified: tuple[str, ...] = ()
    handed_to: str | None = None
    refused: tuple[RefusedVoteState, ...] = ()
    asked_policy: Policy | None = None
    round: int = 1
    door: str | None = None


class ArtifactState(Struct, frozen=True, kw_only=True):
    name: str
    media_type: str
    size_bytes: int
    key: str
    title: str | None = None


class ChildState(Struct, frozen=True, kw_only=True):
    """A run that the run has started.

    `running` until the run has received its end; if the run ended or continued as new before that, until the
    child's own stream has it.
    """

    run_id: str
    pipeline: str
    title: str
    step: str | None = None
    status: ChildStatus = "running"


class EventWaitState(Struct, frozen=True, kw_only=True):
    """One wait for an external event.

    Attributes:
        key: the business key that the event must have; None for an event that is addressed to the run.
        is_callback: only a POST to the one-time URL of this wait ends it.
        ended_at: when the event arrived, the deadline passed or the wait was withdrawn.
        event_id, data, sender: of the event; null until it has arrived.
    """

    wait_id: str
    name: str
    title: str
    requested_at: datetime
    deadline_at: datetime
    data: msgspec.Raw
    status: WaitStatus = "pending"
    key: str | None = None
    step: str | None = None
    is_callback: bool = False
    ended_at: datetime | None = None
    event_id: str | None = None
    sender: Subject | None = None


class BlockedState(Struct, frozen=True, kw_only=True):
    """The run cannot continue until someone acts; `code` is stable, `reason` names the remedy."""

    code: str
    reason: str
    since: datetime


class QueuedState(Struct, frozen=True, kw_only=True):
    """The run waits for a free worker; `ahead` approximates the tasks in its queue."""

    ahead: int
    reason: str
    since: datetime


class Snapshot(Struct, frozen=True, kw_only=True):
    """One run.

    Attributes:
        sequence: of the last milestone folded in.
        steps: in the contract's order; undeclared ones follow in the order of their first start.
        blocked, queued: why the run does not continue, as the gateway observed it. The workflow's own
            snapshot has neither.
        parent: the run that started this one.
        children: the runs that this one started with `Run.call` or `Run.start_child`.
        subject: what the run is about, as the contract's `subject` renders it.
        tags: what the run was tagged with when it was started.
        waits: for external events, in the order in which they began.
        retry_of: the run that this one repeats from the start.
        retried_as: the latest run that repeats this one; from the stream, not from the workflow.
        retried_at: when this run was last reset and continued.
        plain: a workflow of other code than a pipeline's; it has no contract, and can only be cancelled.
        trace_id: of the trace that the start belongs to.
        result: JSON null until the run has completed, because msgspec cannot decode into `Raw | None`.
    """

    run_id: str
    tenant: str
    pipeline: str = ""
    title: str = ""
    status: RunStatus = "running"
    started_at: datetime | None = None
    started_by: str | None = None
    starter: Subject | None = None
    ended_at: datetime | None = None
    steps: tuple[StepState, ...] = ()
    approvals: tuple[ApprovalState, ...] = ()
    artifacts: tuple[ArtifactState, ...] = ()
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Failure | None = None
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

    @property
    def key(self) -> str:
        return run_key(self.tenant, self.run_id)


Fold: TypeAlias = Callable[[Snapshot, CloudEvent], Snapshot]
"""Returns the snapshot after an event of one type."""


def without_text(state: StepState) -> StepState:
    """Return the step without its partial output."""
    return replace(state, text=None, text_offset=0)


def without_progress(state: StepState) -> StepState:
    """Clear what progress events set.

    The workflow's own fold has not seen the progress of its activities, and both folds must agree.
    """
    return replace(without_text(state), percent=None, message=None)
