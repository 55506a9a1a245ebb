"""The main screens at 200 % zoom: a window of 1440 × 900 pixels has room for half as many."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from signalbox_client import Signalbox
from support.drivers.browser import WITHIN_MS, Site, WatchedPage
from support.drivers.console import RUN_MS, asked, sideways_overflow
from support.drivers.layout import cut_off


@pytest.fixture
def zoomed(browser: Browser, site: Site) -> Iterator[WatchedPage]:
    with browser.new_context(viewport={"width": 720, "height": 450}, device_scale_factor=2) as context:
        context.set_default_timeout(WITHIN_MS)
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
            assert cut_off(page) == [], name
        client.cancel(run_id, "test")
