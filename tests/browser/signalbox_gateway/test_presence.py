"""Two people at one question see each other; neither is kept from deciding."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from signalbox_client import Signalbox
from support.drivers.browser import WITHIN_MS, Site, WatchedPage
from support.drivers.console import RUN_MS, asked, cards, sign_in


@pytest.fixture
def colleague(browser: Browser, site: Site) -> Iterator[Page]:
    """The browser of another person, who may decide too."""
    with browser.new_context(viewport={"width": 1360, "height": 900}) as context:
        context.set_default_timeout(WITHIN_MS)
        watched = WatchedPage(context)
        sign_in(watched.page, site, site.api_keys["approver"])
        yield watched.page
        assert watched.unexpected() == []


def name_of(page: Page, site: Site) -> str:
    return str(page.request.get(f"{site.origin}/v1/sessions").json()["name"])


def open_question(page: Page, site: Site, run_id: str) -> None:
    page.goto(f"{site.origin}/#/inbox/{run_id}/variants")
    asked(page)


def expect_presence(page: Page, text: str) -> None:
    expect(page.locator(".approval.open .presence")).to_have_text(text, timeout=RUN_MS)


@pytest.mark.timeout(300)
def test_the_inbox_shows_who_views_and_who_decides(
    signed_in: Page, colleague: Page, site: Site, run_id: str
) -> None:
    page = signed_in
    own, other = name_of(page, site), name_of(colleague, site)
    assert own != other
    open_question(page, site, run_id)
    expect_presence(page, "")
    open_question(colleague, site, run_id)
    expect_presence(page, f"{other} is viewing")
    expect_presence(colleague, f"{own} is viewing")
    row = page.locator(f".question[href*='{run_id}']")
    expect(row.locator(".question-who")).to_have_text(f"{other} is viewing")

    cards(asked(colleague)).first.get_by_role("radio", name="Approve").check()
    expect_presence(page, f"{other} is deciding")
    expect(row.locator(".question-who")).to_have_text(f"{other} is deciding")
    # It is no lock.
    expect(asked(page).get_by_role("button", name="Send")).to_be_enabled()

    colleague.goto(f"{site.origin}/#/pipelines")
    expect_presence(page, "")
    expect(row.locator(".question-who")).to_have_text("", timeout=RUN_MS)


@pytest.mark.timeout(300)
def test_the_page_of_a_run_reports_presence_and_decides_as_before(
    signed_in: Page, colleague: Page, site: Site, run_id: str, client: Signalbox
) -> None:
    page = signed_in
    own = name_of(page, site)
    open_question(colleague, site, run_id)
    page.goto(f"{site.origin}/#/runs/{run_id}")
    panel = asked(page)
    expect_presence(colleague, f"{own} is viewing")
    cards(panel).first.get_by_role("radio", name="Approve").check()
    expect_presence(colleague, f"{own} is deciding")

    # The colleague decides first.
    cards(asked(colleague)).first.get_by_role("radio", name="Approve").check()
    asked(colleague).get_by_role("button", name="Send").click()
    expect(page.locator(".approval.superseded")).to_be_visible(timeout=RUN_MS)
    for update in client.watch(run_id):
        status = update.snapshot.status
    assert status == "completed"
