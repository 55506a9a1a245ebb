"""Who is signed in: in the other tabs of the browser, after an expiry, and when signing out fails."""

from playwright.sync_api import Page, expect

from support.drivers.browser import Site, WatchedPage
from support.drivers.console import sign_in

DRAFT = "signalbox.draft/run-1/word/digest"
KEEP_DRAFT = """(key) => {
    localStorage.setItem(key, JSON.stringify({ saved_at: Date.now(), draft: { text: { word: "mine" } } }));
}"""


def who(page: Page) -> str:
    return page.locator(".who").inner_text()


def submit_key(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Runs", exact=True).wait_for()


def test_another_tab_shows_who_signs_in_and_that_nobody_is_signed_in(
    watched: WatchedPage, site: Site
) -> None:
    page = watched.page
    sign_in(page, site, site.api_keys["admin"])
    first = who(page)
    other = watched.page.context.new_page()
    other.goto(f"{site.origin}/")
    expect(other.locator(".who")).to_have_text(first)

    page.get_by_role("button", name="Sign out").click()
    expect(other.get_by_label("API key")).to_be_visible()

    submit_key(page, site.api_keys["viewer"])
    second = who(page)
    assert second != first
    expect(other.locator(".who")).to_have_text(second)
    other.close()


def test_after_an_expiry_drafts_wait_for_their_author_and_not_for_anybody_else(
    watched: WatchedPage, site: Site
) -> None:
    page = watched.page
    sign_in(page, site, site.api_keys["admin"])
    page.evaluate(KEEP_DRAFT, DRAFT)
    expire(page, watched)
    submit_key(page, site.api_keys["admin"])
    assert page.evaluate("(key) => localStorage.getItem(key)", DRAFT) is not None

    expire(page, watched)
    submit_key(page, site.api_keys["viewer"])
    assert page.evaluate("(key) => localStorage.getItem(key)", DRAFT) is None


def expire(page: Page, watched: WatchedPage) -> None:
    """End the session without the page's doing; its next read shows the page to sign in."""
    page.context.clear_cookies()
    watched.expected = ("401",)
    page.evaluate("location.hash = '#/pipelines'")
    page.get_by_label("API key").wait_for()
    page.evaluate("location.hash = '#/'")


def test_signing_out_without_a_response_says_that_the_session_may_still_be_open(
    watched: WatchedPage, site: Site
) -> None:
    page = watched.page
    sign_in(page, site, site.api_key)
    page.route("**/v1/sessions", lambda route: route.abort())
    watched.expected = ("ERR_FAILED",)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("alert").filter(has_text="the session may still be open")).to_be_visible()
    expect(page.get_by_label("API key")).to_be_visible()


def test_a_malformed_address_is_a_page_that_does_not_exist(signed_in: Page, site: Site) -> None:
    signed_in.goto(f"{site.origin}/#/runs/%E0%A4%A")
    expect(signed_in.get_by_role("heading", name="Page not found")).to_be_visible()
