"""The schedules in the console: created, paused, started now and deleted, by keyboard too."""

import secrets

from playwright.sync_api import Page, expect

from support.drivers.browser import Site, WatchedPage
from support.drivers.console import faults_of

SLOW_MS = 60_000


def open_schedules(page: Page) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Schedules").click()
    expect(page.get_by_role("heading", name="Schedules", exact=True)).to_be_visible()


def create(page: Page, site: Site) -> str:
    """Create a schedule of the ad pipeline in the form; its page is open afterwards."""
    name = f"weekly-{secrets.token_hex(3)}"
    open_schedules(page)
    page.get_by_role("link", name="New schedule").click()
    expect(page.get_by_role("heading", name="New schedule", exact=True)).to_be_visible()
    page.get_by_label("Pipeline", exact=True).select_option("ad_creative")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Cron expression").fill("0 6 * * mon")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_label("Page", exact=True).fill(site.product_page)
    page.get_by_label("Variants").fill("1")
    page.get_by_role("button", name="Create the schedule").click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=SLOW_MS)
    return name


def test_a_schedule_is_created_started_paused_and_deleted(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    name = create(page, site)
    times = page.get_by_role("region", name="Next times").get_by_role("listitem")
    expect(times).to_have_count(5)
    assert faults_of(page, watched, "schedule") == []

    page.get_by_role("button", name=f"Start a run of {name}").click()
    expect(page.get_by_role("heading", name="Steps")).to_be_visible(timeout=SLOW_MS)
    assert f"/runs/{name}" in page.url

    open_schedules(page)
    expect(page.get_by_role("link", name=name)).to_be_visible()
    assert faults_of(page, watched, "schedules") == []
    page.get_by_role("button", name=f"Pause {name}").click()
    resume = page.get_by_role("button", name=f"Resume {name}")
    expect(resume).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("region", name="Next times")).to_contain_text("Paused")

    page.get_by_role("button", name=f"Delete {name}").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=f"Delete {name}?")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Delete the schedule").press("Enter")
    expect(page.get_by_role("heading", name="Schedules", exact=True)).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("link", name=name)).to_have_count(0, timeout=SLOW_MS)


def test_a_schedule_at_an_interval_is_created_and_backfilled(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    name = f"hourly-{secrets.token_hex(3)}"
    open_schedules(page)
    page.get_by_role("link", name="New schedule").click()
    page.get_by_label("Pipeline", exact=True).select_option("ad_creative")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Starts runs").select_option("At an interval")
    expect(page.get_by_label("Cron expression")).to_have_count(0)
    page.get_by_label("Page", exact=True).fill(site.product_page)
    page.get_by_role("button", name="Create the schedule").click()
    expect(page.get_by_label("Every", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Every", exact=True).fill("12")
    assert faults_of(page, watched, "new-interval") == []
    page.get_by_role("button", name="Create the schedule").click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("region", name="Settings")).to_contain_text("every 12 h")

    page.get_by_role("link", name="Backfill").click()
    expect(page.get_by_role("heading", name="Backfill", exact=True)).to_be_visible()
    assert faults_of(page, watched, "backfill") == []
    page.get_by_role("button", name="Start the runs").click()
    expect(page.get_by_label("From", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("From", exact=True).fill("2026-01-05T00:00")
    page.get_by_label("To", exact=True).fill("2026-01-05T11:59")
    page.get_by_label("While an earlier run is open").select_option("allow_all")
    page.get_by_role("button", name="Start the runs").click()
    expect(page.get_by_text("The run of 1 time starts.").first).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=SLOW_MS)


def test_a_backfill_of_the_future_is_refused_at_its_field(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    watched.expected = ("status of 422",)
    create(page, site)
    page.get_by_role("link", name="Backfill").click()
    page.get_by_label("From", exact=True).fill("2026-01-05T00:00")
    page.get_by_label("To", exact=True).fill("2100-01-05T00:00")
    page.get_by_role("button", name="Start the runs").click()
    expect(page.get_by_label("To", exact=True)).to_have_attribute("aria-invalid", "true", timeout=SLOW_MS)


def test_a_refused_schedule_shows_the_remedy_at_its_field(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    watched.expected = ("status of 422",)
    open_schedules(page)
    page.get_by_role("link", name="New schedule").click()
    page.get_by_label("Pipeline", exact=True).select_option("ad_creative")
    page.get_by_label("Name", exact=True).fill("refused")
    page.get_by_label("Cron expression").fill("61 6 * * mon")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_label("Page", exact=True).fill(site.product_page)
    assert faults_of(page, watched, "new-schedule") == []
    page.get_by_role("button", name="Create the schedule").click()

    cron = page.get_by_label("Cron expression")
    expect(page.get_by_text("it takes 0 to 59").first).to_be_visible(timeout=SLOW_MS)
    expect(cron).to_have_attribute("aria-invalid", "true")
