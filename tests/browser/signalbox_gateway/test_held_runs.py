"""Runs that cannot continue, or that wait for a worker, in words."""

import os
import re
import signal
from collections.abc import Mapping

import pytest
from playwright.sync_api import Page, expect

from signalbox_client import Signalbox
from support.drivers.browser import Site, WatchedPage
from support.drivers.console import RUN_MS, faults_of

# A frozen worker may have taken the task before it stopped. The gateway reports either within about 15 s.
BLOCKED_WORDS = re.compile("^Blocked: (no worker|task timeout)$")
BLOCKED_MS = 120_000
SINCE = "2026-03-01T10:00:00Z"
BLOCKED = {"code": "no_worker", "reason": "no worker takes tasks", "since": SINCE}
QUEUED = {"ahead": 412, "reason": "waits for a free worker", "since": SINCE}


def run(status: str = "running", **overrides: object) -> Mapping[str, object]:
    steps = [{"status": "running"}]
    return {"status": status, "sequence": 3, "steps": steps, "approvals": [], **overrides}


@pytest.mark.parametrize(
    ("given", "head", "row"),
    [
        pytest.param(run(), ["running", "Running"], ["running", "Running"], id="running"),
        pytest.param(
            run(blocked=BLOCKED),
            ["blocked", "Blocked: no worker"],
            ["blocked", "Blocked: no worker"],
            id="blocked",
        ),
        pytest.param(
            run(blocked={**BLOCKED, "code": "new"}), ["blocked", "Blocked"], ["blocked", "Blocked"], id="new"
        ),
        pytest.param(
            run(queued=QUEUED),
            ["queued", "Queued · 412 ahead"],
            ["queued", "Queued · 412 ahead"],
            id="queued",
        ),
        pytest.param(
            run(queued={**QUEUED, "ahead": 12_345}),
            ["queued", "Queued · 12,345 ahead"],
            ["queued", "Queued · 12,345 ahead"],
            id="many ahead",
        ),
        pytest.param(
            run(queued={**QUEUED, "ahead": 0}), ["queued", "Queued"], ["queued", "Queued"], id="the next one"
        ),
        pytest.param(
            run(queued=QUEUED, waiting=True, approvals=[{"status": "pending", "deadline_at": None}]),
            ["attention", "Waiting for a decision"],
            ["attention", "Waiting for a person"],
            id="a question before the queue",
        ),
        pytest.param(
            run(blocked=BLOCKED, waiting=True, approvals=[{"status": "pending", "deadline_at": None}]),
            ["blocked", "Blocked: no worker"],
            ["blocked", "Blocked: no worker"],
            id="blocked before a question",
        ),
        pytest.param(
            run("failed", blocked=BLOCKED, queued=QUEUED),
            ["failed", "Failed"],
            ["failed", "Failed"],
            id="ended",
        ),
    ],
)
def test_page_and_list_agree_on_the_state_in_words(
    modules: Page, given: Mapping[str, object], head: list[str], row: list[str]
) -> None:
    found = modules.evaluate(
        """async (run) => {
            const { listState, runState } = await import("/console/js/data/run-state.js");
            return [runState(run), listState(run)].map(({ status, text }) => [status, text]);
        }""",
        given,
    )
    assert found == [head, row]


@pytest.mark.timeout(400)
def test_a_run_without_a_worker_is_shown_as_blocked_until_one_responds(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    stopped = site.worker_pid()
    os.kill(stopped, signal.SIGSTOP)
    try:
        with Signalbox(site.origin, site.api_key) as client:
            started = client.start("ad_creative", {"url": site.product_page, "variants": 1}).run_id
        page.goto(f"{site.origin}/#/?q=status%3Ablocked")
        row = page.locator(".run-line", has_text=started)
        expect(row.locator(".status-word")).to_have_text(BLOCKED_WORDS, timeout=BLOCKED_MS)
        assert faults_of(page, watched, "runs-blocked") == []
        row.get_by_role("link").click()
        expect(page.locator(".run-facts .status-word")).to_have_text(BLOCKED_WORDS, timeout=BLOCKED_MS)
        notice = page.locator(".condition")
        expect(notice).to_contain_text("This run cannot continue")
        expect(notice).to_contain_text(re.compile("start workers for it|overloaded or killed worker"))
        assert faults_of(page, watched, "run-blocked") == []
    finally:
        os.kill(stopped, signal.SIGCONT)
    expect(notice).to_be_empty(timeout=BLOCKED_MS)
    expect(page.locator(".run-facts .status-word")).not_to_contain_text("Blocked", timeout=RUN_MS)
    with Signalbox(site.origin, site.api_key) as client:
        client.cancel(started, "test")
