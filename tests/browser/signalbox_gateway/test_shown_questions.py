"""Browsers compute the digest of what they show, and send nothing if the gateway gave another one."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from signalbox_core.events.policy import Policy
from signalbox_core.events.question_digest import JCS_PREFIX, QuestionContent
from signalbox_gateway.web import CLIENT, STATIC
from support.customer.fake_client import APPROVAL, FAKE, RUN
from support.drivers.browser import WITHIN_MS
from support.fakes.asked_questions import VECTORS, approval_view, compact_json, one_byte_changes, vector

# Browsers compute digests for HTTPS and local addresses only.
ORIGIN = "http://questions.localhost"
TIMES = 1_000
EVERYTHING = "RFC 8785: everything that a question can have"
EARLIER = "ab" * 32
REFUSAL = "is not the question that its digest is of, so nothing was sent"
CHECK = """async (texts) => {
  const { verifiedDigest } = await import("/client/questions/shown-question.js");
  const check = (text) => verifiedDigest(JSON.parse(text)).catch(({ code }) => code);
  return Promise.all(texts.map(check));
}"""
SHOW_ELEMENT = """async () => {
  await import("/client/elements/index.js");
  const element = document.createElement("signalbox-approval");
  element.setAttribute("run-id", "run-1");
  element.setAttribute("approval-id", "discount");
  element.signalbox = window.fake;
  document.querySelector("main").replaceChildren(element);
}"""
SHOW_PANEL = """async (approval) => {
  for (const id of ["toasts", "announcer", "alarm"])
    document.body.append(Object.assign(document.createElement("div"), { id }));
  const { ApprovalPanels } = await import("/console/js/approval/approval.js");
  window.accepted = 0;
  window.panels = new ApprovalPanels("run-1", { decided: () => { window.accepted += 1; } });
  document.querySelector("main").replaceChildren(window.panels.element);
  window.panels.update({ approvals: [approval] });
}"""


class Decisions:
    """Replaces the gateway: records decisions and objections, and accepts them."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, object]] = []

    def __call__(self, route: Route) -> None:
        self.sent.append(json.loads(route.request.post_data or "{}"))
        route.fulfill(body="{}", content_type="application/json")


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    folders = {"client": CLIENT, "console": STATIC}

    def give(route: Route) -> None:
        folder, _, path = route.request.url.removeprefix(f"{ORIGIN}/").partition("/")
        if folder in folders:
            route.fulfill(path=folders[folder] / path)
        else:
            body = "<!doctype html><html lang=en><title>questions</title><body><main></main>"
            route.fulfill(body=body, content_type="text/html")

    with browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.route(f"{ORIGIN}/**", give)
        yield page


@pytest.fixture
def page(tab: Page) -> Page:
    tab.goto(ORIGIN)
    tab.evaluate("localStorage.clear()")
    return tab


@pytest.fixture
def decisions(page: Page) -> Iterator[Decisions]:
    decisions = Decisions()
    paths = [f"{ORIGIN}/v1/runs/run-1/approvals/discount/{name}" for name in ("decision", "objection")]
    for path in paths:
        page.route(path, decisions)
    yield decisions
    for path in paths:
        page.unroute(path)


def computed(page: Page, *views: Mapping[str, object]) -> list[str]:
    found: list[str] = page.evaluate(CHECK, [compact_json(view).decode() for view in views])
    return found


def asked(**changes: object) -> dict[str, Any]:
    """A question with its digest; `changes` are made to what is shown afterwards."""
    shown = {**APPROVAL, "evidence": {"customer": "Minh", "score": 1.0}}
    policy = Policy(veto=("legal",))
    content = QuestionContent(
        title=str(shown["title"]),
        answer_schema=msgspec.Raw(msgspec.json.encode(shown["answer_schema"])),
        options=msgspec.Raw(msgspec.json.encode(shown["options"])),
        evidence=msgspec.Raw(msgspec.json.encode(shown["evidence"])),
        policy=policy,
    )
    more = {"name": "discount", "digest": content.digest, "policy": json.loads(msgspec.json.encode(policy))}
    return {**shown, **more, "proposal": None, "about": None, **changes}


def show_element(page: Page, approval: Mapping[str, object]) -> None:
    page.evaluate(FAKE, [{**RUN, "approvals": [approval]}, approval])
    page.evaluate(SHOW_ELEMENT)
    page.get_by_label("Verdict").select_option("grant")
    page.get_by_role("button", name="Send decision").click()


def test_the_digests_of_the_vectors_are_those_that_python_computes(page: Page) -> None:
    assert page.evaluate("isSecureContext")
    newer = [item for item in VECTORS if item["digest"].startswith(JCS_PREFIX)]
    assert len(newer) >= 5
    assert computed(page, *map(approval_view, newer)) == [item["digest"] for item in newer]


def test_a_digest_of_an_earlier_version_is_sent_as_it_is(page: Page) -> None:
    earlier = [item for item in VECTORS if not item["digest"].startswith(JCS_PREFIX)]
    assert computed(page, *map(approval_view, earlier)) == [item["digest"] for item in earlier]


def test_a_digest_of_a_later_form_is_refused(page: Page) -> None:
    view = approval_view(vector(EVERYTHING))
    assert computed(page, {**view, "digest": f"jcs2:{'0' * 64}"}) == ["digest_mismatch"]


def test_a_question_with_half_a_surrogate_pair_is_refused(page: Page) -> None:
    view = approval_view(vector(EVERYTHING))
    text = compact_json({**view, "evidence": "@"}).decode().replace('"@"', r'"\ud800"')
    assert page.evaluate(CHECK, [text]) == ["digest_mismatch"]


def test_a_question_that_was_handed_over_has_the_digest_with_which_it_was_asked(page: Page) -> None:
    view = approval_view(vector(EVERYTHING))
    handed_over = {**view, "policy": {"needed": 1}, "asked_policy": view["policy"]}
    assert computed(page, handed_over, {**handed_over, "asked_policy": None}) == [
        view["digest"],
        "digest_mismatch",
    ]


def test_of_a_thousand_questions_with_one_changed_byte_none_passes(page: Page) -> None:
    view = approval_view(vector(EVERYTHING))
    changes = islice(one_byte_changes(view, seed=11), TIMES)
    # As texts: what Python decodes need not be what JavaScript does.
    texts = [compact_json({**view, member: "@"}).replace(b'"@"', body).decode() for member, body in changes]
    assert page.evaluate(CHECK, texts) == ["digest_mismatch"] * TIMES


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"title": "Publish other ads?"}, id="title"),
        pytest.param({"about": None}, id="without about"),
        pytest.param({"proposal": None}, id="without proposal"),
        pytest.param({"digest": f"{JCS_PREFIX}{'0' * 64}"}, id="digest"),
        pytest.param({"policy": {"needed": 1}}, id="default policy"),
    ],
)
def test_a_changed_question_is_refused(page: Page, changes: dict[str, Any]) -> None:
    assert computed(page, {**approval_view(vector(EVERYTHING)), **changes}) == ["digest_mismatch"]


@pytest.mark.parametrize("changes", [{}, {"digest": EARLIER}], ids=["computed", "of an earlier version"])
def test_the_element_sends_the_digest(page: Page, changes: dict[str, str]) -> None:
    approval = asked(**changes)
    show_element(page, approval)
    expect(page.get_by_role("status")).to_have_text("Decision accepted.")
    assert page.evaluate("state.sent.map(({ digest }) => digest)") == [approval["digest"]]


def test_the_element_sends_nothing_when_another_question_is_shown(page: Page) -> None:
    show_element(page, asked(evidence={"customer": "Minh", "score": 2}))
    expect(page.get_by_role("alert").filter(has_text=REFUSAL)).to_be_visible()
    expect(page.get_by_role("button", name="Send decision")).to_have_attribute("aria-disabled", "false")
    assert page.evaluate("state.sent") == []


@pytest.mark.parametrize("changes", [{}, {"digest": EARLIER}], ids=["computed", "of an earlier version"])
def test_the_console_sends_the_digest(page: Page, decisions: Decisions, changes: dict[str, str]) -> None:
    approval = asked(**changes)
    page.evaluate(SHOW_PANEL, approval)
    page.get_by_role("radio", name="Grant").check()
    page.get_by_role("button", name="Send decision").click()
    page.wait_for_function("window.accepted === 1")
    assert [sent["digest"] for sent in decisions.sent] == [approval["digest"]]


@pytest.mark.parametrize("button", ["Send decision", "Object"])
def test_the_console_sends_nothing_when_another_question_is_shown(
    page: Page, decisions: Decisions, button: str
) -> None:
    page.evaluate(SHOW_PANEL, asked(title="Which discount for all customers?"))
    page.get_by_role("radio", name="Grant").check()
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_role("alert").filter(has_text=REFUSAL)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert decisions.sent == []


def test_the_console_checks_what_it_has_shown_and_not_what_arrives_later(
    page: Page, decisions: Decisions
) -> None:
    page.evaluate(SHOW_PANEL, asked(title="Which discount for all customers?"))
    page.evaluate("(approval) => window.panels.update({ approvals: [approval] })", asked())
    page.get_by_role("radio", name="Grant").check()
    page.get_by_role("button", name="Send decision").click()
    expect(page.get_by_role("alert").filter(has_text=REFUSAL)).to_be_visible()
    assert decisions.sent == []
