"""The list of runs is the server's answer, kept current by the tenant's stream."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Route, expect

from signalbox_client import Signalbox
from support.drivers.browser import Site, WatchedPage
from support.drivers.console import RUN_MS, faults_of

TEXT = (
    "Signalbox runs long pipelines durably. People watch every run live. A person decides where a run asks."
)


def open_list(page: Page, site: Site, status: str = "") -> None:
    page.goto(f"{site.origin}/#/{'?status=' + status if status else ''}")
    expect(page.locator(".filters a[aria-current]")).to_have_text(status.capitalize() or "All")
    expect(page.locator(".page-head .link-state")).to_have_text("Live")


def start_waiting(client: Signalbox, site: Site) -> str:
    """Start a run that stays open: it asks a question that nobody answers."""
    return client.start("ad_creative", {"url": site.product_page, "variants": 1}).run_id


def start_short(client: Signalbox) -> str:
    return client.start("ai_task", {"task": "summarise", "text": TEXT, "provider": "local-extractive"}).run_id


def until_ended(client: Signalbox, run_id: str) -> None:
    for _ in client.watch(run_id):
        pass


def listed(page: Page) -> list[str]:
    return page.locator(".runs .run-id").all_inner_texts()


@pytest.mark.timeout(180)
def test_a_run_leaves_the_filter_as_soon_as_it_ends(
    signed_in: Page, site: Site, client: Signalbox, watched: WatchedPage
) -> None:
    page = signed_in
    kept, cancelled = start_waiting(client, site), start_waiting(client, site)
    open_list(page, site, "running")
    pill = page.get_by_role("button", name="new run")
    for run_id in (kept, cancelled):
        # The server's search index may lag behind; such a run is announced by the pill instead.
        line = page.locator(".runs .run-row", has_text=run_id)
        expect(line.or_(pill).first).to_be_visible(timeout=RUN_MS)
        if pill.is_visible():
            pill.click()
        expect(line).to_be_visible(timeout=RUN_MS)

    client.cancel(cancelled, "test")
    expect(page.locator(".runs .run-row", has_text=cancelled)).to_have_count(0, timeout=RUN_MS)
    expect(page.locator(".runs .run-row", has_text=kept)).to_have_count(1)

    ended = [start_short(client) for _ in range(3)]
    for run_id in ended:
        until_ended(client, run_id)
    # None of the three stays under "Running", however often the list was loaded in between.
    expect(pill).to_be_hidden(timeout=RUN_MS)
    assert not set(listed(page)) & set(ended)
    assert set(listed(page)) == {kept}
    assert faults_of(page, watched, "runs-running") == []
    client.cancel(kept, "test")


@pytest.mark.timeout(180)
def test_new_runs_wait_behind_a_pill_and_come_in_the_order_of_their_start(
    signed_in: Page, site: Site, client: Signalbox, watched: WatchedPage
) -> None:
    page = signed_in
    before = start_short(client)
    until_ended(client, before)
    open_list(page, site)
    expect(page.locator(".runs .run-row", has_text=before)).to_be_visible(timeout=RUN_MS)
    shown = listed(page)

    started = [start_short(client) for _ in range(3)]
    pill = page.get_by_role("button", name="3 new runs")
    expect(pill).to_be_visible(timeout=RUN_MS)
    assert listed(page) == shown
    watched.shot("runs-pill")
    pill.click()
    expect(page.locator(".runs .run-id").first).to_have_text(started[-1])
    assert listed(page) == [*reversed(started), *shown]
    for run_id in started:
        until_ended(client, run_id)
        state = page.locator(".runs .run-row", has_text=run_id).locator(".status-word")
        expect(state).to_have_text("Completed", timeout=RUN_MS)
    assert listed(page) == [*reversed(started), *shown]


@pytest.mark.timeout(180)
def test_a_search_keeps_that_a_run_waits_whose_question_is_not_on_the_first_page_of_the_inbox(
    signed_in: Page, site: Site, client: Signalbox
) -> None:
    page = signed_in
    first_page = {"approvals": [], "next_cursor": "later", "total": 201}
    page.route("**/v1/approvals?*", lambda route: route.fulfill(json=first_page))
    run_id = start_waiting(client, site)
    open_list(page, site)
    row = page.locator(".runs .run-row", has_text=run_id)
    expect(row.locator(".status-word")).to_have_text("Waiting for a person", timeout=RUN_MS)

    page.get_by_role("combobox", name="Search runs").fill(run_id)
    expect(page.get_by_role("status").filter(has_text=re.compile("^1 (run|match)"))).to_be_visible()
    expect(row.locator(".status-word")).to_have_text("Waiting for a person")
    client.cancel(run_id, "test")


def test_signing_out_aborts_the_reads_in_flight_before_the_session_ends(signed_in: Page, site: Site) -> None:
    page = signed_in
    open_list(page, site)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/runs?*", hold)
    page.route("**/v1/sessions", hold)
    with page.expect_request("**/v1/runs?*status*failed*"):
        page.locator(".filters a", has_text="Failed").click()
    with (
        page.expect_event("requestfailed", lambda request: "status%3Afailed" in request.url),
        page.expect_request("**/v1/sessions"),
    ):
        page.get_by_role("button", name="Sign out").click()
    ends = [route for route in held if route.request.method == "DELETE"]
    while not ends:  # the request is reported before its route is; the test's timeout is the deadline
        page.wait_for_timeout(50)
        ends = [route for route in held if route.request.method == "DELETE"]
    ends[0].continue_()
    expect(page.get_by_label("API key")).to_be_visible()


@pytest.mark.timeout(180)
def test_a_run_is_found_by_its_subject_starter_and_tag(
    signed_in: Page, site: Site, client: Signalbox, watched: WatchedPage
) -> None:
    page = signed_in
    kept = client.start("ad_creative", {"url": site.product_page, "variants": 1}, tags=("autumn",)).run_id
    other = start_short(client)
    search = page.get_by_role("combobox", name="Search runs")
    rows = page.locator(".runs .run-row")
    row = rows.filter(has_text=kept)

    for query in (
        "en/coffee",
        "tag:autumn",
        "find.language:auto coffee",
        "by:admin pipeline:ad_creative tag:autumn",
    ):
        page.goto(f"{site.origin}/#/?q={quote(query)}")
        expect(search).to_have_value(query)
        expect(row).to_be_visible(timeout=RUN_MS)
        expect(rows.filter(has_text=other)).to_have_count(0)
    expect(row.locator(".run-title")).to_have_text(re.compile("/en/coffee$"))
    assert faults_of(page, watched, "runs-found") == []

    page.goto(f"{site.origin}/#/?q={quote('status:running tag:autumn')}")
    expect(row).to_be_visible(timeout=RUN_MS)
    client.cancel(kept, "test")
    expect(row).to_have_count(0, timeout=RUN_MS)


@pytest.mark.timeout(180)
def test_the_subject_comes_first_and_the_id_can_be_copied(
    signed_in: Page, site: Site, client: Signalbox
) -> None:
    page = signed_in
    run_id = start_waiting(client, site)
    page.goto(f"{site.origin}/#/?q={quote(run_id)}")
    row = page.locator(".runs .run-line")
    expect(row).to_have_count(1, timeout=RUN_MS)
    title, own_id = row.locator(".run-title"), row.locator(".run-id")
    expect(title).to_have_text(re.compile("/en/coffee$"))
    places = [part.bounding_box() for part in (title, own_id)]
    assert places[0] is not None
    assert places[1] is not None
    assert places[0]["x"] + places[0]["width"] <= places[1]["x"]
    # The id is shortened before the subject is.
    assert title.evaluate("title => title.scrollWidth <= title.parentElement.clientWidth")
    assert title.evaluate("title => title.scrollWidth <= title.clientWidth")

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    row.hover()
    row.get_by_role("button", name=f"Copy run id {run_id}").click()
    expect(page.get_by_text("Run id copied").first).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == run_id
    row.get_by_role("link").focus()
    page.evaluate("navigator.clipboard.writeText('')")
    page.keyboard.press("c")
    page.wait_for_function("id => navigator.clipboard.readText().then((text) => text === id)", arg=run_id)

    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("/en/coffee$"))
    expect(page.locator(".crumbs")).to_contain_text("Ad creative")
    client.cancel(run_id, "test")


def test_a_search_that_is_refused_is_explained(signed_in: Page, site: Site, watched: WatchedPage) -> None:
    page = signed_in
    watched.expected = ("422",)
    page.goto(f"{site.origin}/#/?q={quote('colour:red')}")

    alert = page.get_by_role("alert").filter(has_text="colour:")
    expect(alert).to_contain_text("is not a search key; use status, pipeline, by, tag")
    expect(page.locator(".runs .run-row")).to_have_count(0)
    page.goto(f"{site.origin}/#/?q=status:completed")
    expect(alert).to_have_count(0)


def test_a_search_is_kept_as_a_view_until_signing_out(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    page.goto(f"{site.origin}/#/?q=status%3Afailed%20pipeline%3Aad_creative")
    views = page.get_by_role("navigation", name="Saved views")
    views.get_by_role("button", name="Save view").click()
    dialog = page.get_by_role("dialog", name="Save view")
    dialog.get_by_label("Name").fill("Failed ads")
    dialog.get_by_role("button", name="Save").click()
    link = views.get_by_role("link", name="Failed ads")
    expect(link).to_have_attribute("aria-current", "true")
    expect(views.get_by_role("button", name="Save view")).to_be_hidden()

    page.goto(f"{site.origin}/#/")
    page.reload()
    expect(link).not_to_have_attribute("aria-current", "true")
    assert faults_of(page, watched, "runs-views") == []
    link.click()
    search = page.get_by_role("combobox", name="Search runs")
    expect(search).to_have_value("status:failed pipeline:ad_creative")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert page.evaluate("localStorage.getItem('signalbox.views')") is None


def test_a_link_to_all_runs_ends_a_search_that_was_typed(signed_in: Page) -> None:
    page = signed_in
    page.get_by_label("Search runs").fill("tag:none-of-this-name")
    page.get_by_role("link", name="Show all runs").click()
    expect(page).to_have_url(re.compile(r"#/$"))
    expect(page.get_by_label("Search runs")).to_have_value("")
    page.get_by_label("Search runs").fill("tag:none-of-this-name")
    expect(page).to_have_url(re.compile("q=tag"))
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Runs").click()
    expect(page.get_by_label("Search runs")).to_have_value("")
