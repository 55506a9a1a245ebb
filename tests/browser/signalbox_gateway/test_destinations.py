"""The destinations of notifications on the system page: the last attempt, and why it failed."""

import json

from playwright.sync_api import Page, expect

from support.drivers.browser import Site, WatchedPage
from support.drivers.console import faults_of

DESTINATIONS = [
    {
        "name": "chat",
        "kind": "slack",
        "status": "retrying",
        "last_attempt_at": "2026-01-01T10:05:00Z",
        "failing_since": "2026-01-01T10:00:00Z",
        "error": "hooks.chat.example answered 503",
    },
    {
        "name": "lan",
        "kind": "mail",
        "status": "ok",
        "last_attempt_at": "2026-01-01T10:05:00Z",
        "failing_since": None,
        "error": None,
    },
    {
        "name": "new",
        "kind": "webhook",
        "status": "unused",
        "last_attempt_at": None,
        "failing_since": None,
        "error": None,
    },
]


def test_each_destination_has_its_last_attempt_and_error(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    body = json.dumps({"destinations": DESTINATIONS})
    page.route("**/v1/destinations", lambda route: route.fulfill(body=body, content_type="application/json"))
    page.goto(f"{site.origin}/#/system")
    panel = page.get_by_role("region", name="Notifications")
    chat = panel.locator("dl > div").filter(has_text="chat")
    expect(chat.first).to_contain_text("Failing, retrying")
    expect(chat.first).to_contain_text("hooks.chat.example answered 503")
    expect(panel.locator("dl > div").filter(has_text="Mail")).to_contain_text("Delivered")
    expect(panel.locator("dl > div").filter(has_text="Webhook")).to_contain_text("Not used yet")
    assert faults_of(page, watched, "destinations") == []


def test_without_destinations_the_page_says_so(signed_in: Page, site: Site) -> None:
    signed_in.goto(f"{site.origin}/#/system")
    panel = signed_in.get_by_role("region", name="Notifications")
    expect(panel).to_contain_text("No destinations are configured for this tenant.")
