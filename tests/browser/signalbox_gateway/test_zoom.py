"""The main screens at 200 % zoom: a window of 1440 × 900 pixels has room for half as many."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from signalbox_client import Signalbox
from support.drivers.browser import Site, WatchedPage
from support.drivers.console import RUN_MS, asked, sideways_overflow

# Controls and texts that reach beyond the window or beyond a box that hides what does not fit. A list or a
# table may scroll by itself, and a text may be shortened visibly, with an ellipsis.
CUT_OFF = """() => {
  const found = [];
  const hides = (style) => style.overflowX === "hidden" || style.overflowX === "clip";
  const scrolls = (element) => element !== null
    && (["auto", "scroll"].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
  for (const element of document.querySelectorAll("#main *, #rail *")) {
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest(".visually-hidden, svg")) continue;
    const box = element.getBoundingClientRect();
    const label = `${element.tagName} ${element.className}: ${element.textContent.trim().slice(0, 40)}`;
    const isControl = element.matches("a, button, input, select, textarea") && box.width > 0;
    const isOutside = box.left < -1 || box.right > innerWidth + 1;
    if (isControl && isOutside && !scrolls(element.parentElement)) found.push(`outside: ${label}`);
    const style = getComputedStyle(element);
    const isCut = hides(style) && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0;
    if (isCut && style.textOverflow !== "ellipsis" && element.textContent.trim()) found.push(`cut: ${label}`);
  }
  return found;
}"""


@pytest.fixture
def zoomed(browser: Browser, site: Site) -> Iterator[WatchedPage]:
    with browser.new_context(viewport={"width": 720, "height": 450}, device_scale_factor=2) as context:
        context.set_default_timeout(20_000)
        watched = WatchedPage(context)
        page = watched.page
        page.goto(f"{site.origin}/")
        page.get_by_label("API key").fill(site.api_key)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Runs", exact=True).wait_for()
        yield watched
        assert watched.unexpected() == []


@pytest.mark.timeout(180)
def test_nothing_is_cut_off_at_200_percent(zoomed: WatchedPage, site: Site) -> None:
    page = zoomed.page
    with Signalbox(site.origin, site.api_key) as client:
        run_id = client.start("ad_creative", {"url": site.product_page, "variants": 2}).run_id
        next(update for update in client.watch(run_id) if update.snapshot.approvals)
        screens = {
            "runs": "",
            "inbox": f"inbox/{run_id}/variants",
            "run": f"runs/{run_id}",
            "timeline": f"runs/{run_id}/timeline",
            "pipelines": "pipelines",
            "start": "start/ad_creative",
            "system": "system",
        }
        for name, place in screens.items():
            page.goto(f"{site.origin}/#/{place}")
            page.get_by_role("main").get_by_role("heading").first.wait_for()
            if name == "run":
                asked(page)
            if name == "runs":
                expect(page.locator(".run-row").first).to_be_visible(timeout=RUN_MS)
            zoomed.shot(f"zoom-{name}")
            assert sideways_overflow(page) <= 0, name
            assert page.evaluate(CUT_OFF) == [], name
        client.cancel(run_id, "test")
