"""The activity in the console: who did what, filtered by the address, current, and by role."""

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from signalbox_client import Signalbox
from support.drivers.browser import Site, WatchedPage, until
from support.drivers.console import faults_of, sign_in

# An event is in the ledger seconds after it happened, and later on a busy machine.
SLOW_MS = 60_000
PAGE = 50
COUNT = 120
START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@pytest.fixture
def client(site: Site) -> Iterator[Signalbox]:
    with Signalbox(site.origin, site.api_key) as client:
        yield client


def entries(page: Page) -> Locator:
    return page.get_by_role("list", name="Activity").get_by_role("listitem")


def open_activity(page: Page) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Activity").click()
    expect(page.get_by_role("heading", name="Activity", exact=True)).to_be_visible()


def entry(index: int) -> Mapping[str, object]:
    """An entry as the gateway lists it."""
    return {
        "index": index,
        "action": "run.paused",
        "at": (START + timedelta(minutes=index)).isoformat(),
        "actor": {"subject": "key:lan", "name": "Lan", "kind": "human"},
        "erased": False,
        "run_id": f"order-{index:03}",
        "approval_id": None,
        "item": None,
        "outcome": None,
        "reason": None,
        "receipt": None,
    }


class Ledger:
    """Replaces the gateway: a ledger of paused runs, in pages."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.queries: list[Mapping[str, list[str]]] = []

    def __call__(self, route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        self.queries.append(query)
        below = int(query.get("cursor", [str(self.size)])[0])
        first = int(query.get("after", ["-1"])[0]) + 1
        start = max(first, below - PAGE)
        page = {
            "entries": [entry(index) for index in range(below - 1, start - 1, -1)],
            "next_cursor": start if start > first else None,
        }
        route.fulfill(body=json.dumps(page), content_type="application/json")


@pytest.fixture
def ledger(signed_in: Page) -> Ledger:
    ledger = Ledger(COUNT)
    signed_in.route(re.compile("/v1/activity"), ledger)
    return ledger


def test_changes_of_a_schedule_and_of_a_run_are_shown_and_filtered(
    signed_in: Page, site: Site, watched: WatchedPage, client: Signalbox
) -> None:
    page, name = signed_in, f"activity-{secrets.token_hex(4)}"
    client.create_schedule(name, "ad_creative", {"url": site.product_page}, cron=["0 6 1 1 *"])
    run_id = client.start("ad_creative", {"url": site.product_page, "variants": 1}).run_id
    open_activity(page)
    created = entries(page).filter(has=page.get_by_role("link", name=name))
    expect(created).to_contain_text("Schedule created", timeout=SLOW_MS)

    client.cancel(run_id, "another page")
    of_run = entries(page).filter(has=page.get_by_role("link", name=run_id, exact=True))
    cancelled = of_run.filter(has_text="Run cancelled")
    expect(cancelled).to_be_visible(timeout=SLOW_MS)
    expect(cancelled).to_contain_text("“another page”")
    assert faults_of(page, watched, "activity") == []

    page.get_by_label("Action").select_option("schedule")
    expect(page).to_have_url(re.compile(r"#/activity\?action=schedule$"))
    expect(created).to_be_visible()
    expect(cancelled).to_have_count(0)
    page.get_by_label("Action").select_option("")
    page.get_by_label("Who").fill("nobody of this name")
    expect(page.get_by_text("No entries match.")).to_be_visible()
    page.get_by_role("link", name="Show all activity").press("Enter")
    expect(cancelled).to_be_visible()
    expect(page).to_have_url(re.compile("#/activity$"))

    client.delete_schedule(name)
    expect(entries(page).filter(has_text=name).filter(has_text="Schedule deleted")).to_be_visible(
        timeout=SLOW_MS
    )


def test_a_decision_leads_to_its_run_and_its_receipt(signed_in: Page, site: Site, client: Signalbox) -> None:
    page = signed_in
    run_id = client.start("ad_creative", {"url": site.product_page, "variants": 1}).run_id
    shown = next(update.snapshot for update in client.watch(run_id) if update.snapshot.approvals)
    approval_id = shown.approvals[0].approval_id
    approval = client.approval(run_id, approval_id)
    variants = [option["variant"] for option in json.loads(bytes(approval.options))]
    answer = {"decisions": [{"variant": variant, "action": "approve"} for variant in variants]}
    client.decide(run_id, approval_id, answer, shown=approval, note="looks right")
    page.goto(f"{site.origin}/#/activity?action=approval.decided")
    decided = entries(page).filter(has=page.get_by_role("link", name=run_id, exact=True))
    expect(decided).to_be_visible(timeout=SLOW_MS)
    expect(decided).to_contain_text("“looks right”")
    with page.expect_download() as download:
        decided.get_by_role("link", name=f"Receipt of {approval_id} of {run_id}").click()
    assert download.value.suggested_filename == f"receipt-{run_id}-{approval_id}.json"
    decided.get_by_role("link", name=run_id, exact=True).press("Enter")
    expect(page).to_have_url(re.compile(f"#/runs/{run_id}$"))
    page.go_back()
    expect(decided).to_be_visible()
    expect(page.get_by_label("Action")).to_have_value("approval.decided")


def test_older_entries_follow_and_newer_ones_arrive_above(signed_in: Page, ledger: Ledger) -> None:
    page = signed_in
    page.clock.install()
    open_activity(page)
    expect(entries(page).first).to_contain_text(f"order-{COUNT - 1:03}")
    # A page is read before the end of the list is in view.
    entries(page).last.scroll_into_view_if_needed()
    expect(entries(page).nth(PAGE)).to_be_attached()
    entries(page).last.scroll_into_view_if_needed()
    expect(entries(page)).to_have_count(COUNT)
    expect(page.get_by_role("button", name="Older entries")).to_be_hidden()

    last = page.get_by_role("link", name="order-000", exact=True)
    last.focus()
    ledger.size += 3
    page.clock.run_for(16_000)
    expect(entries(page)).to_have_count(COUNT + 3)
    expect(entries(page).first).to_contain_text(f"order-{COUNT + 2:03}")
    expect(last).to_be_focused()
    assert len(set(entries(page).all_inner_texts())) == COUNT + 3


def test_a_search_for_a_person_reads_older_entries_on_demand(signed_in: Page, ledger: Ledger) -> None:
    page = signed_in
    page.goto(f"{page.url.partition('#')[0]}#/activity?actor=lan")
    expect(entries(page)).to_have_count(PAGE)
    expect(page.get_by_label("Who")).to_have_value("lan")
    expect(page.get_by_role("status").filter(has_text="50 entries so far")).to_be_visible()
    page.get_by_role("button", name="Older entries").press("Enter")
    expect(entries(page)).to_have_count(2 * PAGE)
    assert [query["actor"] for query in ledger.queries] == [["lan"]] * len(ledger.queries)


def test_a_space_that_is_typed_last_stays(signed_in: Page, ledger: Ledger) -> None:
    page = signed_in
    open_activity(page)
    page.get_by_label("Who").press_sequentially("lan ")
    expect(page).to_have_url(re.compile("actor=lan$"))
    # On a busy machine the pause before the last letters may be long enough for a search of its own.
    until(page, lambda: ledger.queries[-1].get("actor") == ["lan"])
    expect(page.get_by_role("status").filter(has_text="50 entries so far")).to_be_visible()
    expect(page.get_by_label("Who")).to_have_value("lan ")


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        pytest.param(200, {"entries": [], "next_cursor": None}, "No activity yet", id="empty"),
        pytest.param(404, {"code": "no_ledger", "detail": "none"}, "keeps no ledger", id="no ledger"),
        pytest.param(
            503, {"code": "unavailable", "detail": "Objects are unavailable."}, "Objects are", id="fault"
        ),
    ],
)
def test_a_page_without_entries_states_why(
    signed_in: Page, watched: WatchedPage, status: int, body: Mapping[str, object], text: str
) -> None:
    page = signed_in
    watched.expected = (f"status of {status}",)
    page.route(
        re.compile("/v1/activity"),
        lambda route: route.fulfill(status=status, body=json.dumps(body), content_type="application/json"),
    )
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Activity").click()
    expect(page.get_by_role("main")).to_contain_text(text)


def test_only_admins_are_offered_changes_of_keys(browser: Browser, site: Site) -> None:
    for role, count in {"admin": 1, "viewer": 0}.items():
        with browser.new_context() as context:
            watched = WatchedPage(context)
            sign_in(watched.page, site, site.api_keys[role])
            open_activity(watched.page)
            options = watched.page.get_by_label("Action").get_by_role("option")
            expect(options.filter(has_text="All actions")).to_have_count(1)
            expect(options.filter(has_text="API keys")).to_have_count(count)
            assert watched.unexpected() == []
