"""The journal numbers milestones; the outbox splits them into batches that the receiver accepts."""

from datetime import UTC, datetime

import msgspec
import pytest
from msgspec.structs import replace
from temporalio.exceptions import ApplicationError

from signalbox_core.events import approval_data, catalogue, decode_event, encode_event
from signalbox_core.pipeline.workflow.delivery import (
    MAX_BATCH,
    MAX_BATCH_BYTES,
    TITLED,
    batches,
    size_bytes,
    untitled_size_bytes,
)
from signalbox_core.pipeline.workflow.journal import MAX_DATA_BYTES, RunJournal

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STARTED = catalogue.RunStarted(
    pipeline="sample", title="Sample", steps=(catalogue.StepInfo(name="work", title="Work"),)
)


def big(size: int) -> approval_data.ApprovalRequested:
    text = msgspec.Raw(msgspec.json.encode("x" * size))
    null = msgspec.Raw(b"null")
    return approval_data.ApprovalRequested(
        approval_id="a", name="a", title="A", answer_schema=null, options=text, evidence=null, digest="0" * 64
    )


def test_the_same_calls_give_the_same_events() -> None:
    first, second = RunJournal("run-1", "acme"), RunJournal("run-1", "acme")

    assert first.milestone("run.started", STARTED, NOW).id == second.milestone("run.started", STARTED, NOW).id
    assert first.snapshot == second.snapshot


def test_sequence_numbers_start_at_one_without_gaps() -> None:
    journal = RunJournal("run-1", "acme")

    events = [journal.milestone("run.paused", catalogue.RunPaused(), NOW) for _ in range(3)]

    assert [event.sequence for event in events] == [1, 2, 3]
    assert len({event.id for event in events}) == 3


def test_progress_has_no_sequence_and_shows_in_the_snapshot() -> None:
    journal = RunJournal("run-1", "acme")
    journal.milestone("run.started", STARTED, NOW)
    journal.milestone("step.started", catalogue.StepStarted(step="work", title="Work"), NOW, step="work")

    event = journal.progress(catalogue.StepProgress(step="work", percent=40.0), NOW, step="work")

    assert (event.sequence, event.stepid) == (None, "work")
    assert (journal.snapshot.sequence, journal.snapshot.steps[0].percent) == (2, 40.0)


def test_a_milestone_round_trips() -> None:
    event = RunJournal("run-1", "acme").milestone("run.started", STARTED, NOW)

    assert encode_event(decode_event(encode_event(event))) == encode_event(event)


def test_too_much_data_is_a_pipeline_bug_that_names_the_remedy() -> None:
    with pytest.raises(ApplicationError, match="put the body in the object store") as raised:
        RunJournal("run-1", "acme").milestone("approval.requested", big(MAX_DATA_BYTES), NOW)

    assert raised.value.type == "pipeline_bug"


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        pytest.param(0, 10, [], id="none"),
        pytest.param(1, 10, [1], id="one"),
        pytest.param(MAX_BATCH + 1, 10, [MAX_BATCH, 1], id="by count"),
        pytest.param(8, 240_000, [3, 3, 2], id="by size"),
    ],
)
def test_batches_keep_order_and_limits(count: int, size: int, expected: list[int]) -> None:
    journal = RunJournal("run-1", "acme")
    events = [journal.milestone("approval.requested", big(size), NOW) for _ in range(count)]

    cut = list(batches(events))

    assert [len(part) for part in cut] == expected
    assert [event for part in cut for event in part] == events
    assert all(sum(len(encode_event(event)) for event in part) <= MAX_BATCH_BYTES for part in cut)


def test_every_event_with_a_title_is_measured_without_it_unless_replay_takes_it_from_the_history() -> None:
    titled = {
        name
        for name, kind in catalogue.CATALOGUE.items()
        if kind.kind is catalogue.EventKind.MILESTONE and "title" in kind.data.__struct_fields__
    }

    assert titled == {*TITLED, "run.started", "approval.requested"}


@pytest.mark.parametrize("title", ["Prepare", 'Chuẩn bị «x» "y"' * 2_000])
def test_a_title_does_not_count(title: str) -> None:
    step = catalogue.StepCompleted(step="prepare", title=title, started_at=NOW, message="3 done")
    steps = (catalogue.StepInfo(name="prepare", title=title),)
    events = (
        RunJournal("run-1", "acme").milestone("step.completed", step, NOW),
        RunJournal("run-1", "acme").milestone(
            "run.started", catalogue.RunStarted(pipeline="p", title=title, steps=steps), NOW
        ),
    )

    untitled = RunJournal("run-1", "acme").milestone("step.completed", replace(step, title=""), NOW)
    assert [untitled_size_bytes(event) for event in events] == [size_bytes(untitled) - 2, 1_000]
