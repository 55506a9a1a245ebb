"""Dialogs belong to the page that opened them."""

import re

from playwright.sync_api import Page, expect

from support.drivers.browser import Site
from support.drivers.console import asked, expect_status, start_run


def open_cancel_dialog(page: Page) -> str:
    """Open *Cancel run* on the current run's page; return the run's id."""
    run_id = page.locator(".crumbs code").inner_text()
    page.get_by_role("button", name="Cancel run").click()
    expect(page.get_by_role("dialog", name=f"Cancel run {run_id}?")).to_be_visible()
    return run_id


def test_a_dialog_does_not_outlive_its_page(signed_in: Page, site: Site) -> None:
    page = signed_in
    start_run(page, site.product_page, variants=1)
    asked(page)
    other = page.locator(".crumbs code").inner_text()
    start_run(page, site.product_page, variants=1)
    asked(page)
    open_cancel_dialog(page)

    page.evaluate("run => { location.hash = `#/runs/${run}`; }", other)
    expect(page.locator(".crumbs code")).to_have_text(other)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect_status(page, "Waiting for a decision")


def test_back_closes_the_dialog_and_stays_on_the_page(signed_in: Page, site: Site) -> None:
    page = signed_in
    start_run(page, site.product_page, variants=1)
    asked(page)
    run_id = open_cancel_dialog(page)

    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".crumbs code")).to_have_text(run_id)
    expect(page.get_by_role("button", name="Cancel run")).to_be_focused()
    expect_status(page, "Waiting for a decision")

    # A dismissed dialog leaves no entry in the history.
    open_cancel_dialog(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_function("() => history.state?.dialog === undefined")
    page.go_back()
    expect(page).to_have_url(re.compile(r"#/start/ad_creative$"))
