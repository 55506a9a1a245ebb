"""What hooks and elements show when reads of the gateway fail, are late, or are refused for good."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route

from signalbox_gateway.web import CLIENT
from support.drivers.browser import WITHIN_MS

# Web Locks need a secure context.
ORIGIN = "https://kit.test"
# A client whose reads a test answers: `reads` holds those in flight, in the order of their begin.
FAKE = """async () => {
    const { SignalboxError } = await import("/client/signalbox.js");
    window.reads = [];
    const read = () => new Promise((resolve, reject) => {
        reads.push({ give: resolve, fail: (status) => reject(new SignalboxError({ status })) });
    });
    const follow = (handlers) => { window.on = handlers; return { close() {} }; };
    window.fake = {
        run: read, approvals: read,
        watch: (_runs, handlers) => follow(handlers), watchAll: (handlers) => follow(handlers),
    };
    const rest = { run_id: "run-1", epoch: "e", approvals: [], steps: [] };
    window.run = (status, sequence) => ({ ...rest, status, sequence });
}"""
RUNS = """async () => {
    const { RunsStore } = await import("/client/state/runs-store.js");
    window.store = new RunsStore(fake, ["run-1"]);
    window.stop = store.subscribe(() => {});
    on.snapshot(run("running", 1));
}"""
INBOX = """async () => {
    const { InboxStore } = await import("/client/state/inbox-store.js");
    window.store = new InboxStore(fake);
    window.stop = store.subscribe(() => {});
}"""
WATCH_ALL = """async () => {
    const { Watch } = await import("/client/watch.js");
    const { ALL } = await import("/client/run-streams.js");
    window.told = [];
    const on = {
        snapshot: ({ run_id: id, epoch }) => told.push(`snapshot ${id} ${epoch}`),
        event: ({ type }) => told.push(type), end: (id) => told.push(`end ${id}`),
    };
    const options = { history: false, from: "snapshot", resume: "" };
    window.watch = new Watch({ open() {}, drop() {}, resync() {} }, [ALL], on, options);
    watch.open();
}"""
TITLES = "store.state.approvals.map(({ title }) => title)"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    def give(route: Route) -> None:
        path = route.request.url.removeprefix(f"{ORIGIN}/")
        if path.startswith("client/"):
            route.fulfill(path=CLIENT / path.removeprefix("client/"))
        else:
            route.fulfill(body="<!doctype html><title>kit</title>", content_type="text/html")

    with browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.route(f"{ORIGIN}/**", give)
        page.clock.install(time=0)
        page.goto(ORIGIN)
        # Time passes when a test lets it: else a busy machine would.
        page.clock.pause_at(60_000)
        page.evaluate(FAKE)
        yield page


def answer_next(page: Page, expression: str, *, after_ms: int) -> None:
    """Let time pass, and answer the read that begins meanwhile."""
    page.clock.run_for(after_ms)
    page.wait_for_function("reads.length === 1")
    page.evaluate(f"() => {{ reads.shift().{expression}; }}")


def test_the_end_of_a_run_shows_although_the_read_after_it_fails(page: Page) -> None:
    page.evaluate(RUNS)
    page.evaluate("on.end('run-1')")
    answer_next(page, "fail(503)", after_ms=200)
    page.wait_for_function("store.state.error?.status === 503")
    answer_next(page, "fail(0)", after_ms=1_100)
    page.wait_for_function("store.state.error?.status === 0")
    answer_next(page, "give(run('completed', 9))", after_ms=2_100)

    page.wait_for_function("store.state.runs['run-1'].status === 'completed'")
    assert page.evaluate("store.state.error") is None


def test_a_read_that_is_refused_is_not_repeated_and_none_begins_after_the_end(page: Page) -> None:
    page.evaluate(RUNS)
    page.evaluate("on.event({ runid: 'run-1' })")
    answer_next(page, "fail(404)", after_ms=200)
    page.wait_for_function("store.state.error?.status === 404")
    page.clock.run_for(60_000)
    assert page.evaluate("reads.length") == 0

    page.evaluate("on.event({ runid: 'run-1' })")
    answer_next(page, "fail(503)", after_ms=200)
    page.wait_for_function("store.state.error?.status === 503")
    page.evaluate("stop()")
    page.clock.run_for(60_000)
    assert page.evaluate("reads.length") == 0


def test_an_event_is_shown_at_once_although_a_later_retry_is_planned(page: Page) -> None:
    page.evaluate(RUNS)
    page.evaluate("on.event({ runid: 'run-1' })")
    for wait_ms in (200, 1_100, 2_100, 5_100):
        answer_next(page, "fail(503)", after_ms=wait_ms)
        page.wait_for_function("reads.length === 0 && store.state.error?.status === 503")
        page.evaluate("store.state = { ...store.state, error: null }")
    page.evaluate("on.event({ runid: 'run-1' })")
    page.clock.run_for(500)
    assert page.evaluate("reads.length") == 0
    answer_next(page, "give(run('completed', 9))", after_ms=600)
    page.wait_for_function("store.state.runs['run-1'].status === 'completed'")
    page.clock.run_for(60_000)
    assert page.evaluate("reads.length") == 0


def test_an_inbox_whose_stream_is_refused_is_read_at_intervals(page: Page) -> None:
    page.evaluate(INBOX)
    answer_next(page, "give([{ title: 'One' }])", after_ms=0)
    page.wait_for_function(f"{TITLES}.join() === 'One'")
    page.evaluate("on.state('closed')")
    answer_next(page, "give([{ title: 'Two' }])", after_ms=15_100)
    page.wait_for_function(f"{TITLES}.join() === 'Two'")
    answer_next(page, "fail(503)", after_ms=15_100)
    page.wait_for_function("store.state.error?.status === 503")
    answer_next(page, "give([])", after_ms=15_100)
    page.wait_for_function("store.state.approvals.length === 0 && store.state.error === null")


def test_a_late_inbox_does_not_replace_a_newer_one(page: Page) -> None:
    page.evaluate(INBOX)
    page.wait_for_function("reads.length === 1")
    page.evaluate("on.event({ type: 'dev.signalbox.approval.decided.v1' })")
    page.clock.run_for(300)
    page.wait_for_function("reads.length === 2")
    page.evaluate("() => { reads[1].give([]); }")
    page.wait_for_function("store.state.isLoaded")
    page.evaluate(
        "async () => { reads[0].give([{ title: 'Decided' }]); await null; await null; await null; }"
    )

    assert page.evaluate(TITLES) == []


def test_the_leader_waits_once_for_the_end_of_a_tab_however_many_runs_it_adds(page: Page) -> None:
    waiting = page.evaluate(
        """async () => {
            const { Membership } = await import("/client/leader-election.js");
            const transport = { address: () => new Promise(() => {}) };
            const leader = new Membership(transport, { needs: () => [], message: () => {} });
            await leader.join(async () => "kit");
            while ((await navigator.locks.query()).held.every(({ name }) => name !== "kit"));
            let replied;
            const reply = new Promise((resolve) => { replied = resolve; });
            const message = ({ alive }) => alive && replied();
            const other = new Membership(transport, { needs: () => [], message });
            await other.join(async () => "kit");
            for (let index = 0; index < 20; index += 1) other.send({ add: [[`run-${index}`, null, false]] });
            other.send({ ask: true });
            await reply;   // the leader has taken in what came before
            const { pending } = await navigator.locks.query();
            leader.leave();
            other.leave();
            return pending.filter(({ name }) => name.startsWith("kit ")).length;
        }"""
    )
    assert waiting == 1


def test_a_run_that_is_retried_after_its_end_is_followed_again(page: Page) -> None:
    page.evaluate(WATCH_ALL)
    page.evaluate("""() => {
        watch.onFrame("snapshot", { ...run("running", 2), epoch: "first" }, "first:0");
        watch.onFrame("event", { runid: "run-1", sequence: 3, type: "run.failed" }, null);
        watch.onFrame("end", { runid: "run-1" }, null);
        // A connection that is replaced delivers the end of the run once more.
        watch.onFrame("snapshot", { ...run("failed", 3), epoch: "first" }, "first:0");
        watch.onFrame("event", { runid: "run-1", sequence: 3, type: "run.failed" }, null);
        watch.onFrame("snapshot", { ...run("running", 90), epoch: "second" }, "second:90");
        watch.onFrame("event", { runid: "run-1", sequence: 91, type: "approval.requested" }, null);
    }""")
    assert page.evaluate("told") == [
        "snapshot run-1 first",
        "run.failed",
        "end run-1",
        "snapshot run-1 second",
        "approval.requested",
    ]
