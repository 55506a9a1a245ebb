"""The event log of a run: every event once, also of steps that run again and of several votes."""

from collections.abc import Mapping, Sequence

import pytest
from playwright.sync_api import Page, expect

STYLES = """async () => {
    document.body.replaceChildren();
    for (const name of ["tokens", "base", "layout", "run"]) {
        const link = document.createElement("link");
        Object.assign(link, { rel: "stylesheet", href: `/console/css/${name}.css` });
        await new Promise((done) => { link.onload = done; document.head.append(link); });
    }
}"""
SHOW = """async ([snapshot, frames]) => {
    const { EventLog } = await import("/console/js/run/log.js");
    const log = new EventLog("run-1");
    document.body.replaceChildren(log.element, log.count);
    window.log = log;
    if (snapshot) log.backfill(snapshot);
    for (const frame of frames) log.add(frame);
}"""
FIRST = 0


def instant(second: int) -> str:
    return f"2026-01-01T00:00:0{second}Z"


def frame(name: str, second: int, **data: object) -> Mapping[str, object]:
    return {
        "id": f"run-1:{name}:{second}",
        "type": f"dev.signalbox.{name}.v1",
        "time": instant(second),
        "runid": "run-1",
        "data": data,
    }


# A step that fails, is tried again, and runs once more in a second round.
STEP = {"step": "write", "title": "Write"}
ROUNDS = [
    frame("run.started", FIRST, started_by="Minh"),
    frame("step.started", 1, **STEP, attempt=1),
    frame("step.failed", 2, **STEP, error={"message": "No answer"}, started_at=instant(1)),
    frame("step.started", 3, **STEP, attempt=2),
    frame("step.completed", 4, **STEP, started_at=instant(3)),
    frame("step.started", 5, **STEP, attempt=1),
    frame("step.completed", 6, **STEP, started_at=instant(5)),
]
SNAPSHOT: Mapping[str, object] = {
    "status": "running",
    "started_at": instant(FIRST),
    "started_by": "Minh",
    "ended_at": None,
    "error": None,
    "steps": [
        {
            "name": "write",
            "title": "Write",
            "status": "completed",
            "attempt": 1,
            "message": None,
            # The activity began a moment after the event of its start.
            "started_at": "2026-01-01T00:00:05.250Z",
            "ended_at": instant(6),
        }
    ],
    "approvals": [],
    "waits": [],
}


def vote(second: int, name: str) -> Mapping[str, object]:
    return {
        "decision_id": f"vote-{name}",
        "voted_by": {"subject": f"key:{name}", "name": name},
        "voted_at": instant(second),
        "objection": False,
        "note": None,
    }


@pytest.fixture(scope="module")
def page(modules: Page) -> Page:
    modules.evaluate(STYLES)
    return modules


def lines(page: Page) -> Sequence[str]:
    return page.locator(".log-name").all_inner_texts()


@pytest.mark.parametrize("snapshot", [pytest.param(None, id="live"), pytest.param(SNAPSHOT, id="mid-run")])
def test_each_round_and_each_attempt_of_a_step_has_its_lines(
    page: Page, snapshot: Mapping[str, object] | None
) -> None:
    page.evaluate(SHOW, [snapshot, ROUNDS])
    expect(page.locator(".log-line")).to_have_count(len(ROUNDS))
    assert lines(page) == [str(item["type"]).split("signalbox.")[1][:-3] for item in reversed(ROUNDS)]
    expect(page.locator("span.count")).to_have_text("7 events")


def test_every_vote_has_a_line_whether_the_snapshot_or_the_stream_brings_it(page: Page) -> None:
    votes = [vote(2, "Lan"), vote(3, "Minh")]
    question = {
        "approval_id": "ads",
        "title": "Which ads?",
        "status": "pending",
        "requested_at": instant(1),
        "decided_at": None,
        "decided_by": None,
        "votes": votes,
    }
    page.evaluate(SHOW, [{**SNAPSHOT, "approvals": [question]}, []])
    texts = page.locator(".log-text")
    expect(texts.filter(has_text="voted")).to_have_count(2)

    arriving = [
        frame("approval.voted", second, approval_id="ads", **item)
        for second, item in ((2, votes[0]), (3, votes[1]), (4, vote(4, "Hoa")))
    ]
    page.evaluate("(frames) => { for (const one of frames) log.add(one); }", arriving)
    expect(texts.filter(has_text="voted")).to_have_count(3)
    page.locator(".log-line", has_text="Hoa voted").click()
    expect(page.get_by_role("region", name="Event as JSON")).to_contain_text("vote-Hoa")


def test_a_filter_is_reported_as_it_is_typed_and_shown_as_the_address_has_it(page: Page) -> None:
    page.evaluate(
        """async (frames) => {
            const { EventLog } = await import("/console/js/run/log.js");
            window.filters = [];
            window.log = new EventLog("run-1", { filtered: (text) => window.filters.push(text) });
            document.body.replaceChildren(window.log.element);
            window.log.narrow("failed");
            for (const frame of frames) window.log.add(frame);
        }""",
        ROUNDS,
    )
    field = page.get_by_label("Filter events")
    expect(field).to_have_value("failed")
    expect(page.locator(".log-line")).to_have_count(1)
    assert page.evaluate("window.filters") == []

    field.fill("step. ")
    expect(page.locator(".log-line")).to_have_count(6)
    assert page.evaluate("window.filters") == ["step."]
    page.evaluate("window.log.narrow('step.')")
    expect(field).to_have_value("step. ")
    page.evaluate("window.log.narrow('')")
    expect(page.locator(".log-line")).to_have_count(7)


def test_a_chosen_line_of_the_snapshot_shows_its_event_once_that_arrives(page: Page) -> None:
    page.evaluate(SHOW, [SNAPSHOT, []])
    page.locator(".log-line", has_text="Run started by Minh").click()
    expect(page.get_by_text("This line is part of the run's snapshot.")).to_be_visible()
    page.evaluate("(one) => log.add(one)", ROUNDS[0])

    expect(page.get_by_role("region", name="Event as JSON")).to_contain_text("run-1:run.started:0")
    expect(page.locator(".log-line[data-chosen]")).to_contain_text("Run started by Minh")
