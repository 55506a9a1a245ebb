"""Many tabs of the console, each on the page of a run: one connection, nothing lost or repeated."""

import os
from collections.abc import Iterator
from itertools import count

import pytest
from playwright.sync_api import Browser, Page, expect

from support.drivers.browser import Site
from support.drivers.console import sign_in
from support.drivers.kit_tabs import KitTabs
from support.drivers.run_writer import RunWriter

NUMBERS = count(1)
WAIT_MS = 120_000
# 50 tabs and 50 runs take minutes on two cores.
TABS = int(os.environ.get("SIGNALBOX_CONSOLE_TABS", "5"))
RUNS = int(os.environ.get("SIGNALBOX_CONSOLE_RUNS", "3"))
LISTED = """async () => {
  const response = await fetch("/v1/approvals");
  return response.ok && (await response.json()).total >= 0;
}"""


@pytest.fixture
def writer(site: Site) -> RunWriter:
    return RunWriter(site.redis_url, with_files=False)


@pytest.fixture
def tabs(browser: Browser, site: Site) -> Iterator[list[Page]]:
    """The tabs, the first of which is signed in; all share its session."""
    with browser.new_context(viewport={"width": 1000, "height": 700}) as context:
        context.set_default_timeout(WAIT_MS)
        pages = [context.new_page() for _ in range(TABS)]
        sign_in(pages[0], site, site.api_key)
        yield pages


def expect_events(page: Page, number: int) -> None:
    """Wait until the event log has so many events; it keeps each one."""
    newest = page.locator(".log-line").first
    expect(newest).to_have_attribute("aria-setsize", str(number), timeout=WAIT_MS)


def event_count(page: Page) -> int:
    return int(page.locator(".log-line").first.get_attribute("aria-setsize") or 0)


@pytest.mark.timeout(600 + 30 * TABS)
def test_tabs_of_the_console_share_one_connection_and_lose_nothing(
    browser: Browser, site: Site, tabs: list[Page], writer: RunWriter
) -> None:
    streams = KitTabs(tabs[0].context, site)
    runs = [f"console-{next(NUMBERS)}" for _ in range(RUNS)]
    writer.start(*runs)
    run_of = {page: runs[number % RUNS] for number, page in enumerate(tabs)}
    for page, run_id in run_of.items():
        page.goto(f"{site.origin}/#/runs/{run_id}/events")
        expect_events(page, 1)
    streams.until_streams(tabs[0], 1)
    for page in tabs:
        assert page.evaluate(LISTED)

    with writer.writing(runs):
        follower = tabs[-1]
        for leader in tabs[:2]:
            leader.close()
            seen = event_count(follower)
            follower.wait_for_function(
                "(seen) => document.querySelector('.log-line').getAttribute('aria-setsize') > seen + 5",
                arg=seen,
            )
        streams.until_streams(follower, 1)
        assert follower.evaluate(LISTED)
    writer.end(*runs)
    for page in tabs[2:]:
        # An event that is missing or repeated would make another number.
        expect_events(page, writer.top[run_of[page]])
