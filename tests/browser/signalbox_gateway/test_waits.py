"""What a run waits for from outside, on its page."""

from collections.abc import Mapping

from playwright.sync_api import Page, expect

SHOW = """async (snapshot) => {
  const { WaitNotice } = await import("/console/js/run/waits.js");
  window.notice ??= new WaitNotice();
  document.body.replaceChildren(window.notice.element);
  window.notice.update(snapshot);
}"""
TIMELINE = """async ([snapshot, frames]) => {
  const { timelineOf } = await import("/console/js/run/timeline-spans.js");
  return timelineOf(snapshot, frames, Date.parse("2030-01-01T02:00:00Z"));
}"""


def wait(**overrides: object) -> Mapping[str, object]:
    return {
        "wait_id": "payment.settled",
        "name": "payment.settled",
        "title": "the payment",
        "key": "4711",
        "step": "pay",
        "status": "pending",
        "requested_at": "2030-01-01T00:00:00Z",
        "deadline_at": "2999-01-01T00:00:00Z",
        **overrides,
    }


def test_the_notice_names_event_key_and_time_left_and_goes_when_the_event_arrives(modules: Page) -> None:
    modules.evaluate(SHOW, {"waits": [wait()]})
    line = modules.get_by_role("paragraph")
    expect(line).to_contain_text("Waiting for the payment, key 4711")
    expect(line).to_contain_text("left")

    modules.evaluate(SHOW, {"waits": [wait(wait_id="carrier", key=None, is_callback=True)]})
    expect(line).to_contain_text("Waiting for the payment, by callback")

    modules.evaluate(SHOW, {"waits": [wait(status="received")]})
    expect(line).to_have_count(0)


def test_the_timeline_shows_the_wait_in_its_step(modules: Page) -> None:
    snapshot = {
        "status": "running",
        "started_at": "2030-01-01T00:00:00Z",
        "steps": [{"name": "pay", "title": "Pay", "status": "running"}],
        "approvals": [],
        "waits": [wait()],
    }
    frames = [
        {"type": "dev.signalbox.step.started.v1", "time": "2030-01-01T00:00:00Z", "data": {"step": "pay"}},
        {"type": "dev.signalbox.wait.requested.v1", "time": "2030-01-01T01:00:00Z", "data": wait()},
    ]

    spans = modules.evaluate(TIMELINE, [snapshot, frames])["rows"][0]["spans"]

    hour_ms = 3_600_000
    assert [(span["kind"], span["label"], span["to"] - span["from"]) for span in spans] == [
        ("work", "", 2 * hour_ms),
        ("event", "Waiting for the payment, key 4711", hour_ms),
    ]
