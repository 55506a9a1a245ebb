"""Every view of the console, light and dark, on a phone, on a desktop and at 200 % zoom."""

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, ViewportSize

from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_client import Signalbox
from signalbox_core.redis.client import open_redis
from support.drivers.axe import axe_violations
from support.drivers.browser import Site, WatchedPage
from support.drivers.console import sign_in
from support.drivers.console_views import View, all_views, open_view
from support.drivers.layout import layout_faults
from support.fakes.scaling_decisions import simulated_records

DESKTOP, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
# A window of 1440 x 900 pixels has room for half as many at 200 %.
ZOOMED = ViewportSize(width=720, height=450)
TEXT = (
    "Signalbox runs long pipelines durably. People watch every run live. A person decides where a run asks."
)


@pytest.fixture(scope="module")
def ids(site: Site) -> Iterator[Mapping[str, str]]:
    """A run that waits for a decision, one that has ended, a schedule, and decisions of the autoscaler."""

    async def record() -> None:
        async with open_redis(site.redis_url) as redis:
            await DecisionLog(redis).append(simulated_records("invoice_import"))

    # Playwright's own loop runs in this thread.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(record())).result()
    with Signalbox(site.origin, site.api_key) as client:
        task = {"task": "summarise", "text": TEXT, "provider": "local-extractive"}
        ended = client.start("ai_task", task).run_id
        for _ in client.watch(ended):
            pass
        run_id = client.start("ad_creative", {"url": site.product_page, "variants": 2}).run_id
        next(update for update in client.watch(run_id) if update.snapshot.approvals)
        client.create_schedule("views", "ai_task", task, cron=["0 6 1 1 *"])
        yield {"run": run_id, "ended": ended, "schedule": "views"}
        client.delete_schedule("views")
        client.cancel(run_id, "test")


@pytest.fixture(scope="module")
def console(browser: Browser, site: Site) -> Iterator[WatchedPage]:
    with browser.new_context(viewport=DESKTOP, reduced_motion="reduce") as context:
        context.set_default_timeout(60_000)
        watched = WatchedPage(context)
        sign_in(watched.page, site, site.api_key)
        yield watched
        assert watched.unexpected() == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("view", all_views(), ids=lambda view: view.name)
def test_a_view_is_accessible_and_nothing_in_it_is_cut_off_or_covered(
    console: WatchedPage, site: Site, ids: Mapping[str, str], view: View
) -> None:
    page = console.page
    open_view(page, site, view, ids)
    faults = []
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
            label = f"{theme}, {size['width']} px"
            faults += [f"{label}: {fault}" for fault in axe_violations(page)]
        faults += [f"{size['width']} px: {fault}" for fault in layout_faults(page)]
    page.set_viewport_size(ZOOMED)
    faults += [f"200 %: {fault}" for fault in layout_faults(page)]
    page.set_viewport_size(DESKTOP)
    assert faults == []
