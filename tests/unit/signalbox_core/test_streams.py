"""Cursors, records and channel messages of a run's stream."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput
from signalbox_core.events import Snapshot, fold
from signalbox_core.events.catalogue import RunStarted, StepProgress
from signalbox_core.streams import Cursor
from signalbox_core.streams.inbox_entries import requested_us
from signalbox_core.streams.record import (
    live_record,
    milestone_record,
    pack_message,
    snapshot_marks,
    unpack_message,
)
from signalbox_core.streams.run_stream import InboxItem
from support.fakes.events import make_event, story

MILESTONES = [event for event in story() if event.sequence is not None]
PROGRESS = make_event("step.progress", StepProgress(step="read", percent=1.0))


@pytest.mark.parametrize("sequence", [0, 12, 1_790_000_000_000_012, 2**53 - 1])
def test_a_cursor_round_trips(sequence: int) -> None:
    assert Cursor.parse(str(Cursor("46811fac", sequence))) == Cursor("46811fac", sequence)


NO_CURSORS = [
    "",
    ":",
    "a",
    "a:",
    ":1",
    "a:-1",
    "a:01",
    "A:1",
    "a:1 ",
    "a:1\n",
    "a:1:2",
    "a:1.0",
    "a" * 17 + ":1",
    f"a:{2**53}",
    "a:" + "9" * 16,
    "a:" + "1" * 17,
]


@pytest.mark.parametrize("text", NO_CURSORS)
def test_an_invalid_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="<epoch>:<sequence>"):
        Cursor.parse(text)


@pytest.mark.parametrize("event", [*MILESTONES, PROGRESS], ids=lambda event: event.name)
def test_a_channel_message_carries_the_frame(event: object) -> None:
    record = live_record(event) if event is PROGRESS else milestone_record(event)  # type: ignore[arg-type]
    frame = unpack_message(pack_message("46811fac", record))
    assert (frame.epoch, frame.sequence, frame.name, frame.data.decode()) == (
        "46811fac",
        record.sequence or None,
        record.name,
        record.data,
    )
    assert frame.terminal == (record.name == "run.completed")


def test_a_message_of_a_run_without_a_stream_has_no_epoch() -> None:
    assert unpack_message(b"- 0 step.progress\n{}").epoch == ""


def test_data_may_contain_line_feeds() -> None:
    assert unpack_message(b'aa 3 step.started\n{\n"step":\n"x"}').data == b'{\n"step":\n"x"}'


def test_a_domain_event_is_stored_in_the_log_but_not_in_the_snapshot() -> None:
    event = replace(
        MILESTONES[0], type="dev.signalbox.invoice.imported.v1", data=msgspec.Raw(b'{"name":"inv-1"}')
    )
    record = milestone_record(event)
    assert (record.name, record.field) == ("invoice.imported", "")


def test_late_progress_is_guarded_by_the_end_of_its_step() -> None:
    ended, late = milestone_record(MILESTONES[2]), live_record(PROGRESS)
    assert ended.marks == (late.guard, "ended")


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(replace(MILESTONES[0], sequence=None), id="a milestone without a sequence"),
        pytest.param(replace(MILESTONES[0], sequence=0), id="a sequence before the first"),
        pytest.param(replace(PROGRESS, sequence=4), id="progress with a sequence"),
        pytest.param(replace(MILESTONES[0], data=msgspec.Raw(b"[]")), id="data of another shape"),
    ],
)
def test_an_event_without_a_valid_sequence_number_is_rejected(event: object) -> None:
    with pytest.raises(InvalidInput):
        milestone_record(event)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", range(1, len(MILESTONES) + 1))
def test_a_snapshot_implies_the_marks_of_its_events(count: int) -> None:
    snapshot, marks = Snapshot(run_id="run-1", tenant="acme"), {}
    for event in MILESTONES[:count]:
        snapshot = fold(snapshot, event)
        marks.update(_pairs(milestone_record(event).marks))
    # A running step needs no mark to be open, nor a question without claim and hand-over an empty one.
    assert _without_sequences(_pairs(snapshot_marks(snapshot))) == _without_sequences(
        {
            name: value
            for name, value in marks.items()
            if value != "running" and (value or not name.startswith(("claim:", "handed:", "policy:")))
        }
    )


def _without_sequences(marks: Mapping[str, str]) -> Mapping[str, str]:
    """Marks without the sequence of a question: in those of a snapshot it is 0, before all of its votes."""
    return {
        name: value.partition(" ")[0] if name.startswith("asked:") else value for name, value in marks.items()
    }


def test_the_subject_of_a_run_is_a_mark() -> None:
    data = RunStarted(pipeline="echo", title="Echo", subject="Coffee")
    started = make_event("run.started", data, sequence=1)
    snapshot = fold(Snapshot(run_id="run-1", tenant="acme"), started)
    assert _pairs(milestone_record(started).marks) == _pairs(snapshot_marks(snapshot))
    assert _pairs(snapshot_marks(snapshot))["subject"] == "Coffee"


def _pairs(marks: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(marks[::2], marks[1::2], strict=True))


def test_questions_of_one_instant_are_listed_in_the_order_of_their_numbers() -> None:
    ids = ["page-10", "page-2", "page", "page-1000"]
    items = [
        InboxItem(
            run_id="run-1",
            approval_id=approval_id,
            title="",
            pipeline="",
            requested_at=datetime(2026, 1, 1, tzinfo=UTC),
            deadline_at=None,
        )
        for approval_id in ids
    ]

    ordered = sorted(items, key=requested_us)

    assert [item.approval_id for item in ordered] == ["page", "page-2", "page-10", "page-1000"]
