"""A response that arrives late, or refuses, neither moves the user nor hides what happened."""

import json
from collections.abc import Iterator, Mapping, Sequence

import pytest
from playwright.sync_api import Page, Request, Route, expect

from signalbox_client import Signalbox
from support.drivers.browser import Site, until
from support.drivers.console import RUN_MS
from support.drivers.console_api import ConsoleApi, HeldRoutes

DECISION = "POST runs/run-9/approvals/captcha-1/decision"
QUESTION: Mapping[str, object] = {
    "approval_id": "captcha-1",
    "name": "captcha",
    "title": "What does the picture say?",
    "status": "pending",
    "digest": "digest-captcha-1",
    "answer_schema": {
        "type": "object",
        "required": ["text"],
        "properties": {"text": {"type": "string", "title": "Text"}},
    },
    "options": None,
    "evidence": None,
    "requested_at": "2026-03-01T09:30:00Z",
    "deadline_at": None,
    "step": "ask",
    "decided_by": None,
    "decided_at": None,
    "decision_id": None,
    "answer": None,
    "note": None,
    "votes": [],
}


class Decisions:
    """Replaces the gateway's endpoint for decisions: answers with what is set, and keeps the decision ids."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.answers: list[tuple[int, Mapping[str, object]]] = []

    def __call__(self, route: Route, request: Request) -> None:
        self.ids.append(str(json.loads(request.post_data or "{}")["decision_id"]))
        status, body = self.answers[len(self.ids) - 1]
        route.fulfill(status=status, json=body)


def show_panel(page: Page) -> None:
    page.evaluate(
        """async (approval) => {
            const { ApprovalPanels } = await import("/console/js/approval/approval.js");
            const panels = new ApprovalPanels("run-9", { decided: () => {} });
            document.body.append(panels.element);
            panels.update({ approvals: [approval] });
        }""",
        QUESTION,
    )


def send(page: Page, text: str) -> None:
    page.get_by_label("Text").fill(text)
    page.get_by_role("button", name="Send decision").click()
    expect(page.locator(".approval[aria-busy]")).to_have_count(0)


def test_a_change_of_a_recorded_decision_is_a_new_decision(modules: Page, gateway: ConsoleApi) -> None:
    decisions = Decisions()
    decisions.answers = [(202, {"status": "recorded"}), (202, {"status": "recorded"})]
    gateway.handlers[DECISION] = decisions
    show_panel(modules)

    send(modules, "one")
    until(modules, lambda: len(decisions.ids) == 1)
    expect(modules.get_by_role("button", name="Send decision")).to_be_enabled()
    send(modules, "two")
    until(modules, lambda: len(decisions.ids) == 2)

    assert len(set(decisions.ids)) == 2


def test_after_a_lost_response_a_changed_answer_can_be_sent(modules: Page, gateway: ConsoleApi) -> None:
    decisions = Decisions()
    taken = {"code": "decision_id_taken", "status": 409, "detail": "The decision id was used."}
    decisions.answers = [(409, taken), (200, {"status": "counted", "message": "1 of 2"})]
    gateway.handlers[DECISION] = decisions
    show_panel(modules)

    send(modules, "two")
    expect(modules.get_by_text("The decision id was used.")).to_be_visible()
    send(modules, "two")
    until(modules, lambda: len(decisions.ids) == 2)

    assert len(set(decisions.ids)) == 2


def test_a_decision_without_a_response_for_a_minute_can_be_sent_again(
    modules: Page, gateway: ConsoleApi
) -> None:
    held = HeldRoutes()
    gateway.handlers[DECISION] = held
    modules.evaluate(
        """() => {
            const limit = AbortSignal.timeout;
            const minute = new AbortController();
            AbortSignal.timeout = (ms) => (ms === 60_000 ? minute.signal : limit.call(AbortSignal, ms));
            window.minuteIsOver = () => {
                AbortSignal.timeout = limit;
                minute.abort(new DOMException("It took too long.", "TimeoutError"));
            };
        }"""
    )
    show_panel(modules)
    modules.get_by_label("Text").fill("one")
    modules.get_by_role("button", name="Send decision").click()
    held.until(modules)
    modules.evaluate("minuteIsOver()")

    expect(modules.get_by_text("The gateway does not respond.", exact=False)).to_be_visible()
    expect(modules.get_by_role("button", name="Send decision")).to_be_enabled()
    expect(modules.get_by_label("Text")).to_have_value("one")


def test_a_refused_decision_leaves_its_dialog_open(modules: Page, gateway: ConsoleApi) -> None:
    refused = {"code": "already_decided", "status": 409, "detail": "Lan decided this."}
    run = {"run_id": "run-9", "approvals": [QUESTION], "artifacts": []}
    gateway.give("GET runs/run-9", run)
    gateway.give("GET runs/run-9/approvals/captcha-1", {**QUESTION, "decisions": []})
    gateway.give(DECISION, refused, 409)
    modules.evaluate(
        """async () => {
            const { decideInDialog } = await import("/console/js/approval/decide-dialog.js");
            window.dialogIsOver = false;
            decideInDialog("run-9", "Invoice 7").then(() => { window.dialogIsOver = true; });
        }"""
    )
    send(modules, "one")

    expect(modules.get_by_text("Lan decided this.")).to_be_visible()
    assert modules.evaluate("window.dialogIsOver") is False
    modules.get_by_role("button", name="Close").click()
    modules.wait_for_function("window.dialogIsOver")


def test_a_late_start_does_not_move_a_user_who_has_left(modules: Page, gateway: ConsoleApi) -> None:
    held = HeldRoutes()
    gateway.handlers["POST runs"] = held
    schema = {"type": "object", "properties": {}}
    pipeline = {"name": "import", "title": "Import", "steps": [], "input_schema": schema}
    gateway.give("GET pipelines/import", pipeline)
    modules.evaluate(
        """async () => {
            location.hash = "#/start/import";
            const { startPage } = await import("/console/js/pipelines/start.js");
            const page = await startPage({ parts: ["import"], query: new URLSearchParams() });
            document.body.append(page.element);
        }"""
    )
    button = modules.get_by_role("button", name="Start the run")
    button.click()
    (started,) = held.until(modules)
    modules.evaluate("location.hash = '#/inbox'")
    started.fulfill(status=201, json={"run_id": "run-2"})
    expect(button).to_be_enabled()
    assert modules.evaluate("location.hash") == "#/inbox"


def test_a_late_inbox_leaves_the_address_of_a_user_who_has_left(modules: Page, gateway: ConsoleApi) -> None:
    addresses = modules.evaluate(
        """async (question) => {
            const { inboxPage } = await import("/console/js/inbox/page.js");
            const addresses = [];
            for (const later of ["#/inbox", "#/approvals", "#/system"]) {
                let loaded;
                const inbox = {
                    approvals: [{ ...question, run_id: "run-9", pipeline: "import" }], total: 1,
                    load: () => new Promise((resolve) => { loaded = resolve; }),
                    readWhole: () => () => {}, listen: () => () => {}, refresh: () => {},
                };
                location.hash = "#/inbox";
                const opening = inboxPage({ parts: [], query: new URLSearchParams(), inbox });
                location.hash = later;
                loaded();
                (await opening).close();
                addresses.push(location.hash);
            }
            return addresses;
        }""",
        QUESTION,
    )
    assert addresses == ["#/inbox/run-9/captcha-1", "#/inbox/run-9/captcha-1", "#/system"]


def test_a_result_that_its_event_left_out_is_read(modules: Page, gateway: ConsoleApi) -> None:
    gateway.give("GET runs/run-9/result", {"rows": ["x" * 300_000, "last"]})
    gateway.give("GET runs/run-9/input", {"input": {}})
    modules.evaluate(
        """async () => {
            const { DataTab } = await import("/console/js/run/data-tab.js");
            const tab = new DataTab("run-9");
            document.body.append(tab.element);
            tab.update({ status: "completed", result: null, ended_at: "2026-03-01T09:30:00Z" });
            tab.load();
        }"""
    )
    shown = modules.get_by_role("region", name="Result as JSON")
    expect(shown).to_contain_text('"rows"')
    expect(modules.get_by_text("The first 200,000 of 300,")).to_be_visible()


@pytest.fixture
def waiting(client: Signalbox, site: Site) -> Iterator[Sequence[str]]:
    """Two runs that each ask one question."""
    runs = [client.start("ad_creative", {"url": site.product_page, "variants": 1}).run_id for _ in range(2)]
    for run_id in runs:
        next(update for update in client.watch(run_id) if update.snapshot.approvals)
    yield runs
    for run_id in runs:
        if client.run(run_id).status not in ("completed", "cancelled"):
            client.cancel(run_id, "test")


@pytest.mark.timeout(180)
def test_a_late_decision_leaves_the_question_that_is_shown_now(
    signed_in: Page, site: Site, waiting: Sequence[str]
) -> None:
    page = signed_in
    held = HeldRoutes()
    first, second = waiting
    page.route("**/decision", held)
    page.goto(f"{site.origin}/#/inbox/{first}/{approval_of(page, site, first)}")
    panel = page.locator(".triage-main .approval.open")
    expect(panel.get_by_role("radio", name="Approve")).to_be_visible(timeout=RUN_MS)
    page.keyboard.press("a")
    expect(panel.get_by_role("radio", name="Approve")).to_be_checked()
    page.keyboard.press("Control+Enter")
    (sent,) = held.until(page)
    page.goto(f"{site.origin}/#/inbox/{second}/{approval_of(page, site, second)}")
    expect(page.locator(".triage-about code")).to_have_text(second, timeout=RUN_MS)

    sent.continue_()
    expect(page.locator(".question")).to_have_count(1, timeout=RUN_MS)

    expect(page.locator(".triage-about code")).to_have_text(second)
    assert second in page.url


def approval_of(page: Page, site: Site, run_id: str) -> str:
    run = page.request.get(f"{site.origin}/v1/runs/{run_id}").json()
    return str(run["approvals"][0]["approval_id"])
