"""The custom elements with a fake client: forms, conflicts, expiry, drafts, texts, themes, keyboard."""

import json
from collections.abc import Iterator, Mapping

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from signalbox_core.pipeline.spec import json_schema
from signalbox_gateway.web import CLIENT
from support.customer.contract import DiscountAnswer, RequiredAnswer
from support.customer.fake_client import APPROVAL, FAKE, RUN
from support.drivers.browser import WITHIN_MS

ORIGIN = "http://elements.test"


SHOW = """([name, attributes]) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.signalbox = window.fake;
  document.querySelector("main").replaceChildren(element);
}"""


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    def give(route: Route) -> None:
        path = route.request.url.removeprefix(f"{ORIGIN}/")
        if path.startswith("client/"):
            route.fulfill(path=CLIENT / path.removeprefix("client/"))
        else:
            body = "<!doctype html><html lang=vi><title>elements</title><main></main>"
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
    tab.evaluate(FAKE, [RUN, APPROVAL])
    tab.evaluate("import('/client/elements/index.js')")
    return tab


def question(page: Page, **attributes: str) -> Locator:
    given = {"run-id": "run-1", "approval-id": "discount", **attributes}
    page.evaluate(SHOW, ["signalbox-approval", given])
    element = page.locator("signalbox-approval")
    expect(element.get_by_role("heading", name="Which discount?")).to_be_visible()
    return element


def notice(element: Locator) -> Locator:
    return element.get_by_role("alert").first


def test_the_answer_is_sent_with_the_digest_of_what_was_shown(page: Page) -> None:
    element = question(page)
    element.get_by_label("Verdict").select_option("grant")
    element.get_by_label("Percent").fill("20")
    element.get_by_label("Notify the customer").check()
    element.get_by_role("group", name="Channels").get_by_label("Shop").check()
    element.get_by_role("button", name="Send decision").click()

    expect(element.get_by_role("status")).to_have_text("Decision accepted.")
    (sent,) = page.evaluate("state.sent")
    assert sent["digest"] == "d-1"
    assert sent["answer"] == {"verdict": "grant", "percent": 20, "notify": True, "channels": ["shop"]}
    msgspec.convert(sent["answer"], DiscountAnswer)


def test_invalid_fields_are_marked_and_nothing_is_sent(page: Page) -> None:
    element = question(page)
    element.get_by_label("Percent").fill("51")
    element.get_by_role("button", name="Send decision").click()

    verdict = element.get_by_label("Verdict")
    expect(verdict).to_be_focused()
    for label in ("Verdict", "Percent"):
        expect(element.get_by_label(label)).to_have_attribute("aria-invalid", "true")
    described = verdict.get_attribute("aria-describedby")
    expect(element.locator(f"#{described}")).to_have_text("Fill this in.")
    assert page.evaluate("state.sent") == []


def test_a_problem_of_the_gateway_is_shown_at_its_field_and_the_corrected_answer_is_a_new_decision(
    page: Page,
) -> None:
    refusal = {"status": 422, "detail": "no", "errors": [{"field": "answer.note", "detail": "Too friendly."}]}
    page.evaluate("(refusal) => { state.refusal = refusal; }", refusal)
    element = question(page)
    element.get_by_label("Verdict").select_option("grant")
    element.get_by_label("Note").fill("Dear")
    element.get_by_role("button", name="Send decision").click()
    expect(element.get_by_text("Too friendly.")).to_be_visible()
    expect(element.get_by_label("Note")).to_be_focused()
    page.evaluate("() => { state.refusal = null; }")
    element.get_by_role("button", name="Send decision").click()
    expect(element.get_by_role("status")).to_have_text("Decision accepted.")

    first, second = page.evaluate("state.sent.map(({ decisionId }) => decisionId)")
    assert first != second


def test_a_repetition_after_a_lost_response_is_the_same_decision(page: Page) -> None:
    page.evaluate("() => { state.refusal = { status: 0 }; }")
    element = question(page)
    element.get_by_label("Verdict").select_option("grant")
    element.get_by_role("button", name="Send decision").click()
    expect(element.get_by_text("The gateway does not respond.", exact=False)).to_be_visible()
    page.evaluate("() => { state.refusal = null; }")
    element.get_by_role("button", name="Send decision").click()
    expect(element.get_by_role("status")).to_have_text("Decision accepted.")

    first, second = page.evaluate("state.sent.map(({ decisionId }) => decisionId)")
    assert first == second


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"status": "decided", "decided_by": "Lan", "decision_id": "x"}, "Already decided by Lan."),
        ({"status": "expired"}, "The deadline has passed."),
        ({"status": "withdrawn"}, "This question is no longer asked."),
    ],
)
def test_what_somebody_else_did_is_shown_in_place_and_the_draft_is_kept(
    page: Page, change: Mapping[str, object], text: str
) -> None:
    element = question(page)
    element.get_by_label("Note").fill("My own reason")
    page.evaluate("push", change)

    expect(notice(element)).to_have_text(text)
    expect(element.get_by_label("Note")).to_have_value("My own reason")
    expect(element.get_by_label("Note")).to_have_attribute("readonly", "")
    expect(element.get_by_role("button", name="Send decision")).to_have_count(0)


def test_a_conflict_at_sending_is_shown_in_place_with_the_draft(page: Page) -> None:
    element = question(page)
    element.get_by_label("Verdict").select_option("refuse")
    page.evaluate("""() => {
      state.refusal = { status: 409, code: "already_decided", detail: "taken" };
      Object.assign(state.approval, { status: "decided", decided_by: "Lan", decision_id: "x" });
    }""")
    element.get_by_role("button", name="Send decision").click()

    expect(notice(element)).to_have_text("Already decided by Lan.")
    expect(element.get_by_label("Verdict")).to_have_value("refuse")
    expect(element.get_by_label("Verdict")).to_be_disabled()


def test_a_changed_question_gets_an_empty_form_and_keeps_the_draft_below(page: Page) -> None:
    element = question(page)
    element.get_by_label("Note").fill("For the old question")
    page.evaluate("push", {"digest": "d-2", "title": "Which discount now?"})

    expect(notice(element)).to_contain_text("The question has changed.")
    expect(element.get_by_role("heading", name="Which discount now?")).to_be_visible()
    expect(element.get_by_label("Note").first).to_have_value("")
    expect(element.get_by_label("Note").last).to_have_value("For the old question")
    element.get_by_label("Verdict").first.select_option("grant")
    element.get_by_role("button", name="Send decision").click()
    page.wait_for_function("state.sent.length === 1")
    assert page.evaluate("state.sent[0].digest") == "d-2"


def test_a_draft_survives_a_reload_of_the_element(page: Page) -> None:
    element = question(page)
    element.get_by_label("Note").fill("Kept")
    element.get_by_label("Notify the customer").check()
    element = question(page)

    expect(element.get_by_label("Note")).to_have_value("Kept")
    expect(element.get_by_label("Notify the customer")).to_be_checked()
    expect(element.get_by_text("Your draft, not sent")).to_be_visible()


def test_a_draft_is_removed_after_two_weeks(page: Page) -> None:
    page.evaluate("""() => {
      const old = { saved_at: Date.now() - 15 * 86_400_000, draft: { note: "Old" } };
      for (const key of ["run-1/discount/d-1", "run-0/other/d-0"])
        localStorage.setItem(`signalbox.element/${key}`, JSON.stringify(old));
    }""")
    element = question(page)
    expect(element.get_by_label("Note")).to_have_value("")
    assert page.evaluate("localStorage.length") == 0


def test_control_enter_sends_and_the_button_keeps_the_focus_order(page: Page) -> None:
    element = question(page)
    element.get_by_label("Verdict").focus()
    page.keyboard.press("g")
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(element.get_by_role("button", name="Send decision")).to_be_focused()
    element.get_by_label("Note").focus()
    page.keyboard.press("Control+Enter")

    expect(element.get_by_role("status")).to_have_text("Decision accepted.")


def test_texts_are_replaced_by_attributes(page: Page) -> None:
    element = question(page, **{"text-send": "Gửi quyết định", "text-decided": "{name} đã quyết định."})
    expect(element.get_by_role("button", name="Gửi quyết định")).to_be_visible()
    page.evaluate("push", {"status": "decided", "decided_by": "Lan", "decision_id": "x"})

    expect(notice(element)).to_have_text("Lan đã quyết định.")


def test_colours_follow_the_theme_and_the_properties_of_the_page(page: Page) -> None:
    element = question(page, theme="dark")
    colour = "(element) => getComputedStyle(element).backgroundColor"
    assert element.evaluate(colour) == "rgb(21, 22, 26)"
    assert question(page, theme="light").evaluate(colour) == "rgb(255, 255, 255)"
    page.evaluate("document.documentElement.style.setProperty('--signalbox-ground', 'rgb(1, 2, 3)')")
    assert element.evaluate(colour) == "rgb(1, 2, 3)"


def test_a_run_shows_its_steps_and_their_progress_and_announces_the_end(page: Page) -> None:
    page.evaluate(SHOW, ["signalbox-run", {"run-id": "run-1"}])
    element = page.locator("signalbox-run")
    expect(element.get_by_role("status")).to_have_text("Running")
    page.evaluate("""() => {
      window.ended = [];
      document.addEventListener("signalbox-end", ({ detail }) => ended.push(detail.status));
      const data = { percent: 40, message: "Two of five" };
      for (const { progress } of state.watches) progress({ runid: "run-1", stepid: "ask", data });
    }""")
    expect(element.get_by_role("progressbar", name="Ask")).to_have_attribute("value", "40")
    expect(element.get_by_text("Two of five")).to_be_visible()
    page.evaluate("() => { state.run.status = 'completed'; push({}); }")

    expect(element.get_by_role("status")).to_have_text("Completed")
    assert page.evaluate("ended") == ["completed"]


def test_an_inbox_unfolds_a_question_and_keeps_it_until_it_is_folded(page: Page) -> None:
    page.evaluate(SHOW, ["signalbox-inbox", {"runs": "run-1"}])
    inbox = page.locator("signalbox-inbox")
    item = inbox.get_by_role("button", name="Which discount?")
    item.click()
    expect(item).to_have_attribute("aria-expanded", "true")
    inbox.get_by_label("Note").fill("Mine")
    page.evaluate("push", {"status": "decided", "decided_by": "Lan", "decision_id": "x"})
    expect(inbox.get_by_text("Already decided by Lan.")).to_be_visible()
    expect(inbox.get_by_label("Note")).to_have_value("Mine")
    item.click()

    expect(item).to_have_count(0)
    expect(inbox.get_by_role("status")).to_have_text("Nothing waits for a decision.")


def test_a_run_that_is_retried_shows_its_present_steps_in_their_order(page: Page) -> None:
    page.evaluate(SHOW, ["signalbox-run", {"run-id": "run-1"}])
    element = page.locator("signalbox-run")
    expect(element.get_by_role("listitem")).to_have_text(["AskRunning", "ApplyNot started"])
    page.evaluate("""() => {
      const [ask] = state.run.steps;
      state.run.steps = [{ ...ask, name: "check", title: "Check" }, { ...ask, status: "pending" }];
      push({});
    }""")

    expect(element.get_by_role("listitem")).to_have_text(["CheckRunning", "AskNot started"])


def test_what_only_python_understands_is_left_to_the_gateway_and_null_and_no_items_can_be_sent(
    page: Page,
) -> None:
    schema = json_schema(RequiredAnswer)
    page.evaluate("(schema) => { state.approval.answer_schema = schema; }", schema)
    element = question(page)
    element.get_by_label("Code").fill("ABC")
    element.get_by_label("Cheer").fill("👍👍👍")
    element.get_by_role("button", name="Send decision").click()
    page.wait_for_function("state.sent.length === 1")

    answer = msgspec.convert(page.evaluate("state.sent[0].answer"), RequiredAnswer)
    assert answer == RequiredAnswer(
        code="ABC", cheer="👍👍👍", reason=None, names=(), aliases=None, shops=None
    )


def test_a_removed_element_watches_nothing(page: Page) -> None:
    question(page)
    page.wait_for_function("state.watches.length === 1")
    page.evaluate("document.querySelector('main').replaceChildren()")

    page.wait_for_function("state.watches.length === 0")


def test_an_answer_that_is_not_an_object_of_known_fields_is_entered_as_json(page: Page) -> None:
    schema = {"type": "object", "properties": {"rows": {"type": "array", "items": {"type": "object"}}}}
    page.evaluate("(schema) => { state.approval.answer_schema = schema; }", schema)
    element = question(page)
    element.get_by_label("Rows").fill("[{")
    element.get_by_role("button", name="Send decision").click()
    expect(element.get_by_text("This is not valid JSON.")).to_be_visible()
    element.get_by_label("Rows").fill(json.dumps([{"a": 1}]))
    element.get_by_role("button", name="Send decision").click()
    page.wait_for_function("state.sent.length === 1")

    assert page.evaluate("state.sent[0].answer") == {"rows": [{"a": 1}]}


@pytest.mark.parametrize("number", ["1e999", "9007199254740993"])
def test_a_number_that_would_be_sent_as_another_is_refused_at_its_field(page: Page, number: str) -> None:
    properties = {"rows": {"type": "array", "items": {"type": "object"}}, "amount": {"type": "integer"}}
    schema = {"type": "object", "properties": properties}
    page.evaluate("(schema) => { state.approval.answer_schema = schema; }", schema)
    element = question(page)
    element.get_by_label("Rows").fill(f'[{{"a": {number}}}]')
    element.get_by_label("Amount").press_sequentially(number)
    element.get_by_role("button", name="Send decision").click()

    message = f"{number} is too large or too small to be sent unchanged."
    expect(element.get_by_label("Rows")).to_have_accessible_description(f"as JSON {message}")
    expect(element.get_by_label("Amount")).to_have_attribute("aria-invalid", "true")
    assert page.evaluate("state.sent") == []
