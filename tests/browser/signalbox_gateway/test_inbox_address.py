"""The inbox chooses a question by itself; the address follows, and the page follows the address."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from signalbox_client import Signalbox
from support.drivers.browser import Site
from support.drivers.console import RUN_MS, asked


@contextmanager
def asking(client: Signalbox, site: Site) -> Iterator[str]:
    run_id = client.start("ad_creative", {"url": site.product_page, "variants": 1}).run_id
    next(update for update in client.watch(run_id) if update.snapshot.approvals)
    yield run_id
    if client.run(run_id).status not in ("completed", "cancelled"):
        client.cancel(run_id, "test")
        for _ in client.watch(run_id):
            pass


@pytest.fixture
def run_id(client: Signalbox, site: Site) -> Iterator[str]:
    """The only run that asks."""
    with asking(client, site) as run_id:
        yield run_id


@pytest.mark.timeout(180)
def test_after_the_only_question_is_decided_there_is_nothing_to_decide(
    signed_in: Page, site: Site, run_id: str
) -> None:
    page = signed_in
    page.goto(f"{site.origin}/#/inbox")
    panel = asked(page)
    expect(page).to_have_url(re.compile(f"#/inbox/{run_id}/"))
    panel.get_by_role("radio", name="Approve").check()
    page.keyboard.press("Control+Enter")

    expect(page.get_by_role("heading", name="Nothing to decide")).to_be_visible(timeout=RUN_MS)
    expect(page).to_have_url(re.compile("#/inbox$"))


@pytest.mark.timeout(180)
def test_a_dialog_leaves_the_question_that_the_inbox_has_chosen_as_it_is(
    signed_in: Page, site: Site, run_id: str
) -> None:
    page = signed_in
    page.goto(f"{site.origin}/#/inbox")
    panel = asked(page)
    panel.evaluate("(element) => { element.dataset.same = 'yes'; }")
    panel.get_by_role("button", name="Delegate").click()
    expect(page.get_by_role("dialog", name="Delegate the question")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_function("() => !location.hash.includes('dialog')")

    expect(panel).to_have_attribute("data-same", "yes")
    expect(panel.get_by_role("button", name="Delegate")).to_be_focused()


@pytest.mark.timeout(240)
def test_the_address_of_a_question_that_is_not_the_first_stays(
    signed_in: Page, site: Site, client: Signalbox, run_id: str
) -> None:
    page = signed_in
    with asking(client, site) as later:
        for run in (later, run_id, later):
            page.goto(f"{site.origin}/#/inbox/{run}/variants")
            expect(page.locator(".triage-about code")).to_have_text(run, timeout=RUN_MS)
            expect(page).to_have_url(f"{site.origin}/#/inbox/{run}/variants")
