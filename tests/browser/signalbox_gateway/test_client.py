"""The module for other people's pages, in Chromium, against a real gateway: the page of docs/browser.md, and
what it does not show."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, Route, expect

from support.drivers.browser import Site, WatchedPage, until

DOC = (Path(__file__).parents[3] / "docs" / "browser.md").read_text()
EXAMPLE = re.search(r"<!-- file: example.html -->\n```html\n(.*?)```", DOC, re.DOTALL)
TEXT = (
    "Signalbox runs long pipelines durably. People watch every run live. A person decides where a run asks. "
    "Other systems subscribe."
)


@pytest.fixture
def page(watched: WatchedPage, site: Site) -> Page:
    """The documented page, served from another origin than the gateway."""
    assert EXAMPLE is not None
    body = EXAMPLE[1]
    watched.page.route(
        f"{site.origin}/example.html", lambda route: route.fulfill(body=body, content_type="text/html")
    )
    watched.page.route(f"{site.origin}/favicon.ico", lambda route: route.fulfill(status=204))
    watched.page.goto(f"{site.origin}/example.html")
    return watched.page


def test_the_example_has_thirty_lines() -> None:
    assert EXAMPLE is not None
    assert len(EXAMPLE[1].splitlines()) <= 34


def test_the_documented_page_starts_a_run_and_shows_its_events(
    page: Page, site: Site, watched: WatchedPage
) -> None:
    page.get_by_label("API key").fill(site.api_key)
    page.get_by_label("Text").fill(TEXT)
    page.get_by_role("button", name="Summarise").click()
    expect(page.locator("#state")).to_have_text("ended", timeout=30_000)
    expect(page.locator("#story li").last).to_have_text("completed")
    story = page.locator("#story li").all_inner_texts()
    # However late the page connected: it requests the history.
    assert story[0] == "run.started"
    assert story[-2:] == ["run.completed", "completed"]
    assert {"step.started", "step.completed"} <= set(story)
    watched.shot("client-example")


def test_a_wrong_key_gets_a_clear_message(page: Page, watched: WatchedPage) -> None:
    watched.expected = ("401",)
    page.get_by_label("API key").fill("sbx_wrong")
    page.get_by_role("button", name="Summarise").click()
    expect(page.locator("#state")).to_contain_text("API key")


WATCH = """async ({ key, runs }) => {
  const { Signalbox } = await import("/client/signalbox.js");
  const signalbox = new Signalbox({ apiKey: key });
  const received = { states: [], events: {}, snapshots: [], ended: [], denied: [] };
  window.received = received;
  window.watch = signalbox.watch(runs, {
    state: (state) => received.states.push(state),
    snapshot: (run) => received.snapshots.push(run.run_id),
    event: (event) => (received.events[event.runid] ??= []).push(event.sequence),
    end: (run) => received.ended.push(run),
    denied: (run) => received.denied.push(run),
    error: (error) => received.states.push(error.code),
  });
}"""
START = """async ({ key, input, runId }) => {
  const { Signalbox } = await import("/client/signalbox.js");
  return (await new Signalbox({ apiKey: key }).start("ai_task", input, { runId })).run_id;
}"""


def until_ready(page: Page, site: Site) -> None:
    """Wait until a killed gateway serves requests again."""

    def is_ready() -> bool:
        try:
            return page.request.get(f"{site.origin}/readyz").ok
        except PlaywrightError:
            return False

    until(page, is_ready)


def test_several_runs_end_on_one_connection_and_a_killed_gateway_costs_nothing(
    page: Page, site: Site, watched: WatchedPage
) -> None:
    watched.expected = ("ERR_", "Failed to load")
    ask = {"task": "summarise", "text": TEXT, "provider": "local-extractive"}
    runs = [
        page.evaluate(START, {"key": site.api_key, "input": ask, "runId": f"client-{number}"})
        for number in range(2)
    ]
    page.evaluate(WATCH, {"key": site.api_key, "runs": runs})
    site.kill_gateway()
    page.wait_for_function("window.received.states.at(-1) === 'ended'", timeout=60_000)
    received = page.evaluate("window.received")
    assert sorted(received["ended"]) == runs
    for run in runs:
        # None of a run that had ended before the page was connected: its snapshot has them.
        numbers = received["events"].get(run, [])
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)) if numbers else [])
    # Both runs may have ended before the kill, whose restart is not to meet the next test.
    until_ready(page, site)


def test_a_connection_lost_between_the_last_event_and_the_end_is_an_end_too(
    page: Page, site: Site, watched: WatchedPage
) -> None:
    watched.expected = ("ERR_", "Failed to load")
    ask = {"task": "summarise", "text": TEXT, "provider": "local-extractive"}
    run = page.evaluate(START, {"key": site.api_key, "input": ask, "runId": "client-cut"})
    page.evaluate(WATCH, {"key": site.api_key, "runs": [run]})
    page.wait_for_function("window.received.states.at(-1) === 'ended'", timeout=60_000)

    def cut(route: Route) -> None:
        route.fulfill(response=(answered := route.fetch()), body=answered.text().partition("event: end")[0])

    statuses: list[int] = []
    page.on(
        "response", lambda response: statuses.append(response.status) if "/stream?" in response.url else None
    )
    page.route("**/stream?*", cut, times=1)
    page.evaluate(WATCH, {"key": site.api_key, "runs": [run]})
    page.wait_for_function("window.received.states.at(-1) === 'ended'", timeout=30_000)
    received = page.evaluate("window.received")
    # The browser reconnects with its last id, gets 204 and stops; the module then checks once why.
    assert statuses == [200, 204, 204]
    assert (received["ended"], received["states"]) == ([run], ["connecting", "live", "waiting", "ended"])


def test_decide_and_cancel_report_why_they_fail(page: Page, site: Site, watched: WatchedPage) -> None:
    watched.expected = ("404",)
    codes = page.evaluate(
        """async (key) => {
          const { Signalbox } = await import("/client/signalbox.js");
          const signalbox = new Signalbox({ apiKey: key });
          const codeOf = (asked) => asked.then(() => "accepted", (error) => `${error.status} ${error.code}`);
          const decided = await codeOf(signalbox.decide("none-1", "word", {}));
          return [decided, await codeOf(signalbox.cancel("none-1", "why not"))];
        }""",
        site.api_key,
    )
    assert codes == ["404 unknown_run", "404 unknown_run"]
