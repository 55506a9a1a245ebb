"""A step's partial output: bounded, complete in every event, cleared on reset and at the step's end."""

import pytest

from signalbox_core.events import CloudEvent, Snapshot, assemble, fold
from signalbox_core.events.catalogue import StepProgress, StreamReset
from signalbox_core.pipeline.activity.partial_text import MAX_TEXT_BYTES, PartialText
from signalbox_core.testing.streams import FakeRunStream
from support.fakes.events import make_event, story


def progress(text: str | None, *, second: int, offset: int | None = None) -> CloudEvent:
    return make_event("step.progress", StepProgress(step="read", text=text, offset=offset), second=second)


def reset(second: int) -> CloudEvent:
    return make_event("stream.reset", StreamReset(step="read", attempt=2), second=second)


def folded(events: "list[CloudEvent]") -> Snapshot:
    snapshot = Snapshot(run_id="run-1", tenant="acme")
    for event in events:
        snapshot = fold(snapshot, event)
    return snapshot


def text_in(snapshot: Snapshot) -> tuple[str | None, int]:
    return snapshot.steps[0].text, snapshot.steps[0].text_offset


def test_text_accumulates_from_empty() -> None:
    partial = PartialText()
    partial.add("Xin ")
    partial.add("chào")

    assert (partial.text, partial.offset) == ("Xin chào", 0)


@pytest.mark.parametrize(
    "letter", ["a", "ạ", "漢", "😀"], ids=["1 byte", "3 bytes", "3 bytes wide", "4 bytes"]
)
def test_a_long_text_keeps_its_end_and_the_offset_of_it(letter: str) -> None:
    partial = PartialText()
    whole = letter * 20_000 + "x" * 20_000 + letter * 9_000 + "end"
    for start in range(0, len(whole), 1_000):
        partial.add(whole[start : start + 1_000])

    assert len(partial.text.encode()) <= MAX_TEXT_BYTES
    assert partial.text == whole[partial.offset :]


STORIES = [
    pytest.param([], (None, 0), id="nothing"),
    pytest.param(
        [progress("Xin", second=5), progress("Xin chào", second=6, offset=0)],
        ("Xin chào", 0),
        id="the newest",
    ),
    pytest.param([progress("chào", second=5, offset=900)], ("chào", 900), id="the end of a long one"),
    pytest.param([progress("old", second=5), reset(6)], (None, 0), id="reset"),
    pytest.param(
        [progress("old", second=5), reset(6), progress("new", second=7)], ("new", 0), id="after a reset"
    ),
]


@pytest.mark.parametrize(("live", "expected"), STORIES)
def test_the_snapshot_shows_the_text_so_far(
    live: "list[CloudEvent]", expected: tuple[str | None, int]
) -> None:
    assert text_in(folded([*story()[:2], *live])) == expected


@pytest.mark.parametrize(("live", "expected"), STORIES)
async def test_a_stream_projects_the_same(live: "list[CloudEvent]", expected: tuple[str | None, int]) -> None:
    streams = FakeRunStream()
    await streams.append_many(story()[:2])
    for event in live:
        await streams.progress(event)

    projected = await streams.snapshot("acme:run-1")

    assert projected is not None
    assert text_in(projected.snapshot) == expected


def test_the_newest_events_assemble_to_the_same_text() -> None:
    events = [*story()[:2], progress("old", second=5), reset(6)]

    assert assemble(Snapshot(run_id="run-1", tenant="acme"), reversed(events)) == folded(events)


def test_live_text_is_removed_when_the_step_ends() -> None:
    started, ended = story()[:2], [event for event in story() if event.name == "step.completed"][:1]

    assert text_in(folded([*started, progress("text", second=5), *ended])) == (None, 0)
