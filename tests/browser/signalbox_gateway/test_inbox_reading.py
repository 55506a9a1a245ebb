"""The inbox as a screen reader reads it: the tree of roles and names."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from signalbox_client import Signalbox
from support.drivers.browser import Site
from support.drivers.console import RUN_MS, asked

QUESTIONS = """
- region "Questions":
  - heading "Inbox" [level=1]
  - text: "1"
  - navigation "Views":
    - link "Mine"
    - link "All"
    - link "Decided"
  - list "Pending questions":
    - listitem:
      - link:
        - /url: "#/inbox/{run}/variants"
  - paragraph: J K next, previous A E R approve, edit, reject 1 9 choose Ctrl ↵ send
"""
ROW = """
- link /^.*\\/en\\/coffee .* · Ad creative · .*(now|\\d+ s ago|\\d+ min ago)$/
"""
PANEL = """
- region "{title}":
  - heading "{title}" [level=2]
  - article "variant-1 Variant 1":
    - heading "variant-1 Variant 1" [level=3]
    - group /Decision on variant 1/:
      - radio "Approve"
      - radio "Edit"
      - radio "Reject"
  - status: 0 of 1 decided
  - button "Claim"
  - button "Delegate"
  - button "Send 1 decision"
"""


@pytest.fixture
def run_id(site: Site) -> Iterator[str]:
    """A run that asks about one variant."""
    with Signalbox(site.origin, site.api_key) as client:
        run_id = client.start("ad_creative", {"url": site.product_page, "variants": 1}).run_id
        next(update for update in client.watch(run_id) if update.snapshot.approvals)
        yield run_id
        client.cancel(run_id, "test")


@pytest.mark.timeout(180)
def test_the_tree_of_the_inbox_reads_in_order(signed_in: Page, site: Site, run_id: str) -> None:
    page = signed_in
    page.goto(f"{site.origin}/#/inbox/{run_id}/variants")
    panel = asked(page)
    row = page.locator(".question")
    expect(row).to_have_count(1, timeout=RUN_MS)
    main = page.get_by_role("main")
    expect(main).to_match_aria_snapshot(QUESTIONS.format(run=run_id))
    expect(row).to_have_attribute("aria-current", "true")
    expect(page.locator(".questions")).to_match_aria_snapshot(ROW)
    title = panel.get_by_role("heading", level=2).inner_text()
    expect(main).to_match_aria_snapshot(PANEL.format(title=title))
