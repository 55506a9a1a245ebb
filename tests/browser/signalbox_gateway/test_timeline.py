"""The timeline of a run: attempts of steps, and what it waited for."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from playwright.sync_api import Page, expect

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
TIMELINE = """async ([snapshot, frames, now]) => {
    const { isTimed, timelineOf } = await import("/console/js/run/timeline-spans.js");
    return timelineOf(snapshot, frames.filter(isTimed), now);
}"""


def instant(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}Z"


def frame(name: str, second: int, **data: object) -> Mapping[str, object]:
    return {"type": f"dev.signalbox.{name}.v1", "time": instant(second), "data": data}


def snapshot(status: str, ended: int | None = None) -> Mapping[str, object]:
    steps = [
        {"name": name, "title": name.title(), "status": "completed", "attempt": 1}
        for name in ("read", "decide")
    ]
    return {
        "status": status,
        "started_at": instant(0),
        "ended_at": None if ended is None else instant(ended),
        "steps": steps,
        "approvals": [],
    }


def drawn(page: Page, run: Mapping[str, object], frames: Sequence[Mapping[str, object]], now: int) -> Any:
    """The waits of the run, and the spans of each step, in seconds since its start."""
    found = page.evaluate(TIMELINE, [run, frames, START + now * 1000])

    def seconds(spans: Sequence[Mapping[str, Any]]) -> list[tuple[str, float, float]]:
        return [(one["kind"], (one["from"] - START) / 1000, (one["to"] - START) / 1000) for one in spans]

    return seconds(found["waits"]), [seconds(row["spans"]) for row in found["rows"]]


def test_every_attempt_has_a_span_and_waits_are_apart(modules: Page) -> None:
    frames = [
        frame("run.started", 0),
        frame("step.started", 2, step="read", attempt=1),
        frame("step.failed", 4, step="read"),
        frame("step.started", 5, step="read", attempt=2),
        frame("run.paused", 6),
        frame("run.resumed", 8),
        frame("step.completed", 9, step="read"),
        frame("step.started", 9, step="decide", attempt=1),
        frame("approval.requested", 10, approval_id="a", step="decide", title="Publish?"),
        frame("approval.decided", 20, approval_id="a"),
        frame("step.completed", 21, step="decide"),
    ]
    waits, (read, decide) = drawn(modules, snapshot("completed", 22), frames, 60)
    assert waits == [("queued", 0, 2), ("paused", 6, 8)]
    assert read == [("failed", 2, 4), ("work", 5, 9)]
    assert decide == [("person", 10, 20), ("work", 9, 21)]


def test_what_is_open_lasts_until_now_and_ends_with_the_run(modules: Page) -> None:
    frames = [
        frame("step.started", 1, step="decide", attempt=1),
        frame("approval.requested", 2, approval_id="a", step="decide", title="Publish?"),
    ]
    _, (_, running) = drawn(modules, snapshot("running"), frames, 30)
    assert running == [("work", 1, 30), ("person", 2, 30)]
    _, (_, cancelled) = drawn(modules, snapshot("cancelled", 12), frames, 30)
    assert cancelled == [("stopped", 1, 12), ("person", 2, 12)]


@pytest.mark.parametrize("end", ["decided", "vetoed", "expired", "withdrawn"])
def test_a_question_is_waited_for_until_its_outcome(modules: Page, end: str) -> None:
    frames = [
        frame("step.started", 1, step="decide", attempt=1),
        frame("approval.requested", 2, approval_id="a", step="decide", title="Publish?"),
        frame(f"approval.{end}", 12, approval_id="a"),
    ]
    _, (_, decide) = drawn(modules, snapshot("running"), frames, 30)
    assert decide == [("person", 2, 12), ("work", 1, 30)]


def test_a_fold_keeps_its_button_and_the_focus_while_the_timeline_is_drawn_anew(modules: Page) -> None:
    steps = [
        {"name": f"step_{number}", "title": f"Step {number}", "status": "completed", "attempt": 1}
        for number in range(30)
    ]
    modules.evaluate(
        """async (snapshot) => {
            const { Timeline } = await import("/console/js/run/timeline.js");
            const timeline = new Timeline();
            document.body.replaceChildren(timeline.element);
            timeline.update(snapshot);
            window.timeline = timeline;
        }""",
        {**snapshot("running"), "steps": steps, "trace_id": None},
    )
    fold = modules.get_by_role("button", name="Show steps 2 to 29")
    fold.focus()
    modules.evaluate("timeline.draw()")
    expect(fold).to_be_focused()
    modules.keyboard.press("Enter")
    expect(modules.locator(".waterfall .lane")).to_have_count(31)
    modules.evaluate("() => { timeline.close(); document.body.replaceChildren(); }")


def test_without_events_the_steps_of_the_snapshot_are_drawn(modules: Page) -> None:
    run = {**snapshot("completed", 9)}
    run["steps"] = [
        {
            "name": "read",
            "title": "Read",
            "status": "failed",
            "attempt": 3,
            "started_at": instant(1),
            "ended_at": instant(4),
        },
        {"name": "decide", "title": "Decide", "status": "pending", "attempt": 0, "started_at": None},
    ]
    waits, rows = drawn(modules, run, [], 60)
    assert waits == [("queued", 0, 1)]
    assert rows == [[("failed", 1, 4)], []]
