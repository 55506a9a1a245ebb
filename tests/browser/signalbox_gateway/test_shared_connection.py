"""All tabs of a browser share one stream connection; nothing is lost or repeated when its leader closes."""

import os
from collections.abc import Iterator
from itertools import count

import pytest
from playwright.sync_api import Browser, Page

from support.drivers.browser import Site
from support.drivers.kit_tabs import KitTabs, received, until_received
from support.drivers.run_writer import RunWriter

LOCK = """async () => {
  const { held } = await navigator.locks.query();
  return held.map((lock) => lock.name).find((name) => name.split(" ").length === 2);
}"""
HOLD = """(name) => {
  navigator.locks.request(name, () => { window.holds = true; return new Promise(() => {}); });
}"""
NUMBERS = count(1)
# 50 tabs and 50 runs take minutes on two cores.
TABS = int(os.environ.get("SIGNALBOX_KIT_TABS", "6"))
RUNS = int(os.environ.get("SIGNALBOX_KIT_RUNS", "6"))


@pytest.fixture
def writer(site: Site) -> RunWriter:
    return RunWriter(site.redis_url)


@pytest.fixture
def tabs(browser: Browser, site: Site) -> Iterator[KitTabs]:
    with browser.new_context() as context:
        context.set_default_timeout(60_000)
        yield KitTabs(context, site)


def new_runs(writer: RunWriter, how_many: int) -> list[str]:
    runs = [f"kit-{next(NUMBERS)}" for _ in range(how_many)]
    writer.start(*runs)
    return runs


def sign_in(page: Page, site: Site) -> None:
    answer = page.request.post(f"{site.origin}/v1/sessions", data={"api_key": site.api_key})
    assert answer.status == 201


@pytest.mark.timeout(300 + 20 * TABS)
def test_tabs_share_one_connection_and_lose_nothing_when_the_leader_closes(
    tabs: KitTabs, site: Site, writer: RunWriter
) -> None:
    runs = new_runs(writer, RUNS)
    pages = [tabs.open(runs, key=site.api_key, history=True) for _ in range(TABS)]
    tabs.until_streams(pages[0], 1)
    for page in pages:
        assert page.evaluate("async () => (await window.signalbox.approvals()).length >= 0")

    with writer.writing(runs):
        until_received(pages[-1], runs[-1], 5)
        leaders = pages[:3]
        for leader in leaders:
            leader.close()
            follower = pages[-1]
            seen = received(follower, runs[0])[-1]
            until_received(follower, runs[0], seen + 5)
        tabs.until_streams(pages[-1], 1)
    writer.end(*runs)

    for page in pages[3:]:
        page.wait_for_function("window.seen.states.at(-1) === 'ended'")
        for run_id in runs:
            assert received(page, run_id) == list(range(1, writer.top[run_id] + 1))
        seen = page.evaluate("window.seen")
        assert sorted(seen["ended"]) == sorted(runs)
        assert (seen["snapshots"], seen["resets"]) == (dict.fromkeys(runs, 1), [])


@pytest.mark.timeout(300)
def test_a_later_tab_gets_snapshot_and_history_while_the_others_miss_nothing(
    tabs: KitTabs, site: Site, writer: RunWriter
) -> None:
    shared, other = new_runs(writer, 2)
    writer.add(shared, 5)
    first = tabs.open([shared], key=site.api_key, history=True)
    with writer.writing([shared, other]):
        until_received(first, shared, 10)
        second = tabs.open([shared, other], key=site.api_key, history=True)
        third = tabs.open([shared], key=site.api_key)
        until_received(second, shared, received(first, shared)[-1] + 5)
        fourth = tabs.open([shared], key=site.api_key, **{"from": "latest"})
        until_received(fourth, shared, received(first, shared)[-1] + 5)
    writer.end(shared, other)
    for page in (first, second, third, fourth):
        page.wait_for_function("window.seen.states.at(-1) === 'ended'")
    last = writer.top[shared]
    assert received(first, shared) == received(second, shared) == list(range(1, last + 1))
    for page in (third, fourth):
        numbers = received(page, shared)
        assert numbers == list(range(numbers[0], last + 1))
        assert numbers[0] > 1
    snapshots = [page.evaluate("window.seen.snapshots") for page in (first, second, third, fourth)]
    assert snapshots == [{shared: 1}, {shared: 1, other: 1}, {shared: 1}, {}]


@pytest.mark.timeout(300)
def test_all_runs_and_single_runs_share_the_connection(tabs: KitTabs, site: Site, writer: RunWriter) -> None:
    (known,) = new_runs(writer, 1)
    first = tabs.open([known], key=site.api_key)
    sign_in(first, site)
    first.close()
    leader = tabs.open(None)
    feeds = [tabs.open(None), tabs.open(None)]
    single = tabs.open([known], history=True)
    for feed in (leader, *feeds):
        feed.wait_for_function("(run) => window.seen.snapshots[run] === 1", arg=known)
    tabs.until_streams(single, 1)
    (during,) = new_runs(writer, 1)
    with writer.writing([known, during]):
        for feed in feeds:
            until_received(feed, during, 3)
        leader.close()
        (after,) = new_runs(writer, 1)
        seen = received(feeds[0], known)[-1]
        for feed in feeds:
            until_received(feed, known, seen + 5)
    writer.end(known, during, after)
    single.wait_for_function("window.seen.states.at(-1) === 'ended'")
    assert received(single, known) == list(range(1, writer.top[known] + 1))
    for feed in feeds:
        feed.wait_for_function("(runs) => runs.every((run) => window.seen.ended.includes(run))", arg=[after])
        for run_id in (during, after):
            assert received(feed, run_id) == list(range(1, writer.top[run_id] + 1))
        numbers = received(feed, known)
        assert numbers == list(range(numbers[0], writer.top[known] + 1))
    tabs.until_streams(feeds[0], 1)


@pytest.mark.timeout(300)
def test_a_reload_continues_after_the_last_event(tabs: KitTabs, site: Site, writer: RunWriter) -> None:
    (run_id,) = new_runs(writer, 1)
    writer.add(run_id, 3)
    page = tabs.open([run_id], key=site.api_key, history=True, resume="mine")
    until_received(page, run_id, 4)
    page.reload()
    writer.add(run_id, 2)
    tabs.watch(page, [run_id], key=site.api_key, history=True, resume="mine")
    until_received(page, run_id, 6)
    assert received(page, run_id) == [5, 6]
    assert page.evaluate("window.seen.snapshots") == {}


@pytest.mark.timeout(300)
def test_without_web_locks_each_tab_has_its_own_connection(
    browser: Browser, site: Site, writer: RunWriter
) -> None:
    (run_id,) = new_runs(writer, 1)
    with browser.new_context() as context:
        context.set_default_timeout(60_000)
        context.add_init_script("Object.defineProperty(navigator, 'locks', { value: undefined })")
        tabs = KitTabs(context, site)
        pages = [tabs.open([run_id], key=site.api_key, history=True) for _ in range(2)]
        tabs.until_streams(pages[0], 2)
        writer.add(run_id, 2)
        for page in pages:
            until_received(page, run_id, 3)
            assert received(page, run_id) == [1, 2, 3]


@pytest.mark.timeout(300)
def test_an_unknown_run_does_not_disturb_the_other_tabs(tabs: KitTabs, site: Site, writer: RunWriter) -> None:
    (run_id,) = new_runs(writer, 1)
    page = tabs.open([run_id], key=site.api_key, history=True)
    wrong = page.context.new_page()
    wrong.goto(f"{site.origin}/kit.html")
    wrong.evaluate(
        """async ({ origin, key }) => {
          const { Signalbox } = await import(`${origin}/client/signalbox.js`);
          window.failed = new Promise((resolve) => {
            new Signalbox({ apiKey: key }).watch("kit-unknown", { error: (error) => resolve(error.status) });
          });
        }""",
        {"origin": site.origin, "key": site.api_key},
    )
    assert 400 <= wrong.evaluate("window.failed") < 500
    writer.add(run_id, 2)
    until_received(page, run_id, 3)
    assert received(page, run_id) == [1, 2, 3]
    assert page.evaluate("window.seen.errors") == []


@pytest.mark.timeout(300)
def test_a_leader_that_does_not_respond_is_replaced(tabs: KitTabs, site: Site, writer: RunWriter) -> None:
    (run_id,) = new_runs(writer, 1)
    leader = tabs.open([run_id], key=site.api_key)
    name = leader.evaluate(LOCK)
    mute = leader.context.new_page()
    mute.goto(f"{site.origin}/kit.html")
    mute.evaluate(HOLD, name)
    follower = leader.context.new_page()
    follower.clock.install()
    follower.goto(f"{site.origin}/kit.html")
    tabs.watch(follower, [run_id], key=site.api_key)
    leader.close()
    mute.wait_for_function("window.holds")
    follower.clock.fast_forward(31_000)
    follower.clock.fast_forward(4_000)
    tabs.until_streams(follower, 1)
    writer.add(run_id, 2)
    until_received(follower, run_id, 3)
    assert received(follower, run_id) == [2, 3]
