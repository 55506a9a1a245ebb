"""100,000 runs, 100,000 events, a text of a megabyte: the document and the requests stay bounded.

The duration of the page's tasks depends on the machine: it is recorded, not asserted.
"""

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from support.drivers.browser import record

COUNT: Final = 100_000
STYLES: Final = """async (names) => {
    document.body.replaceChildren();
    for (const name of names) {
        const link = document.createElement("link");
        Object.assign(link, { rel: "stylesheet", href: `/console/css/${name}.css` });
        await new Promise((done) => { link.onload = done; document.head.append(link); });
    }
}"""
LONG_TASKS: Final = """() => {
    window.tasks = [];
    new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map(({ duration }) => duration)))
        .observe({ type: "longtask" });
}"""
LISTING: Final = """async (count) => {
    const { RunListing } = await import("/console/js/runs/listing.js");
    const { parseQuery } = await import("/console/js/runs/query.js");
    const { VirtualRows } = await import("/console/js/ui/virtual-rows.js");
    window.reads = [];
    const run = (index) => ({
        run_id: `run-${index}`, pipeline: "echo", status: "completed",
        started_at: new Date(1767225600000 - index * 1000).toISOString(), ended_at: "2026-03-01T10:30:00Z",
    });
    window.listing = new RunListing(parseQuery(""), async ({ limit, cursor = "0" }) => {
        window.reads.push(cursor);
        const [from, to] = [Number(cursor), Math.min(count, Number(cursor) + Number(limit))];
        const runs = Array.from({ length: to - from }, (_, index) => run(from + index));
        return { runs, next_cursor: to < count ? String(to) : null };
    });
    await window.listing.load();
    while (window.listing.hasMore) await window.listing.loadMore();
    const list = document.createElement("ol");
    list.className = "runs";
    document.body.append(list);
    window.rows = new VirtualRows({
        element: list, rowPx: () => 36, keyOf: (item) => item.run_id,
        create: (item) => {
            const element = Object.assign(document.createElement("li"), { className: "run-line" });
            element.textContent = item.run_id;
            return { element, update: () => {} };
        },
    });
    window.rows.show(window.listing.shown());
    return window.listing.readCount;
}"""


@pytest.fixture
def page(modules: Page) -> Page:
    modules.evaluate(STYLES, ["tokens", "base", "layout", "lists", "run"])
    modules.evaluate(LONG_TASKS)
    return modules


@pytest.fixture
def long_tasks(page: Page, request: pytest.FixtureRequest) -> Iterator[None]:
    """Records the number of long tasks and the 95th percentile of their durations, under test-results/."""
    yield
    tasks = sorted(page.evaluate("window.tasks"))
    p95_ms = round(tasks[int(len(tasks) * 0.95)]) if tasks else 0
    record(request.node.name, {"long_tasks": len(tasks), "p95_ms": p95_ms})


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("long_tasks")
def test_a_list_of_100_000_runs_scrolls_and_is_reloaded_in_four_requests(page: Page) -> None:
    assert page.evaluate(LISTING, COUNT) == COUNT
    page.evaluate("window.tasks.length = 0")
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator(".run-line").first).to_have_text("run-0")
    for place in (1_000, 50_000, 99_000):
        page.evaluate("top => scrollTo(0, top)", place * 36)
        expect(page.locator(".run-line", has_text=f"run-{place}").first).to_be_visible()
        assert page.locator(".run-line").count() <= 100
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(page.locator(".run-line").last).to_have_text(f"run-{COUNT - 1}")

    page.evaluate("window.reads.length = 0")
    page.evaluate("window.listing.reload()")
    assert page.evaluate("window.reads.length") == 4
    assert page.evaluate("window.listing.shown().length") == COUNT
    # What the stream reports is applied to the whole list.
    page.evaluate(
        "window.listing.report('run-99999', { status: 'failed', ended_at: '2026-03-02T10:30:00Z' })"
    )
    assert page.evaluate("window.listing.shown().at(-1).status") == "failed"
    page.evaluate("window.rows.close()")


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("long_tasks")
def test_a_log_of_100_000_events_scrolls_to_both_ends(page: Page) -> None:
    page.evaluate(
        """async (count) => {
            const { EventLog } = await import("/console/js/run/log.js");
            const log = new EventLog();
            document.body.append(log.element);
            for (let from = 1; from <= count; from += 500) {
                for (let number = from; number < from + 500; number += 1) log.add({
                    id: `run-1:${number}`, type: "dev.signalbox.page.read.v1",
                    time: new Date(1767225600000 + number * 1000).toISOString(),
                    runid: "run-1", sequence: number, data: { title: `Page ${number}` },
                });
                await new Promise((done) => setTimeout(done));
            }
        }""",
        COUNT,
    )
    log, lines = page.locator(".log"), page.locator(".log-line")
    expect(lines.first).to_have_attribute("aria-setsize", str(COUNT))
    expect(lines.first).to_contain_text(f"Page {COUNT}")
    assert lines.count() <= 60
    log.evaluate("log => { log.scrollTop = log.scrollHeight; }")
    expect(lines.last).to_contain_text("Page 1")
    assert lines.count() <= 60
    log.focus()
    page.keyboard.press("Home")
    expect(page.locator(".log-detail")).to_contain_text(f"Page {COUNT}")


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("long_tasks")
def test_live_text_of_a_megabyte_is_one_text_of_bounded_length(page: Page) -> None:
    """A worker sends the last 32,000 bytes of the text, and how much is before them."""
    longest = page.evaluate(
        """async () => {
            const { LiveText } = await import("/console/js/run/live-text.js");
            const live = new LiveText();
            document.body.append(live.element);
            const text = "Long text of a model. ".repeat(50000);
            let longest = 0;
            for (let end = 2000; end <= 1000000; end += 2000) {
                const offset = Math.max(0, end - 32000);
                live.update({ steps: [{
                    name: "write", title: "Write", status: "running",
                    text: text.slice(offset, end), text_offset: offset,
                }] });
                longest = Math.max(longest, live.element.textContent.length);
                await new Promise((done) => setTimeout(done));
            }
            return longest;
        }"""
    )
    assert longest <= 32_000 + len("Write… ")
    output = page.locator(".live-text")
    assert output.evaluate("output => output.childNodes.length") == 1
    at_end = "output => output.scrollTop + output.clientHeight > output.scrollHeight - 2"
    assert output.evaluate(at_end)
