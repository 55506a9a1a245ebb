"""Usable by keyboard and by assistive technology, in both themes, at every width."""

from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from support.drivers.browser import Site, WatchedPage
from support.drivers.console import asked, cards, expect_status, faults_of, start_run

MAX_TABS = 80


def test_an_approval_is_decided_with_the_keyboard_alone(signed_in: Page, site: Site) -> None:
    page = signed_in
    start_run(page, site.product_page, variants=1)
    asked(page)
    page.reload()
    asked(page)
    tab_to(page, "input[type=radio][value=approve]")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    expect(cards(asked(page)).get_by_role("radio", name="Edit")).to_be_checked()
    page.keyboard.press("ArrowLeft")
    expect(cards(asked(page)).get_by_role("radio", name="Approve")).to_be_checked()
    tab_to(page, "button[type=submit]")
    page.keyboard.press("Enter")
    expect_status(page, "Completed")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus, which must show."""
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert focus_shows(page), f"nothing shows that {selector} has the focus"
            return
    pytest.fail(f"{selector} is not reached with {MAX_TABS} times Tab")


def focus_shows(page: Page) -> bool:
    """The focused control, or the label that draws it, has an outline."""
    return bool(
        page.evaluate(
            """() => [document.activeElement, document.activeElement.closest("label")]
                 .some((element) => element && getComputedStyle(element).outlineStyle !== "none")"""
        )
    )


def test_the_first_tab_offers_to_skip_to_the_content(signed_in: Page) -> None:
    page = signed_in
    page.reload()
    page.get_by_role("heading", name="Runs", exact=True).wait_for()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_every_page_names_its_controls_is_readable_in_both_themes_and_fits_360_pixels(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    start_run(page, site.product_page, variants=2)
    for card, word in zip(cards(asked(page)).all(), ("Edit", "Reject"), strict=True):
        card.get_by_role("radio", name=word).check()
        card.locator(".score summary").click()
    assert faults_of(page, watched, "approval") == []
    for place in ("", "pipelines", "start/ad_creative", "inbox", "system"):
        page.goto(f"{site.origin}/#/{place}")
        page.get_by_role("main").get_by_role("heading").first.wait_for()
        assert faults_of(page, watched, place.replace("/", "-") or "runs") == []


def test_the_sign_in_page_names_its_controls_and_is_readable(watched: WatchedPage, site: Site) -> None:
    page = watched.page
    page.goto(f"{site.origin}/")
    expect(page.get_by_label("API key")).to_be_focused()
    assert faults_of(page, watched, "sign-in") == []


def test_the_theme_can_be_chosen_and_is_remembered(signed_in: Page) -> None:
    page = signed_in
    button = page.get_by_role("button", name="Change theme")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    button.click()
    button.click()
    expect(button).to_have_accessible_name("Theme: dark. Change theme")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    assert page.evaluate(ground) == dark


def test_the_design_page_has_headings_in_order_and_regions_with_names_of_their_own(
    watched: WatchedPage, site: Site
) -> None:
    page = watched.page
    page.goto(f"{site.origin}/console/design.html")
    expect(page.get_by_role("heading", level=1)).to_have_text("Design of the console")
    expect(page.get_by_role("heading", name="High contrast, dark")).to_be_visible()
    levels = page.get_by_role("heading").evaluate_all("all => all.map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    names = page.get_by_role("region").evaluate_all("all => all.map((one) => one.ariaLabel)")
    assert len(names) == len(set(names)) == 8
