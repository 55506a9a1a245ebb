"""What an admin sees of the autoscaler: figures, the plot, and each decision in a sentence, as it is made."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, expect

from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.model import ScalingDecisionRecord
from signalbox_core.redis.client import open_redis
from support.drivers.browser import Site, WatchedPage
from support.drivers.console import faint_texts, nameless_controls, sideways_overflow
from support.fakes.scaling_decisions import next_record, simulated_records

QUEUE = "invoice_import"


@pytest.fixture(scope="module")
def records(site: Site) -> list[ScalingDecisionRecord]:
    told = simulated_records(QUEUE)
    tell(site, told)
    tell(site, simulated_records("document_batch.pages")[:3])
    return told


def tell(site: Site, records: Sequence[ScalingDecisionRecord]) -> None:
    async def append() -> None:
        async with open_redis(site.redis_url) as redis:
            await DecisionLog(redis).append(records)

    # Playwright's own loop runs in this thread.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(append())).result()


def open_page(page: Page, queue: str = QUEUE) -> None:
    slider = page.get_by_role("slider", name="Decisions over time")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="System").click()
    page.get_by_role("navigation", name="System").get_by_role("link", name="Autoscaler").click()
    expect(slider).to_be_visible()
    # Which may be this very queue: its page is made anew, and what is done on the one before it is gone.
    before = slider.element_handle()
    page.get_by_role("navigation", name="Task queue").get_by_role("link", name=queue, exact=True).click()
    before.wait_for_element_state("hidden")
    expect(slider).to_be_visible()


def test_decisions_are_sentences_and_new_ones_appear_by_themselves(
    signed_in: Page, site: Site, records: list[ScalingDecisionRecord]
) -> None:
    page = signed_in
    open_page(page)
    rows = page.get_by_role("list", name="Decisions, newest first").get_by_role("listitem")
    launch = next(record for record in records if record.launches)
    expect(rows.filter(has_text=launch.sentence[1:]).first).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()

    later = next_record(records[-1])
    tell(site, [later])

    page.get_by_label("Include repeated holds").check()
    expect(rows.first.locator("time")).to_have_attribute(
        "datetime", later.at.isoformat().replace("+00:00", "Z")
    )


def test_the_keyboard_walks_through_the_decisions(
    signed_in: Page, records: list[ScalingDecisionRecord]
) -> None:
    page = signed_in
    open_page(page)
    slider = page.get_by_role("slider", name="Decisions over time")
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "0")
    first = str(slider.get_attribute("aria-valuetext"))
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "1")
    expect(slider).not_to_have_attribute("aria-valuetext", first)
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuenow", str(slider.get_attribute("aria-valuemax")))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_are_legible_at_every_width(
    signed_in: Page, watched: WatchedPage, records: list[ScalingDecisionRecord], theme: str
) -> None:
    page = signed_in
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    open_page(page)
    watched.shot(f"autoscaler-{theme}")
    assert faint_texts(page) == []
    assert nameless_controls(page) == []
    page.set_viewport_size({"width": 360, "height": 800})
    watched.shot(f"autoscaler-{theme}-360")
    assert sideways_overflow(page) <= 0
