"""The progress coalescer: at most ten events a second per step, the latest wins, text is complete."""

from datetime import UTC, datetime

import msgspec

from signalbox_core.events import CloudEvent, catalogue, full_type
from signalbox_worker.progress import INTERVAL_S, MAX_STEPS, ProgressCoalescer


def said(
    percent: float | None = None,
    *,
    step: str = "work",
    text: str | None = None,
    message: str | None = None,
    attempt: int = 1,
) -> CloudEvent:
    data = catalogue.StepProgress(
        step=step, percent=percent, text=text, message=message, attempt=attempt, offset=0 if text else None
    )
    return event("step.progress", data, step)


def event(name: str, data: msgspec.Struct, step: str) -> CloudEvent:
    return CloudEvent(
        id="x",
        source="/signalbox/worker",
        type=full_type(name),
        time=datetime(2026, 1, 1, tzinfo=UTC),
        subject="run-1",
        tenantid="acme",
        runid="run-1",
        stepid=step,
        attempt=1,
        data=msgspec.Raw(msgspec.json.encode(data)),
    )


def read(event: CloudEvent) -> catalogue.StepProgress:
    return msgspec.json.decode(event.data, type=catalogue.StepProgress)


def taken(coalescer: ProgressCoalescer, now: float) -> list[catalogue.StepProgress]:
    found = []
    for key, events in coalescer.take_due(now):
        found += [read(item) for item in events]
        coalescer.mark_sent(key)
    return found


def test_the_first_leaves_at_once_and_the_next_after_the_interval() -> None:
    coalescer = ProgressCoalescer()
    coalescer.offer(said(10))
    first = taken(coalescer, 100.0)
    coalescer.offer(said(20))
    coalescer.offer(said(30))

    assert [item.percent for item in first] == [10]
    assert taken(coalescer, 100.0 + INTERVAL_S / 2) == []
    assert coalescer.next_due_at() == 100.0 + INTERVAL_S
    assert [item.percent for item in taken(coalescer, 100.0 + INTERVAL_S)] == [30]
    assert coalescer.dropped == 1


def test_a_step_waits_until_its_last_sending_ended() -> None:
    coalescer = ProgressCoalescer()
    coalescer.offer(said(10))
    ((key, _),) = coalescer.take_due(0.0)
    coalescer.offer(said(20))

    assert coalescer.take_due(9.0) == []
    assert coalescer.next_due_at() is None
    coalescer.mark_sent(key)
    assert [item.percent for item in taken(coalescer, 9.0)] == [20]


def test_the_newest_text_is_the_whole() -> None:
    coalescer = ProgressCoalescer()
    coalescer.offer(said(text="Xin ", message="writing"))
    coalescer.offer(said(text="Xin chào"))

    (found,) = taken(coalescer, 0.0)

    assert (found.text, found.offset, found.message) == ("Xin chào", 0, "writing")


def test_news_without_text_keeps_the_text_that_waits() -> None:
    coalescer = ProgressCoalescer()
    coalescer.offer(said(text="Xin chào"))
    coalescer.offer(said(50, message="writing"))

    (found,) = taken(coalescer, 0.0)

    assert (found.text, found.offset, found.percent, found.message) == ("Xin chào", 0, 50, "writing")


def test_text_of_an_earlier_attempt_is_forgotten() -> None:
    coalescer = ProgressCoalescer()
    coalescer.offer(said(text="old"))
    coalescer.offer(said(50, attempt=2))

    assert [item.text for item in taken(coalescer, 0.0)] == [None]


def test_a_reset_goes_before_what_follows_and_drops_what_waited() -> None:
    coalescer = ProgressCoalescer()
    coalescer.offer(said(10))
    coalescer.offer(event("stream.reset", catalogue.StreamReset(step="work", attempt=2), "work"))
    coalescer.offer(said(5, attempt=2))

    ((_, events),) = coalescer.take_due(0.0)

    assert [item.name for item in events] == ["stream.reset", "step.progress"]
    assert read(events[1]).percent == 5


def test_steps_do_not_hold_each_other_up() -> None:
    coalescer = ProgressCoalescer()
    coalescer.offer(said(10, step="a"))
    coalescer.take_due(0.0)
    coalescer.offer(said(20, step="b"))

    assert [item.step for item in taken(coalescer, 0.01)] == ["b"]


def test_one_item_of_many_leaves_the_percentage_alone() -> None:
    coalescer = ProgressCoalescer()

    assert not coalescer.offer(said(message="item 3: half"), item=True)
    coalescer.offer(said(40))
    taken(coalescer, 0.0)
    coalescer.offer(said(message="item 3: half"), item=True)

    assert [(item.percent, item.message) for item in taken(coalescer, 1.0)] == [(40, "item 3: half")]


def test_the_board_is_bounded() -> None:
    coalescer = ProgressCoalescer()
    for number in range(MAX_STEPS + 10):
        coalescer.offer(said(1, step=f"s{number}"))

    assert len(coalescer.take_due(0.0)) == MAX_STEPS
    assert coalescer.dropped == 10
