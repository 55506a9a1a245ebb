"""The event catalogue: every event type of the system itself, with the Struct of its data.

Pipelines add domain events through `PipelineSpec.events`. docs/events.md is generated from both. Fields are
only added; a breaking change is a new type `….v2`.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from signalbox_core.events.approval_data import (
    ApprovalClaimed,
    ApprovalDecided,
    ApprovalExpired,
    ApprovalHandedOver,
    ApprovalReleased,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalVetoed,
    ApprovalVoted,
    ApprovalVoteRefused,
    ApprovalWithdrawn,
)
from signalbox_core.events.children import ChildEnded, ChildStarted
from signalbox_core.events.notices import RunBlocked, RunQueued, RunUnblocked
from signalbox_core.events.waits import WaitExpired, WaitReceived, WaitRequested, WaitWithdrawn
from signalbox_core.subjects import Subject

_PREFIX: Final = "dev.signalbox."
MAX_SAFE_INTEGER: Final = 2**53 - 1
SafeInteger = Annotated[int, Meta(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
"""An integer that JavaScript, Lua and every JSON parser represent exactly."""


class EventKind(StrEnum):
    MILESTONE = "milestone"
    """Numbered by the workflow; stored in the run's stream and published to Pub/Sub (`lifecycle`)."""
    NOTICE = "notice"
    """Observed by the gateway from outside; no sequence number, not stored in the stream; `run.blocked` and
    `run.unblocked` are published to Pub/Sub (`lifecycle`)."""
    PROGRESS = "progress"
    """Best effort, the latest wins, no sequence number; for live listeners and the snapshot only."""
    DOMAIN = "domain"
    """What the pipeline did to its subject matter; also published to Pub/Sub (`domain-events`)."""


class EventType(Struct, frozen=True):
    """One event type: its short name (`step.completed`), kind, data Struct and what it means."""

    name: str
    kind: EventKind
    data: type[Struct]
    meaning: str


def full_type(name: str) -> str:
    """`step.completed` → `dev.signalbox.step.completed.v1`."""
    return f"{_PREFIX}{name}.v1"


def short_name(kind: str) -> str:
    """`dev.signalbox.step.completed.v1` → `step.completed`; an unknown type is returned unchanged."""
    return kind.removeprefix(_PREFIX).rsplit(".", 1)[0] if kind.startswith(_PREFIX) else kind


class StepInfo(Struct, frozen=True, kw_only=True):
    name: str
    title: str


class Failure(Struct, frozen=True, kw_only=True):
    """Why a step or run failed: a stable code, a message with the remedy, the input field, the step."""

    code: str
    message: str
    field: str | None = None
    step: str | None = None


class RunStarted(Struct, frozen=True, kw_only=True):
    """`plain`: a workflow of other code than a pipeline's, which the worker plugin shows as a run."""

    pipeline: str
    title: str
    steps: tuple[StepInfo, ...] = ()
    started_by: str | None = None
    retry_of: str | UnsetType = UNSET
    starter: Subject | UnsetType = UNSET
    parent: str | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    plain: bool | UnsetType = UNSET
    trace_id: str | UnsetType = UNSET


class StepStarted(Struct, frozen=True, kw_only=True):
    step: str
    title: str
    attempt: SafeInteger = 1


class StepProgress(Struct, frozen=True, kw_only=True):
    """Progress of a running step.

    Attributes:
        percent: 0 to 100; None when unknown.
        message: a short line for people.
        text: the step's *whole* partial output so far, so the newest event is enough. Of an output above 32
            kB only the end, after `offset` characters (code points). None when the event does not concern the
            output.
        items: the state of each of the step's items, one letter each, in order; the pipeline defines the
            letters.
    """

    step: str
    percent: float | None = None
    message: str | None = None
    attempt: SafeInteger = 1
    text: str | None = None
    offset: SafeInteger | None = None
    items: str | UnsetType = UNSET


class StepCompleted(Struct, frozen=True, kw_only=True):
    """A step that ended well. `items` is the final state of its items, as in StepProgress, if it has any."""

    step: str
    title: str
    started_at: datetime
    message: str | None = None
    items: str | UnsetType = UNSET


class StepFailed(Struct, frozen=True, kw_only=True):
    """A step that failed. `items` is the final state of its items, as in StepProgress, if it has any."""

    step: str
    title: str
    started_at: datetime
    error: Failure
    items: str | UnsetType = UNSET


class ArtifactCreated(Struct, frozen=True, kw_only=True):
    """`name` is unique in the run (a later one replaces it); `key` is the object store's."""

    name: str
    media_type: str
    size_bytes: SafeInteger
    key: str
    title: str | None = None


class RunPaused(Struct, frozen=True, kw_only=True):
    by: str | None = None


class RunResumed(Struct, frozen=True, kw_only=True):
    by: str | None = None


class RunRetried(Struct, frozen=True, kw_only=True):
    """`completed_steps`: the steps whose results are kept."""

    completed_steps: tuple[str, ...] = ()


class RunCompleted(Struct, frozen=True, kw_only=True):
    """`result` is null when it is too large for an event; read it from the gateway then."""

    result: msgspec.Raw


class RunFailed(Struct, frozen=True, kw_only=True):
    error: Failure


class RunCancelled(Struct, frozen=True, kw_only=True):
    reason: str | None = None
    by: str | None = None


class RunClosed(Struct, frozen=True, kw_only=True):
    """Closed by Temporal's server without running workflow code."""

    reason: str | None = None


class EventRefused(Struct, frozen=True, kw_only=True):
    """Takes the sequence number of an event that the receiver permanently rejected.

    The rejected event itself is in the run's Temporal history.
    """

    name: str
    event_id: str
    reason: str


class StreamReset(Struct, frozen=True, kw_only=True):
    """The partial output of this step starts over."""

    step: str
    attempt: SafeInteger


_M, _P, _N = EventKind.MILESTONE, EventKind.PROGRESS, EventKind.NOTICE
CATALOGUE: Final[Mapping[str, EventType]] = {
    kind.name: kind
    for kind in (
        EventType("run.started", _M, RunStarted, "A run started."),
        EventType("step.started", _M, StepStarted, "A step started."),
        EventType(
            "step.progress",
            _P,
            StepProgress,
            "The progress of a step; at most 10 a second, no id, latest wins.",
        ),
        EventType("step.completed", _M, StepCompleted, "A step completed."),
        EventType("step.failed", _M, StepFailed, "A step failed; the data has the error."),
        EventType("artifact.created", _M, ArtifactCreated, "A file is ready to download."),
        EventType("approval.requested", _M, ApprovalRequested, "The run requests a decision and waits."),
        EventType("approval.reminded", _M, ApprovalReminded, "A reminder: the approval is still pending."),
        EventType("approval.claimed", _M, ApprovalClaimed, "A subject claimed the question."),
        EventType("approval.released", _M, ApprovalReleased, "The claim was released."),
        EventType(
            "approval.delegated",
            _M,
            ApprovalHandedOver,
            "The approval was delegated, by a person or its ladder.",
        ),
        EventType("approval.escalated", _M, ApprovalHandedOver, "The approval was escalated by its ladder."),
        EventType("approval.voted", _M, ApprovalVoted, "A subject voted on a question with a policy."),
        EventType(
            "approval.vote_refused",
            _M,
            ApprovalVoteRefused,
            "A vote that was stored for later was refused when it was applied.",
        ),
        EventType("approval.decided", _M, ApprovalDecided, "The approval was decided; the run continues."),
        EventType("approval.vetoed", _M, ApprovalVetoed, "An objection with a veto ended the question."),
        EventType("approval.expired", _M, ApprovalExpired, "The deadline passed without a decision."),
        EventType(
            "approval.withdrawn",
            _M,
            ApprovalWithdrawn,
            "The run no longer asks: the wait was cancelled, or the run continued as new.",
        ),
        EventType("wait.requested", _M, WaitRequested, "The run waits for an external event."),
        EventType("wait.received", _M, WaitReceived, "The event arrived; the run continues."),
        EventType("wait.expired", _M, WaitExpired, "The event did not arrive in time."),
        EventType(
            "wait.withdrawn",
            _M,
            WaitWithdrawn,
            "The run no longer waits: the wait was cancelled, or the run continued as new.",
        ),
        EventType("child.started", _M, ChildStarted, "The run started a run of another pipeline."),
        EventType("child.ended", _M, ChildEnded, "A run that this run started has ended."),
        EventType("run.paused", _M, RunPaused, "The run starts no further step until it is resumed."),
        EventType("run.resumed", _M, RunResumed, "The run continues."),
        EventType(
            "run.retried", _M, RunRetried, "The run continues after it was reset; its sequence skips ahead."
        ),
        EventType("run.blocked", _N, RunBlocked, "The run cannot continue until someone acts."),
        EventType("run.queued", _N, RunQueued, "The run waits for a free worker. Sent to listeners only."),
        EventType("run.unblocked", _N, RunUnblocked, "The run can continue."),
        EventType("run.completed", _M, RunCompleted, "The run completed. Terminal."),
        EventType("run.failed", _M, RunFailed, "The run failed. Terminal."),
        EventType("run.cancelled", _M, RunCancelled, "The run was cancelled and has cleaned up. Terminal."),
        EventType(
            "run.terminated",
            _M,
            RunClosed,
            "The run was terminated in Temporal, without cleaning up. Terminal.",
        ),
        EventType(
            "run.timed_out", _M, RunClosed, "The run reached its execution timeout in Temporal. Terminal."
        ),
        EventType(
            "event.refused",
            _M,
            EventRefused,
            "An event was permanently refused; this one takes its sequence number.",
        ),
        EventType(
            "stream.reset", _P, StreamReset, "The partial output of a step restarts: discard its `text`."
        ),
    )
}
NOTICES: Final = frozenset(kind.name for kind in CATALOGUE.values() if kind.kind is EventKind.NOTICE)
TERMINAL: Final = frozenset(
    {"run.completed", "run.failed", "run.cancelled", "run.terminated", "run.timed_out"}
)
