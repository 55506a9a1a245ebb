"""Ads in Arabic and Japanese in the console: direction, fonts, edits, and the pictures beside them."""

import pytest
from playwright.sync_api import Page, expect

from support.drivers.browser import Site, WatchedPage
from support.drivers.console import asked, cards, expect_status, start_run
from support.fakes.ad_pages import PAGES

_STYLE = """(element) => {
  const style = getComputedStyle(element);
  const text = document.createRange();
  text.selectNodeContents(element);
  const [box, ink] = [element.parentElement.getBoundingClientRect(), text.getBoundingClientRect()];
  return {
    direction: style.direction,
    spacing: style.letterSpacing,
    atRight: Math.abs(box.right - ink.right) < 2,
    atLeft: Math.abs(ink.left - box.left) < 2,
    fits: element.scrollWidth <= element.clientWidth + 1,
  };
}"""


@pytest.mark.parametrize(
    ("script", "path", "headline", "edit"),
    [
        pytest.param("arabic", "ar/qahwa", "صباح هادئ من تلال دا لات", "قهوة طازجة كل ثلاثاء", id="Arabic"),
        pytest.param(
            "japanese",
            "ja/kohi",
            "ダラットの丘から届く、ゆっくり焙煎の朝。",
            "毎週火曜日に焙煎",
            id="Japanese",
        ),
    ],
)
def test_an_ad_is_shown_edited_and_decided_in_its_script(  # noqa: PLR0917 - fixtures and the row of a table
    signed_in: Page, site: Site, watched: WatchedPage, script: str, path: str, headline: str, edit: str
) -> None:
    direction = "rtl" if script == "arabic" else "ltr"
    PAGES[script].require_fonts()
    page = signed_in
    start_run(page, site.product_page.replace("en/coffee", path), variants=1)
    (card,) = cards(asked(page)).all()
    shown = card.locator(".copy-headline")
    expect(shown).to_have_text(headline)
    style = shown.evaluate(_STYLE)
    assert style["direction"] == direction
    assert style["atRight" if direction == "rtl" else "atLeft"], style
    assert style["fits"], style
    if direction == "rtl":
        assert style["spacing"] == "normal", "letters of a cursive script are joined"
    watched.shot(f"ad-{script}")

    card.get_by_role("radio", name="Edit").check()
    field = card.get_by_label("Headline")
    assert field.evaluate("(element) => getComputedStyle(element).direction") == direction
    field.fill(edit)
    asked(page).get_by_role("button", name="Send 1 decision").click()
    second = page.locator(".approval.open[data-approval='variants-2']")
    expect(second.locator(".copy-headline")).to_have_text(edit, timeout=60_000)
    cards(second).first.get_by_role("radio", name="Approve").check()
    second.get_by_role("button", name="Send 1 decision").click()

    expect_status(page, "Completed")
    decided = page.locator(".decision-text").first
    if decided.is_visible():
        assert decided.evaluate("(element) => getComputedStyle(element).direction") == direction
