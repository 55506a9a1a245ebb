"""A question that several people decide: the policy, the votes, what is still needed, and objections."""

import json
import re
import time
from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import Page, Request, Route, expect

from signalbox_client import Signalbox
from signalbox_gateway.web import STATIC
from support.drivers.browser import SHOTS, Site, WatchedPage
from support.drivers.console import (
    RUN_MS,
    asked,
    cards,
    expect_status,
    faint_texts,
    faults_of,
    open_tab,
    start_run,
)

APPROVALS = "http://console.test/v1/runs/run-1/approvals/publish/"
MARKETING, LEGAL = {"needed": 2, "group": "marketing"}, {"needed": 1, "group": "legal"}
POLICY = {"quorum": [MARKETING, LEGAL], "veto": ["legal"], "exclude_starter": True, "people": []}


def subject(name: str, *groups: str) -> Mapping[str, object]:
    return {"subject": f"key:{name}", "kind": "human", "name": name, "groups": groups}


def vote(name: str, group: str, counted: tuple[int, int], **members: object) -> Mapping[str, object]:
    quorum = [{**MARKETING, "counted": counted[0]}, {**LEGAL, "counted": counted[1]}]
    return {
        "decision_id": f"d-{name}",
        "voted_by": subject(name, group),
        "voted_at": "2026-03-01T09:30:00Z",
        "answer": {"verdict": "publish"},
        "objection": False,
        "note": None,
        "group": group,
        "quorum": quorum,
        **members,
    }


def question(**members: object) -> Mapping[str, object]:
    schema = {"type": "object", "properties": {"verdict": {"type": "string", "title": "Verdict"}}}
    return {
        "approval_id": "publish",
        "name": "publish",
        "title": "Publish these ads?",
        "about": "Spring campaign",
        "status": "pending",
        "step": "approve",
        "answer_schema": schema,
        "options": None,
        "evidence": {"offer": "20 % off"},
        "digest": "0123456789abcdef0123456789abcdef",
        "requested_at": "2026-03-01T09:00:00Z",
        "deadline_at": None,
        "decision_id": None,
        "decided_by": None,
        "decided_at": None,
        "answer": None,
        "note": None,
        "policy": POLICY,
        "votes": [],
        **members,
    }


class DecidingGateway:
    """Replaces the gateway's endpoints of one approval, and records what is sent to them."""

    def __init__(self) -> None:
        self.sent: dict[str, Mapping[str, object]] = {}
        self.status = "counted"

    def __call__(self, route: Route, request: Request) -> None:
        self.sent[request.url.removeprefix(APPROVALS)] = json.loads(request.post_data or "{}")
        body = {"status": self.status, "message": "1 of 2 of marketing; 1 of legal still needed"}
        route.fulfill(status=200, body=json.dumps(body), content_type="application/json")


@pytest.fixture
def gateway(modules: Page) -> Iterator[DecidingGateway]:
    gateway = DecidingGateway()
    modules.route(f"{APPROVALS}**", gateway)
    nobody = json.dumps({"questions": []})
    modules.route(f"{APPROVALS}presence", lambda route: route.fulfill(body=nobody))
    sheets = re.findall(r'href="(console/css/[a-z]+\.css)"', (STATIC / "index.html").read_text())
    modules.evaluate(
        """async (sheets) => {
            localStorage.clear();
            const key = "signalbox.session";
            localStorage.setItem(key, JSON.stringify({ roles: ["approver"], subject: "key:Minh" }));
            document.body.replaceChildren();
            for (const href of sheets) {
                const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
                await new Promise((loaded) => { link.onload = loaded; document.head.append(link); });
            }
            for (const id of ["toasts", "announcer", "alarm"])
                document.body.append(Object.assign(document.createElement("div"), { id }));
            const { ApprovalPanels } = await import("/console/js/approval/approval.js");
            window.outcomes = [];
            window.panels = new ApprovalPanels("run-1", { decided: (outcome) => outcomes.push(outcome) });
            const main = document.createElement("main");
            main.append(window.panels.element);
            document.body.prepend(main);
        }""",
        sheets,
    )
    yield gateway
    modules.unroute(f"{APPROVALS}presence")
    modules.unroute(f"{APPROVALS}**")
    modules.evaluate("localStorage.clear(); document.querySelectorAll('link').forEach((one) => one.remove())")


def show(modules: Page, approval: Mapping[str, object]) -> None:
    modules.evaluate("(approval) => window.panels.update({ approvals: [approval] })", approval)


RULE = (
    "2 of marketing and 1 of legal must agree; an objection of legal ends the question; "
    "the starter may not decide."
)


@pytest.mark.usefixtures("gateway")
def test_the_rule_the_votes_and_what_is_still_needed_are_shown(modules: Page) -> None:
    show(modules, question())
    votes = modules.locator(".votes")
    expect(votes).to_contain_text(RULE)
    expect(votes).to_contain_text("No answer has votes yet: 2 of marketing still needed; 1 of legal still")

    lan, minh = vote("Lan", "marketing", (1, 0)), vote("Minh", "marketing", (2, 0))
    show(modules, question(votes=[lan]))
    lines = votes.get_by_role("listitem")
    expect(lines).to_have_text(re.compile("^Lan answered “Verdict: publish” for marketing"))
    expect(votes).to_contain_text("The newest answer has 1 of 2 of marketing; 1 of legal still needed.")
    objection = vote("Hà", "sales", (0, 0), objection=True, note="the price is old", answer=None, quorum=[])
    show(modules, question(votes=[lan, minh, objection]))
    expect(lines.nth(1)).to_have_text(re.compile(r"^Minh \(you\) answered"))
    expect(lines.nth(2)).to_have_text(re.compile("^Hà objected: the price is old"))
    expect(votes).to_contain_text("The newest answer has 2 of 2 of marketing; 1 of legal still needed.")

    SHOTS.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        for width in (1440, 390):
            modules.emulate_media(color_scheme=theme, reduced_motion="reduce")
            modules.set_viewport_size({"width": width, "height": 700})
            modules.screenshot(path=SHOTS / f"votes-{theme}-{width}.png")
            assert faint_texts(modules) == []
            assert modules.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    modules.emulate_media(color_scheme="light", reduced_motion="no-preference")


@pytest.mark.usefixtures("gateway")
def test_votes_of_others_leave_alone_what_is_entered(modules: Page) -> None:
    show(modules, question())
    field = modules.get_by_label("Verdict")
    field.fill("publish later")
    show(modules, question(votes=[vote("Lan", "marketing", (1, 0))]))
    expect(modules.locator(".votes")).to_contain_text("Lan answered")
    expect(field).to_have_value("publish later")
    expect(field).to_be_focused()


def test_a_counted_vote_leaves_the_question_open(modules: Page, gateway: DecidingGateway) -> None:
    show(modules, question())
    modules.get_by_label("Verdict").fill("publish")
    modules.get_by_role("button", name="Send decision").click()
    expect(modules.locator(".toast")).to_contain_text("1 of 2 of marketing; 1 of legal still needed")
    assert modules.evaluate("window.outcomes") == [{"accepted": True, "isOpen": True}]
    assert gateway.sent["decision"]["answer"] == {"verdict": "publish"}


def test_an_objection_needs_a_reason_and_names_its_effect(modules: Page, gateway: DecidingGateway) -> None:
    gateway.status = "vetoed"
    show(modules, question())
    modules.get_by_role("button", name="Object").click()
    dialog = modules.get_by_role("dialog", name="Object to “Publish these ads?”?")
    expect(dialog).to_contain_text("An objection of legal ends the question.")
    dialog.get_by_role("button", name="Object").click()
    expect(dialog).to_be_visible()
    assert gateway.sent == {}
    dialog.get_by_label("Reason").fill("the claim is not proven")
    dialog.get_by_role("button", name="Object").click()
    expect(modules.locator(".toast")).to_contain_text("it has ended the question")
    sent = gateway.sent["objection"]
    assert (sent["reason"], sent["digest"]) == ("the claim is not proven", question()["digest"])


@pytest.mark.usefixtures("gateway")
def test_a_question_of_one_approver_has_no_votes_and_no_objection(modules: Page) -> None:
    default = {"role": "approver", "needed": 1, "quorum": [{"needed": 1, "group": None}]}
    show(modules, question(policy=default, votes=[vote("Lan", "marketing", (1, 0))]))
    expect(modules.get_by_role("button", name="Send decision")).to_be_visible()
    expect(modules.get_by_role("button", name="Object")).to_be_hidden()
    expect(modules.locator(".votes")).to_be_empty()


@pytest.mark.timeout(180)
def test_a_question_is_claimed_released_and_delegated_without_losing_what_is_entered(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    start_run(page, site.product_page, variants=1)
    run_id = page.locator(".crumbs code").inner_text()
    panel = asked(page)
    cards(panel).first.get_by_role("radio", name="Approve").check()
    panel.get_by_role("button", name="Claim").click()
    votes = panel.locator(".votes")
    expect(votes).to_contain_text("Development admin is deciding, until")
    assert faults_of(page, watched, "claimed") == []
    page.reload()
    panel.get_by_role("button", name="Release").click()
    expect(votes).not_to_contain_text("is deciding")
    expect(panel.get_by_role("button", name="Claim")).to_be_visible()

    panel.get_by_role("button", name="Delegate").click()
    dialog = page.get_by_role("dialog", name="Delegate the question")
    dialog.get_by_label("To").fill("group:legal")
    dialog.get_by_role("button", name="Delegate").click()
    expect(votes).to_contain_text("Handed over to group:legal.")
    expect(cards(panel).first.get_by_role("radio", name="Approve")).to_be_checked()
    shown = page.request.get(f"{site.origin}/v1/runs/{run_id}/approvals/variants").json()
    assert shown["handed_to"] == "group:legal"
    with Signalbox(site.origin, site.api_key) as client:
        client.cancel(run_id, "test")


def receipt_of(page: Page, path: str, site: Site) -> bytes:
    """Read the receipt as soon as the ledger has it."""
    deadline = time.monotonic() + RUN_MS / 1000
    while not (answer := page.request.get(f"{site.origin}{path}")).ok:
        assert (answer.status, time.monotonic() < deadline) == (404, True), answer.text()
        page.wait_for_timeout(200)
    return answer.body()


@pytest.mark.timeout(180)
def test_the_receipt_of_a_decision_is_downloaded_unchanged(signed_in: Page, site: Site) -> None:
    page = signed_in
    start_run(page, site.product_page, variants=1)
    run_id = page.locator(".crumbs code").inner_text()
    cards(asked(page)).first.get_by_role("radio", name="Approve").check()
    page.get_by_role("button", name="Send 1 decision").click()
    expect_status(page, "Completed")
    open_tab(page, "Decisions")
    page.locator(".approval summary").click()
    with Signalbox(site.origin, site.api_key) as client:
        digest = client.approval(run_id, "variants").digest
    expect(page.locator(".proof")).to_contain_text(digest[:16])
    receipt = receipt_of(page, f"/v1/runs/{run_id}/approvals/variants/receipt", site)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download receipt").click()
    assert download.value.suggested_filename == f"receipt-{run_id}-variants.json"
    assert download.value.path().read_bytes() == receipt
