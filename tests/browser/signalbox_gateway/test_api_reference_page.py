"""The API reference at /docs: search, samples, links to schemas, and requests sent with the session."""

import json

from playwright.sync_api import Browser, Page, expect

from support.drivers.browser import Site, WatchedPage
from support.drivers.console import faults_of


def open_reference(page: Page, site: Site) -> None:
    page.goto(f"{site.origin}/docs")
    page.get_by_label("Search").wait_for()


def test_the_reference_is_readable_in_both_themes_and_fits_a_phone(watched: WatchedPage, site: Site) -> None:
    page = watched.page
    open_reference(page, site)
    page.locator("#start_run .try > summary").click()
    page.locator("#start_run .reply-example > summary").click()
    page.locator("#schema-StartRun > summary").click()
    assert faults_of(page, watched, "docs") == []


def test_the_search_leaves_the_operations_that_match(watched: WatchedPage, site: Site) -> None:
    page = watched.page
    open_reference(page, site)
    page.locator("body").press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("cancel run")
    expect(page.locator(".operation:visible")).to_have_count(1)
    expect(page.get_by_role("heading", name="Cancel a run")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("1 operation")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="List the installed pipelines")).to_be_visible()
    page.get_by_label("Search").fill("nothing like this")
    expect(page.get_by_text("No operation matches.")).to_be_visible()


def test_the_language_of_the_samples_is_kept(watched: WatchedPage, site: Site) -> None:
    page = watched.page
    open_reference(page, site)
    sample = page.locator("#start_run .sample:visible")
    expect(sample).to_contain_text("curl -X POST")
    page.get_by_role("radio", name="Python").check()
    expect(sample).to_contain_text("requests.post(")
    page.reload()
    expect(sample).to_contain_text("requests.post(")


def test_a_link_opens_the_schema(watched: WatchedPage, site: Site) -> None:
    page = watched.page
    open_reference(page, site)
    schema = page.locator("#schema-StartResponse")
    expect(schema).not_to_have_attribute("open", "")
    page.locator("#start_run").get_by_role("link", name="StartResponse").first.click()
    expect(schema).to_have_attribute("open", "")
    expect(schema).to_be_in_viewport()


def test_a_request_is_sent_with_the_session(signed_in: Page, site: Site) -> None:
    page = signed_in
    open_reference(page, site)
    tried = page.locator("#start_run .try")
    tried.locator("summary").click()
    expect(tried.locator("output")).to_contain_text("The request takes effect.")
    given = {"pipeline": "ai_task", "run_id": "from-docs", "input": {"task": "summarise", "text": "A text."}}
    tried.get_by_label("Body (JSON)").fill(json.dumps(given))
    tried.get_by_role("button", name="Send POST").click()
    expect(tried.locator("output")).to_contain_text("201 Created")
    expect(tried.get_by_label("Reply")).to_contain_text('"run_id": "from-docs"')
    shown = page.locator("#get_run .try")
    shown.locator("summary").click()
    shown.get_by_label("run_id (path)").fill("from-docs")
    shown.get_by_role("button", name="Send GET").click()
    expect(shown.get_by_label("Reply")).to_contain_text('"pipeline": "ai_task"')


def test_an_invalid_body_is_refused_before_it_is_sent(signed_in: Page, site: Site) -> None:
    page = signed_in
    open_reference(page, site)
    tried = page.locator("#start_run .try")
    tried.locator("summary").click()
    tried.get_by_label("Body (JSON)").fill("{")
    tried.get_by_role("button", name="Send POST").click()
    expect(tried.locator("output")).to_contain_text("The body is not JSON")


def test_without_a_session_a_request_leads_to_the_sign_in(watched: WatchedPage, site: Site) -> None:
    watched.expected = ("status of 401",)
    page = watched.page
    open_reference(page, site)
    tried = page.locator("#list_pipelines .try")
    tried.locator("summary").click()
    expect(tried.locator("output")).to_contain_text("You are not signed in.")
    tried.get_by_role("button", name="Send GET").click()
    expect(tried.locator("output")).to_contain_text("401")
    tried.get_by_role("link", name="Sign in").click()
    page.get_by_label("API key").wait_for()


def test_without_scripts_the_page_is_complete(browser: Browser, site: Site) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site.origin}/docs")
        expect(page.locator("#start_run .sample")).to_have_count(3)
        expect(page.locator("#start_run .sample").first).to_be_visible()
        expect(page.locator(".try:visible")).to_have_count(0)
