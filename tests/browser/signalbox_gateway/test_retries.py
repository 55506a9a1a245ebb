"""Runs that ended are continued or started again, alone and in bulk."""

import json
import re
from collections.abc import Mapping, Sequence

import pytest
from playwright.sync_api import Page, Request, Route, expect

from signalbox_client import Signalbox
from support.drivers.browser import Site, WatchedPage
from support.drivers.console import RUN_MS, expect_status, faults_of, open_tab

CONTROLS = "http://console.test/v1/"


def start_failing(client: Signalbox, site: Site) -> str:
    """Start a run whose first step fails: the page does not exist. Wait for its end."""
    run_id = client.start("ad_creative", {"url": f"{site.product_page}-missing", "variants": 1}).run_id
    until_ended(client, run_id)
    return run_id


def start_asking(client: Signalbox, site: Site) -> str:
    run_id = client.start("ad_creative", {"url": site.product_page, "variants": 1}).run_id
    next(update for update in client.watch(run_id) if update.snapshot.approvals)
    return run_id


def until_ended(client: Signalbox, run_id: str) -> None:
    for _ in client.watch(run_id):
        pass


def crumb(page: Page) -> str:
    return page.locator(".crumbs code").inner_text()


@pytest.mark.timeout(180)
def test_a_failed_run_is_retried_from_its_failed_step(
    signed_in: Page, site: Site, client: Signalbox, watched: WatchedPage
) -> None:
    page = signed_in
    run_id = start_failing(client, site)
    page.goto(f"{site.origin}/#/runs/{run_id}")
    expect_status(page, "Failed")
    assert faults_of(page, watched, "run-failed") == []
    page.get_by_role("button", name="Retry from the failed step").click()
    expect(page.locator(".run-lineage")).to_contain_text("continued", timeout=RUN_MS)
    assert crumb(page) == run_id
    # The page does not exist now either.
    expect_status(page, "Failed")
    assert client.run(run_id).retried_at is not None


@pytest.mark.timeout(180)
def test_a_cancelled_run_is_continued_and_its_end_is_live_again(
    signed_in: Page, site: Site, client: Signalbox
) -> None:
    page = signed_in
    run_id = start_asking(client, site)
    page.goto(f"{site.origin}/#/runs/{run_id}")
    client.cancel(run_id, "test")
    expect_status(page, "Cancelled")
    page.get_by_role("button", name="Continue the run").click()
    expect_status(page, "Waiting for a decision")
    expect(page.locator(".link-state")).to_have_text("Live", timeout=RUN_MS)
    expect(page.get_by_role("button", name="Cancel run")).to_be_visible()
    client.cancel(run_id, "test")
    expect_status(page, "Cancelled")


@pytest.mark.timeout(180)
def test_a_run_that_is_retried_elsewhere_is_followed_again(
    signed_in: Page, site: Site, client: Signalbox
) -> None:
    page = signed_in
    run_id = start_asking(client, site)
    page.goto(f"{site.origin}/#/runs/{run_id}")
    client.cancel(run_id, "test")
    expect_status(page, "Cancelled")
    expect(page.locator(".link-state")).to_have_text("Ended")
    client.retry(run_id)
    expect_status(page, "Waiting for a decision")
    expect(page.locator(".link-state")).to_have_text("Live", timeout=RUN_MS)
    client.cancel(run_id, "test")
    expect_status(page, "Cancelled")


@pytest.mark.timeout(180)
def test_a_run_is_started_again_unchanged_and_with_changes(
    signed_in: Page, site: Site, client: Signalbox
) -> None:
    page = signed_in
    first = start_failing(client, site)
    page.goto(f"{site.origin}/#/runs/{first}")
    page.get_by_role("button", name="Start again", exact=True).click()
    expect(page.locator(".run-lineage")).to_have_text(f"retry of {first}", timeout=RUN_MS)
    second = crumb(page)
    assert second != first
    expect_status(page, "Failed")

    page.get_by_role("link", name="Start again with changes").click()
    expect(page.get_by_label("Variants")).to_have_value("1")
    page.get_by_label("Page", exact=True).fill(site.product_page)
    page.get_by_label("Variants").fill("2")
    page.get_by_role("button", name="Start the run").click()
    expect(page.locator(".run-lineage")).to_have_text(f"retry of {second}", timeout=RUN_MS)
    third = crumb(page)
    open_tab(page, "Input and result")
    shown = page.get_by_role("region", name="Input as JSON")
    expect(shown).to_contain_text(site.product_page)
    expect(shown).to_contain_text('"variants": 2')

    page.get_by_role("link", name=second).click()
    expect(page.locator(".run-lineage")).to_contain_text(f"retried as {third}", timeout=RUN_MS)
    client.cancel(third, "test")


@pytest.mark.timeout(240)
def test_a_selection_of_runs_is_retried_after_a_question_that_names_them(
    signed_in: Page, site: Site, client: Signalbox, watched: WatchedPage
) -> None:
    page = signed_in
    runs = [start_asking(client, site) for _ in range(2)]
    left = start_asking(client, site)
    for run_id in runs:
        client.cancel(run_id, "test")
        until_ended(client, run_id)
    page.goto(f"{site.origin}/#/?q=pipeline%3Aad_creative")
    for run_id in (*runs, left):
        box = page.get_by_role("checkbox", name=f"Select {run_id}")
        expect(box).to_be_visible(timeout=RUN_MS)
        box.check()
    bar = page.get_by_role("group", name="Selected runs")
    expect(bar).to_contain_text("3 selected, 1 still open", timeout=RUN_MS)
    bar.get_by_role("button", name="Retry runs").click()
    dialog = page.get_by_role("dialog", name="Retry 2 runs?")
    for run_id in runs:
        expect(dialog).to_contain_text(run_id)
    expect(dialog).to_contain_text("1 selected run is open or completed and not retried.")
    expect(page).to_have_url(re.compile(r"dialog=retry-runs"))
    watched.shot("runs-retry-dialog")
    dialog.get_by_role("button", name="Retry 2 runs").click()
    expect(page.get_by_text("2 runs retried.", exact=True).first).to_be_visible(timeout=RUN_MS)
    for run_id in runs:
        state = page.locator(".run-line", has_text=run_id).locator(".status-word")
        expect(state).to_have_text("Waiting for a person", timeout=RUN_MS)
    for run_id in (*runs, left):
        client.cancel(run_id, "test")


class RecordedRun:
    """Replaces the gateway's answers about one ended run, and records what is sent."""

    def __init__(self, recorded: Mapping[str, object], schema: Mapping[str, object]) -> None:
        self.recorded = recorded
        self.schema = schema
        self.sent: list[Mapping[str, object]] = []

    def __call__(self, route: Route, request: Request) -> None:
        path = request.url.removeprefix(CONTROLS)
        if path.endswith("/input"):
            answer: Mapping[str, object] = self.recorded
        elif path.endswith("/retry"):
            self.sent.append(json.loads(request.post_data or "{}"))
            answer = {"run_id": "run-2"}
        else:
            answer = {"name": "import", "title": "Import", "input_schema": self.schema, "steps": []}
        route.fulfill(status=200, body=json.dumps(answer), content_type="application/json")


SCHEMA: Mapping[str, object] = {
    "type": "object",
    "required": ["month", "password"],
    "properties": {
        "month": {"type": "string", "title": "Month"},
        "password": {"type": "string", "title": "Password", "format": "password"},
        "limit": {"type": "integer", "title": "Limit", "default": 10},
    },
}


@pytest.mark.parametrize(
    ("filled", "expected"),
    [
        pytest.param({}, {"from": "start"}, id="nothing changed"),
        pytest.param({"Month": "2026-02"}, {"from": "start", "input": {"month": "2026-02"}}, id="a member"),
        pytest.param(
            {"Password": "new", "Limit": ""},
            {"from": "start", "input": {"password": "new", "limit": None}},
            id="a secret, and a member that was emptied",
        ),
    ],
)
def test_only_changes_are_sent_and_empty_secrets_keep_their_values(
    modules: Page, filled: Mapping[str, str], expected: Mapping[str, object]
) -> None:
    gateway = RecordedRun(
        {
            "run_id": "run-1",
            "pipeline": "import",
            "input": {"month": "2026-01", "password": "***", "limit": 20},
            "masked": ["input.password"],
        },
        SCHEMA,
    )
    modules.route(f"{CONTROLS}**", gateway)
    modules.evaluate(
        """async () => {
            localStorage.clear();
            const { startPage } = await import("/console/js/pipelines/start.js");
            const page = await startPage({ parts: ["import"], query: new URLSearchParams("from=run-1") });
            document.body.replaceChildren(page.element);
        }"""
    )
    expect(modules.get_by_text("Secrets that are left empty keep their values.")).to_be_visible()
    modules.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    for label, value in filled.items():
        modules.get_by_label(label).fill(value)
    modules.get_by_role("button", name="Start the run").click()
    modules.wait_for_function("() => location.hash === '#/runs/run-2'")
    modules.unroute(f"{CONTROLS}**")
    modules.evaluate("() => { location.hash = ''; }")
    assert gateway.sent == [expected]


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        pytest.param({"a": 1}, {"a": 1}, None, id="equal"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}, id="a removed member"),
        pytest.param({"a": [1, 2]}, {"a": [1]}, {"a": [1]}, id="a list is replaced"),
        pytest.param({}, {"a": {"b": 1}}, {"a": {"b": 1}}, id="an added member"),
    ],
)
def test_a_merge_patch_has_the_differences(
    modules: Page,
    before: Mapping[str, object],
    after: Mapping[str, object],
    patch: Mapping[str, object] | None,
) -> None:
    script = """async ([before, after]) => {
        const { mergePatch } = await import("/console/js/data/merge-patch.js");
        return mergePatch(before, after) ?? null;
    }"""
    assert modules.evaluate(script, [before, after]) == patch


@pytest.mark.parametrize(
    ("listed", "reports", "expected"),
    [
        pytest.param(
            [("10:00", "failed"), ("11:00", "running")], [], ["running"], id="the newest execution counts"
        ),
        pytest.param(
            [("10:00", "failed")],
            [{"status": "running", "ended_at": None, "retried_at": "2026-03-01T12:00:00Z"}],
            ["running"],
            id="continued after its end",
        ),
        pytest.param(
            [("10:00", "failed")],
            [{"status": "running", "ended_at": None, "retried_at": "2026-03-01T09:00:00Z"}],
            ["failed"],
            id="continued before its end",
        ),
        pytest.param(
            [("10:00", "failed"), ("11:00", "running")],
            [{"status": "failed", "ended_at": "2026-03-01T10:30:00Z"}],
            ["running"],
            id="the end of an earlier execution",
        ),
    ],
)
def test_a_continued_run_is_one_row_in_its_latest_state(
    modules: Page,
    listed: Sequence[tuple[str, str]],
    reports: Sequence[Mapping[str, object]],
    expected: Sequence[str],
) -> None:
    runs = [
        {
            "run_id": "run-1",
            "pipeline": "echo",
            "status": status,
            "started_at": f"2026-03-01T{time}:00Z",
            "ended_at": None if status == "running" else "2026-03-01T10:30:00Z",
        }
        for time, status in listed
    ]
    script = """async ([runs, reports]) => {
        const { RunListing } = await import("/console/js/runs/listing.js");
        const { parseQuery } = await import("/console/js/runs/query.js");
        const listing = new RunListing(parseQuery(""), async () => ({ runs, next_cursor: null }));
        await listing.load();
        for (const report of reports) listing.report("run-1", report);
        return listing.shown().map((run) => run.status);
    }"""
    assert modules.evaluate(script, [runs, reports]) == expected
