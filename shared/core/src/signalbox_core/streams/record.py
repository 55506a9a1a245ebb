"""Converts events to the records that the stream's script stores. Pure."""

from typing import Final

import msgspec
from msgspec import Struct, UnsetType

from signalbox_core.errors import InvalidInput
from signalbox_core.events import (
    CATALOGUE,
    MAX_SAFE_INTEGER,
    CloudEvent,
    EventKind,
    Snapshot,
    frame_data,
    snapshot_key,
)
from signalbox_core.events.catalogue import TERMINAL, RunStarted
from signalbox_core.events.snapshot import ENDED
from signalbox_core.streams.approval_marks import (
    CLOSED_APPROVAL,
    event_marks,
    snapshot_approval_marks,
    starter_mark,
)
from signalbox_core.streams.inbox_entries import closed_approval
from signalbox_core.streams.run_stream import Frame

ENDED_STEP: Final = "ended"
REOPENS: Final = "run.retried"
BEGINS: Final = "run.started"
FIRST_PLAIN_SEQUENCE: Final = 10**15
"""Plain workflows number from their start in microseconds; runs of pipelines from 1, or in milliseconds."""
PLAIN: Final = "plain"
"""The mark of a stream that was rebuilt from the snapshot of a plain workflow."""
_STEP_END_EVENTS: Final = frozenset({"step.completed", "step.failed"})
_STORED_PROGRESS_EVENTS: Final = ("step.progress", "stream.reset")
"""Progress events of which the newest per step is stored; the snapshot applies them in order of time."""
_APPROVAL_END_EVENTS: Final = frozenset(
    {"approval.decided", "approval.vetoed", "approval.expired", "approval.withdrawn"}
)
INBOX_FACT_EVENTS: Final = frozenset(
    {
        "approval.claimed",
        "approval.released",
        "approval.delegated",
        "approval.escalated",
        "approval.voted",
    }
)
"""Events that change what the inbox shows of an approval that stays pending."""
APPROVAL_EVENTS: Final = _APPROVAL_END_EVENTS | {"approval.requested"}


class Record(Struct, frozen=True, kw_only=True):
    """One event, ready for the script.

    Attributes:
        field: the field of the hash of newest events that stores `data`; empty: not stored.
        marks: names and values to set in the run's meta hash, flattened.
        guard: a mark; while its value is `ended`, the record is dropped.
        reopens: the run continues, so a stream that has ended takes events again.
        begins: a workflow has started whose id may have been used before, so the stream starts over at this
            number.
    """

    sequence: int
    name: str
    data: str
    field: str = ""
    marks: tuple[str, ...] = ()
    guard: str = ""
    terminal: bool = False
    reopens: bool = False
    begins: bool = False


def milestone_record(event: CloudEvent) -> Record:
    """Create the record of a milestone.

    Raises:
        InvalidInput: it has no sequence number, or its data does not match its type.
    """
    if event.sequence is None or not 1 <= event.sequence <= MAX_SAFE_INTEGER:
        raise InvalidInput(
            f"event {event.name} needs a sequence number from 1 to {MAX_SAFE_INTEGER}"
            " to be appended to a stream",
            field="sequence",
        )
    _check_data(event)
    name = event.name
    return Record(
        sequence=event.sequence,
        name=name,
        data=frame_data(event).decode(),
        # Domain events change no snapshot, and a run may have many of them.
        field=snapshot_key(event) if name in CATALOGUE else "",
        marks=_marks(event),
        terminal=name in TERMINAL,
        reopens=name == REOPENS,
        begins=name == BEGINS and event.sequence > 1,
    )


def is_first(event: CloudEvent) -> bool:
    """Whether a run's stream begins with this event."""
    return event.sequence == 1 or event.name == BEGINS


def live_record(event: CloudEvent) -> Record:
    """Create the record of a progress event.

    Raises:
        InvalidInput: it has a sequence number, or its data does not match its type.
    """
    if event.sequence is not None:
        raise InvalidInput(f"event {event.name} has a sequence number: append it", field="sequence")
    _check_data(event)
    is_stored = event.name in _STORED_PROGRESS_EVENTS
    key = snapshot_key(event) if is_stored else ""
    return Record(
        sequence=0,
        name=event.name,
        data=frame_data(event).decode(),
        field=key,
        guard=_step_mark(key) if is_stored else "",
    )


def transient_record(event: CloudEvent) -> Record:
    """Create the record of an event that is sent to listeners and not stored.

    Raises:
        InvalidInput: its data does not match its type.
    """
    _check_data(event)
    return Record(sequence=0, name=event.name, data=frame_data(event).decode())


def event_record(event: CloudEvent) -> Record:
    """Create the record of any event: a milestone, progress, or an event that is only sent.

    Raises:
        InvalidInput: its sequence number or its data does not match its type.
    """
    if event.sequence is not None:
        return milestone_record(event)
    declared = CATALOGUE.get(event.name)
    is_progress = declared is not None and declared.kind is EventKind.PROGRESS
    return live_record(event) if is_progress else transient_record(event)


def snapshot_marks(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the marks of a stream whose events fold into this snapshot."""
    marks = ["pipeline", snapshot.pipeline, *_subject_mark(snapshot.subject)]
    if snapshot.plain:
        marks += [PLAIN, "yes"]
    for step in snapshot.steps:
        if step.status not in ("pending", "running"):
            marks += [f"step:{step.name}", ENDED_STEP]
    marks += snapshot_approval_marks(snapshot)
    if snapshot.status in ENDED:
        marks += ["terminal", f"run.{snapshot.status}"]
    return tuple(marks)


def pack_message(epoch: str, record: Record) -> bytes:
    """Encode a channel message as the script does: `<epoch> <sequence> <name>`, a line feed, the data."""
    return f"{epoch} {record.sequence} {record.name}\n{record.data}".encode()


def pack_tenant_message(name: str, key: str = "") -> bytes:
    """Encode a message for `tenant_channel`; `key` is that of a stream."""
    data = msgspec.json.encode({"runid": key} if key else {}).decode()
    return pack_message("-", Record(sequence=0, name=name, data=data))


def unpack_message(message: bytes) -> Frame:
    """Decode a channel message."""
    head, _, data = message.partition(b"\n")
    epoch, sequence, name = head.decode().split(" ", 2)
    return Frame(
        epoch=epoch.strip("-"),
        sequence=int(sequence) or None,
        name=name,
        data=data,
        terminal=name in TERMINAL,
    )


def _check_data(event: CloudEvent) -> None:
    declared = CATALOGUE.get(event.name)
    try:
        msgspec.json.decode(event.data, type=declared.data if declared else msgspec.Raw)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InvalidInput(
            f"event {event.name} {event.id}: its data does not match the type: {error}", field="data"
        ) from None
    if declared and declared.kind is EventKind.PROGRESS and event.sequence is not None:
        raise InvalidInput(
            f"event {event.name} is progress and must have no sequence number", field="sequence"
        )


def _marks(event: CloudEvent) -> tuple[str, ...]:
    name = event.name
    if name == "run.started":
        started = msgspec.json.decode(event.data, type=RunStarted)
        starter = starter_mark(started.starter or None)
        return ("pipeline", started.pipeline, *_subject_mark(started.subject), *starter)
    if name == "step.started":
        return (_step_mark(snapshot_key(event)), "running")
    if name in _STEP_END_EVENTS:
        return (_step_mark(snapshot_key(event)), ENDED_STEP)
    if name in _APPROVAL_END_EVENTS:
        return (f"approval:{closed_approval(event)}", CLOSED_APPROVAL)
    return ("terminal", name) if name in TERMINAL else event_marks(event)


def _subject_mark(subject: str | UnsetType | None) -> tuple[str, ...]:
    return ("subject", subject) if isinstance(subject, str) else ()


def _step_mark(key: str) -> str:
    return f"step:{_subject(key)}"


def _subject(key: str) -> str:
    return key.partition("/")[2]
