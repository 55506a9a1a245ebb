"""What a person does all day, with the keyboard alone."""

import re
from collections.abc import Sequence

import pytest
from playwright.sync_api import Locator, Page, expect

from signalbox_client import Signalbox
from support.drivers.browser import Site
from support.drivers.console import RUN_MS, expect_status, open_tab

MAX_TABS = 80


def start_waiting(client: Signalbox, site: Site, count: int) -> Sequence[str]:
    """Start runs that each ask about one variant, and wait until all have asked."""
    runs = [
        client.start("ad_creative", {"url": site.product_page, "variants": 1}).run_id for _ in range(count)
    ]
    for run_id in runs:
        next(update for update in client.watch(run_id) if update.snapshot.approvals)
    return runs


def tab_to(page: Page, target: Locator) -> None:
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{target} is not reached with {MAX_TABS} times Tab")


def command(page: Page, text: str) -> None:
    """Choose the first command that matches the text."""
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search or run a command")
    expect(field).to_be_focused()
    page.keyboard.type(text)
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(field).to_have_count(0)


@pytest.mark.timeout(300)
def test_five_questions_are_decided_in_a_row(signed_in: Page, site: Site, client: Signalbox) -> None:
    page = signed_in
    runs = start_waiting(client, site, 5)
    command(page, "inbox")
    questions = page.locator(".question")
    expect(questions).to_have_count(5, timeout=RUN_MS)
    for left in (4, 3, 2, 1, 0):
        panel = page.locator(".triage-main .approval.open")
        expect(panel.get_by_role("radio", name="Approve")).to_be_visible(timeout=RUN_MS)
        chosen = page.url
        page.keyboard.press("a")
        expect(panel.get_by_role("radio", name="Approve")).to_be_checked()
        page.keyboard.press("Control+Enter")
        expect(questions).to_have_count(left, timeout=RUN_MS)
        if left:
            expect(page).not_to_have_url(chosen, timeout=RUN_MS)
    expect(page.get_by_role("heading", name="Nothing to decide")).to_be_visible()
    for run_id in runs:
        for update in client.watch(run_id):
            status = update.snapshot.status
        assert status == "completed"


@pytest.mark.timeout(180)
def test_a_run_is_started_and_found_again(signed_in: Page, site: Site) -> None:
    page = signed_in
    command(page, "start ad")
    field = page.get_by_label("Page", exact=True)
    tab_to(page, field)
    page.keyboard.type(site.product_page)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Steps")).to_be_visible(timeout=RUN_MS)
    run_id = page.locator(".crumbs code").inner_text()

    command(page, "runs")
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Search runs")).to_be_focused()
    page.keyboard.type(f"pipeline:ad_creative {run_id}")
    page.keyboard.press("Enter")
    row = page.locator(".runs .run-row")
    expect(row).to_have_count(1, timeout=RUN_MS)
    assert "q=" in page.url
    tab_to(page, row)
    page.keyboard.press("Enter")
    expect(page.locator(".crumbs code")).to_have_text(run_id)
    # Back shows the same search again.
    page.go_back()
    expect(page.get_by_role("combobox", name="Search runs")).to_have_value(f"pipeline:ad_creative {run_id}")
    expect(row).to_have_count(1)

    command(page, run_id)
    expect(page.locator(".crumbs code")).to_have_text(run_id)
    command(page, "cancel run")
    dialog = page.get_by_role("dialog", name=f"Cancel run {run_id}?")
    tab_to(page, dialog.get_by_role("button", name="Cancel the run"))
    page.keyboard.press("Enter")
    expect_status(page, "Cancelled")


@pytest.mark.timeout(300)
def test_a_selection_of_runs_is_cancelled(signed_in: Page, site: Site, client: Signalbox) -> None:
    page = signed_in
    runs = start_waiting(client, site, 3)
    page.goto(f"{site.origin}/#/?q=status%3Awaiting")
    rows = page.locator(".runs .run-line")
    expect(rows).to_have_count(3, timeout=RUN_MS)
    for _ in range(2):
        page.keyboard.press("j")
        page.keyboard.press("x")
    expect(page.get_by_role("group", name="Selected runs")).to_contain_text("2 selected")
    selected = [
        str(row.get_attribute("data-run")) for row in rows.all() if row.get_by_role("checkbox").is_checked()
    ]
    tab_to(page, page.get_by_role("button", name="Cancel runs"))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Cancel 2 runs?")
    for run_id in selected:
        expect(dialog).to_contain_text(run_id)
    tab_to(page, dialog.get_by_role("button", name="Cancel 2 runs"))
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1, timeout=RUN_MS)
    left = set(runs) - set(selected)
    assert {row.get_attribute("data-run") for row in rows.all()} == left
    for run_id in selected:
        assert client.run(run_id).status in ("running", "cancelled")
    for run_id in left:
        client.cancel(run_id, "test")


@pytest.mark.timeout(180)
def test_a_failed_run_is_found_and_retried(signed_in: Page, site: Site, client: Signalbox) -> None:
    page = signed_in
    missing = f"{site.product_page}-missing"
    run_id = client.start("ad_creative", {"url": missing, "variants": 1}, tags=("broken",)).run_id
    for update in client.watch(run_id):
        status = update.snapshot.status
    assert status == "failed"
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Search runs")).to_be_focused()
    page.keyboard.type("status:failed tag:broken")
    page.keyboard.press("Enter")
    row = page.locator(".runs .run-row", has_text=run_id)
    expect(row).to_be_visible(timeout=RUN_MS)
    tab_to(page, row)
    page.keyboard.press("Enter")
    retry = page.get_by_role("button", name="Retry from the failed step")
    expect(retry).to_be_visible(timeout=RUN_MS)
    tab_to(page, retry)
    page.keyboard.press("Enter")
    expect(page.locator(".run-lineage")).to_contain_text("continued", timeout=RUN_MS)


@pytest.mark.timeout(180)
def test_tabs_and_dialogs_have_addresses(signed_in: Page, site: Site, client: Signalbox) -> None:
    page = signed_in
    (run_id,) = start_waiting(client, site, 1)
    page.goto(f"{site.origin}/#/runs/{run_id}?dialog=cancel")
    dialog = page.get_by_role("dialog", name=f"Cancel run {run_id}?")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).to_have_url(re.compile(rf"#/runs/{run_id}$"))

    open_tab(page, "Timeline")
    lanes = page.get_by_role("list", name="Timeline").get_by_role("listitem")
    expect(lanes.filter(has_text="Your decision")).to_contain_text("waiting for a decision")
    open_tab(page, "Input and result")
    expect(page.get_by_role("region", name="Input as JSON")).to_contain_text(site.product_page)
    page.go_back()
    expect(page).to_have_url(re.compile(rf"#/runs/{run_id}/timeline$"))
    expect(lanes.first).to_be_visible()
    page.reload()
    expect(lanes.first).to_be_visible()

    client.cancel(run_id, "test")
    expect_status(page, "Cancelled")
    page.get_by_role("link", name="Start again with changes").click()
    expect(page.get_by_label("Page", exact=True)).to_have_value(site.product_page)
