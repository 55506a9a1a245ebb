"""The inbox while a view loads, when it cannot be read, and when it has more questions than are read."""

from collections.abc import Mapping
from itertools import count

from playwright.sync_api import Page, expect

from support.drivers.console_api import ConsoleApi, HeldRoutes

MINE = "GET approvals?status=pending&mine=true"
LAN = {"subject": "key:lan", "name": "Lan", "kind": "human", "groups": []}
OPEN = """async (approvals) => {
    const { inboxPage } = await import("/console/js/inbox/page.js");
    const inbox = {
        approvals, total: approvals.length, load: async () => {}, refresh: async () => {},
        readWhole: () => () => {}, listen: () => () => {},
    };
    location.hash = "#/inbox";
    window.page = await inboxPage({ parts: [], query: new URLSearchParams(), inbox });
    document.body.append(window.page.element);
}"""
NAVIGATE = """([hash, parts]) => {
    history.replaceState(null, "", hash);
    window.page.navigate({ parts, query: new URLSearchParams(hash.split("?")[1]) });
}"""


def question(number: int, **facts: object) -> Mapping[str, object]:
    return {
        "run_id": f"run-{number}", "approval_id": "ok", "title": f"Question {number}", "subject": None,
        "pipeline": "import", "requested_at": "2026-03-01T09:30:00Z", "deadline_at": None,
        "status": "pending", "round": 1, "picture": None, "claim": None, "handed_to": None, "people": [],
        "decided_by": None, "decided_at": None, "outcome": None, **facts,
    }  # fmt: skip


def chosen(page: Page) -> str:
    text = page.locator(".question[aria-current=true] .question-title").inner_text()
    assert isinstance(text, str)
    return text


def test_a_view_that_loads_late_leaves_the_question_of_the_address(
    modules: Page, gateway: ConsoleApi
) -> None:
    held = HeldRoutes()
    gateway.handlers[MINE] = held
    modules.set_viewport_size({"width": 1360, "height": 900})
    modules.evaluate(OPEN, [question(1)])
    assert chosen(modules) == "Question 1"

    modules.evaluate(NAVIGATE, ["#/inbox?view=mine", []])
    (mine,) = held.until(modules)
    expect(modules.get_by_role("link", name="Mine")).to_have_attribute("aria-current", "true")
    expect(modules.locator(".question")).to_have_count(0)
    modules.evaluate(NAVIGATE, ["#/inbox/run-3/ok?view=mine", ["run-3", "ok"]])
    mine.fulfill(json={"approvals": [question(2), question(3)], "total": 2, "next_cursor": None})

    expect(modules.locator(".question")).to_have_count(2)
    assert chosen(modules) == "Question 3"
    assert modules.evaluate("location.hash") == "#/inbox/run-3/ok?view=mine"


def test_a_view_that_cannot_be_read_does_not_say_that_it_is_empty(modules: Page, gateway: ConsoleApi) -> None:
    gateway.give(MINE, {"status": 503, "code": "unavailable", "detail": "Redis is unavailable"}, 503)
    modules.set_viewport_size({"width": 1360, "height": 900})
    modules.evaluate(OPEN, [question(1)])

    modules.evaluate(NAVIGATE, ["#/inbox?view=mine", []])

    expect(modules.get_by_text("Redis is unavailable")).to_be_visible()
    expect(modules.locator(".question, .empty, .triage-question")).to_have_count(0)
    expect(modules.get_by_role("link", name="Mine")).to_have_attribute("aria-current", "true")


def test_a_view_that_was_not_read_to_its_end_says_so(modules: Page, gateway: ConsoleApi) -> None:
    page = {"approvals": [], "total": 9_000, "next_cursor": "c"}
    gateway.give(MINE, page)
    gateway.give(f"{MINE}&cursor=c", page)
    modules.set_viewport_size({"width": 1360, "height": 900})
    modules.evaluate(OPEN, [])
    expect(modules.get_by_role("heading", name="Nothing to decide")).to_be_visible()

    modules.evaluate(NAVIGATE, ["#/inbox?view=mine", []])
    expect(modules.get_by_role("heading", name="None of the oldest questions waits for you")).to_be_visible()

    numbers = count(1)
    gateway.handlers[f"{MINE}&cursor=c"] = lambda route, _: route.fulfill(
        json={**page, "approvals": [question(next(numbers))]}
    )
    modules.evaluate(NAVIGATE, ["#/inbox", []])
    modules.evaluate(NAVIGATE, ["#/inbox?view=mine", []])
    expect(modules.locator(".triage-head .count")).to_have_text("the oldest 4")


def test_a_row_names_who_has_claimed_it_until_the_claim_ends(modules: Page, gateway: ConsoleApi) -> None:
    modules.clock.install(time="2026-03-01T10:00:00Z")
    modules.set_viewport_size({"width": 1360, "height": 900})
    modules.evaluate(OPEN, [question(1, claim={"by": LAN, "until": "2026-03-01T10:05:00Z"})])
    who = modules.locator(".question-who")
    expect(who).to_have_text("Waiting for Lan")

    modules.clock.fast_forward(301_000)
    expect(who).to_have_text("")
