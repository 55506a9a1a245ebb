"""The console in a real browser against the real stack: from the start form to the finished run."""

import re

from playwright.sync_api import Page, expect

from support.drivers.browser import Site, WatchedPage
from support.drivers.console import RUN_MS, asked, cards, choose_pipeline, expect_status, open_tab, start_run

HEADLINE = "Coffee from the hills, roasted on Tuesday"
REASON = "<b>Too general</b>: name the region"
RECORD_TEXTS = """(element) => {
    window.texts = [];
    new MutationObserver(() => texts.push(element.textContent))
        .observe(element, { childList: true, characterData: true, subtree: true });
}"""


def test_a_person_edits_one_approves_one_rejects_one_and_the_run_finishes(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    start_run(page, site.product_page)
    expect(page.locator(".link-state")).to_have_text("Live")
    first = asked(page)
    expect(cards(first)).to_have_count(3)
    expect_status(page, "Waiting for a decision")
    watched.shot("asked-light")
    # A late visitor sees what happened before, and not only the current state.
    page.reload()
    open_tab(page, "Events")
    expect(page.get_by_role("list", name="Events, newest first")).to_contain_text("15 files")
    open_tab(page, "Overview")
    first = asked(page)

    decide_first_round(page)
    first.get_by_role("button", name="Send 3 decisions").click()

    second = page.locator(".approval.open[data-approval='variants-2']")
    expect(second).to_be_visible(timeout=RUN_MS)
    expect(cards(second)).to_have_count(2)
    expect(cards(second).first).to_contain_text(HEADLINE)
    for card in cards(second).all():
        card.get_by_role("radio", name="Approve").check()
    second.get_by_role("button", name="Send 2 decisions").click()

    expect_status(page, "Completed")
    expect(page.locator(".link-state")).to_have_text("Ended")
    expect(page.locator(".line-step[data-status='completed']")).to_have_count(6)
    expect(page.get_by_role("region", name="Result")).to_contain_text(HEADLINE)
    watched.shot("finished-light")


def decide_first_round(page: Page) -> None:
    approve, edit, reject = (cards(asked(page)).nth(index) for index in range(3))
    approve.get_by_role("radio", name="Approve").check()
    edit.get_by_role("radio", name="Edit").check()
    edit.get_by_label("Headline").fill(HEADLINE)
    reject.get_by_role("radio", name="Reject").check()
    reject.get_by_label("Why?").fill(REASON)
    expect(page.get_by_text("3 of 3 decided: 1 approve, 1 edit, 1 reject")).to_be_visible()


def test_pictures_and_scores_are_shown_with_what_they_are(signed_in: Page, site: Site) -> None:
    page = signed_in
    start_run(page, site.product_page, variants=1)
    card = cards(asked(page)).first
    picture = card.locator(".stage-image")
    expect(picture).to_be_visible()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=picture.element_handle())
    card.locator(".score summary").click()
    expect(card).to_contain_text("heuristic, not measured CTR")
    assert card.locator(".features li").count() >= 3
    expect(card.locator(".tag")).not_to_be_empty()

    card.locator(".stage-open").click()
    viewer = page.get_by_role("dialog", name="Picture viewer")
    expect(viewer).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(card.locator(".stage-open")).to_be_focused()


def test_what_a_person_types_survives_events_and_a_second_reader(signed_in: Page, site: Site) -> None:
    """Markup in a reason is text; a reload shows the same run; nothing is decided by looking."""
    page = signed_in
    start_run(page, site.product_page, variants=1)
    card = cards(asked(page)).first
    card.get_by_role("radio", name="Reject").check()
    card.get_by_label("Why?").fill(REASON)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=RUN_MS)
    expect(card.get_by_label("Why?")).to_have_value(REASON)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible(timeout=RUN_MS)
    page.get_by_role("button", name="Send 1 decision").click()

    open_tab(page, "Decisions")
    decided = page.locator(".approval:not(.open)")
    expect(decided).to_be_visible(timeout=RUN_MS)
    decided.locator("summary").click()
    expect(decided.locator(".decision-text")).to_have_text(REASON)
    page.reload()
    open_tab(page, "Overview")
    expect(page.locator(".approval.open[data-approval='variants-2']")).to_be_visible(timeout=RUN_MS)


def test_the_page_reconnects_when_the_gateway_is_killed(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    watched.expected = ("net::ERR_",)
    page = signed_in
    start_run(page, site.product_page, variants=1)
    card = cards(asked(page)).first
    card.get_by_role("radio", name="Approve").check()
    page.locator(".link-state").evaluate(RECORD_TEXTS)
    site.kill_gateway()
    # Recorded, because the loss may be shorter than the time between two looks.
    page.wait_for_function(
        "() => texts.includes('Connection lost, reconnecting') && texts.at(-1) === 'Live'", timeout=RUN_MS
    )
    expect(card.get_by_role("radio", name="Approve")).to_be_checked()
    page.get_by_role("button", name="Send 1 decision").click()
    expect_status(page, "Completed")


def test_an_incomplete_decision_is_not_sent_and_names_what_is_missing(signed_in: Page, site: Site) -> None:
    page = signed_in
    start_run(page, site.product_page, variants=2)
    panel = asked(page)
    cards(panel).first.get_by_role("radio", name="Reject").check()
    panel.get_by_role("button", name="Send 2 decisions").click()
    expect(cards(panel).first.get_by_label("Why?")).to_be_focused()
    expect(cards(panel).first).to_contain_text("Enter a reason for the next attempt.")
    expect(cards(panel).nth(1)).to_contain_text("Approve, edit or reject this variant.")
    expect_status(page, "Waiting for a decision")


def test_a_wrong_address_is_explained_at_its_field(signed_in: Page, watched: WatchedPage) -> None:
    watched.expected = ("status of 422",)
    page = signed_in
    choose_pipeline(page, "ad_creative")
    field = page.get_by_label("Page", exact=True)
    field.fill("shop")
    page.get_by_role("button", name="Start the run").click()
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".field", has=field).locator(".problem")).to_contain_text("http")


def test_a_run_is_cancelled_with_a_reason_after_a_second_thought(signed_in: Page, site: Site) -> None:
    page = signed_in
    start_run(page, site.product_page, variants=1)
    asked(page)
    page.get_by_role("button", name="Cancel run").click()
    dialog = page.get_by_role("dialog", name=re.compile("^Cancel run .+[?]$"))
    dialog.get_by_role("button", name="Go back").click()
    expect_status(page, "Waiting for a decision")
    page.get_by_role("button", name="Cancel run").click()
    dialog.get_by_label(re.compile("Reason")).fill("wrong page")
    dialog.get_by_role("button", name="Cancel the run").click()
    expect_status(page, "Cancelled")
    open_tab(page, "Events")
    expect(page.locator(".log")).to_contain_text("wrong page")
    check_filter_in_address(page)


def check_filter_in_address(page: Page) -> None:
    """Filter the events, whose tab is open; a reload and a way through another tab keep the filter."""
    field, lines = page.get_by_label("Filter events"), page.locator(".log-line")
    field.fill("run.cancelled")
    expect(lines).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/events\?filter=run\.cancelled$"))
    page.reload()
    expect(field).to_have_value("run.cancelled")
    expect(lines).to_have_count(1)
    open_tab(page, "Timeline")
    open_tab(page, "Events")
    expect(field).to_have_value("run.cancelled")
    field.fill("")
    expect(page).to_have_url(re.compile(r"/events$"))


def test_the_inbox_leads_to_the_open_question(signed_in: Page, site: Site) -> None:
    page = signed_in
    start_run(page, site.product_page, variants=1)
    asked(page)
    run = page.locator(".crumbs code").inner_text()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Inbox").click()
    page.locator(".inbox a", has_text=run).click()
    expect(asked(page)).to_be_in_viewport()


def test_the_key_is_kept_nowhere_and_signing_out_ends_the_session(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    watched.expected = ("status of 401",)
    page = signed_in
    stored = page.evaluate(
        "JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie + location.href"
    )
    assert site.api_key not in stored
    assert "signalbox=" not in stored  # the cookie is out of reach of scripts
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_focused()
    assert page.evaluate("fetch('/v1/runs').then((answer) => answer.status)") == 401


def test_a_wrong_key_and_an_unknown_run_get_clear_messages(watched: WatchedPage, site: Site) -> None:
    watched.expected = ("status of 401", "status of 404")
    page = watched.page
    page.goto(f"{site.origin}/#/runs/nothing-here")
    page.get_by_label("API key").fill("sbx_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".notice-error")).to_contain_text("API key")
    page.get_by_label("API key").fill(site.api_key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    expect(page.locator(".notice-error")).to_contain_text("nothing-here")
