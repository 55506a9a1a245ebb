"""What a page shows after a failure, or after somebody else acted, is true again without a reload."""

from collections.abc import Mapping

import pytest
from playwright.sync_api import Page, Request, Route, expect

from support.drivers.console_api import API, ConsoleApi, HeldRoutes

QUESTION: Mapping[str, object] = {
    "approval_id": "word",
    "name": "word",
    "title": "Which word?",
    "status": "pending",
    "digest": "digest-word",
    "answer_schema": {"type": "object", "properties": {"text": {"type": "string", "title": "Text"}}},
    "options": None,
    "evidence": None,
    "requested_at": "2026-03-01T09:30:00Z",
    "deadline_at": None,
    "step": "ask",
    "votes": [],
    "decisions": [],
}
RUN: Mapping[str, object] = {
    "run_id": "run-9",
    "title": "Echo",
    "pipeline": "echo",
    "status": "failed",
    "approvals": [],
    "artifacts": [],
    "steps": [],
}
CONTINUATION = """async () => {
    const { Continuation } = await import("/console/js/data/continuation.js");
    window.continued = 0;
    window.look = new Continuation("run-9", () => { window.continued += 1; });
}"""
LOOK_MS = 10_100
SHOW_QUESTION = """async () => {
    const { Question } = await import("/console/js/inbox/question.js");
    const item = { run_id: "run-9", approval_id: "word" };
    window.question = new Question(item, { decided: () => {}, back: "#/inbox" });
    document.body.append(window.question.element);
    window.question.load();
}"""
SEARCH = """async () => {
    const { SearchField } = await import("/console/js/runs/search-field.js");
    window.searched = [];
    window.field = new SearchField({ known: () => ({}), changed: (text) => window.searched.push(text) });
    document.body.append(window.field.element);
}"""


class CountedReads:
    """Answers reads of the run with what is set, and counts them."""

    def __init__(self, run: Mapping[str, object]) -> None:
        self.run = run
        self.count = 0

    def __call__(self, route: Route, _: Request) -> None:
        self.count += 1
        route.fulfill(json=self.run)


@pytest.fixture(scope="module", autouse=True)
def clock(modules: Page) -> None:
    """Time passes when a test lets it."""
    modules.clock.install()


def look_again(page: Page) -> None:
    with page.expect_response(f"{API}runs/run-9") as response:
        page.clock.run_for(LOOK_MS)
    response.value.finished()
    # A later response is handled after it.
    page.evaluate("fetch('/').then((response) => response.text())")


def test_a_run_that_somebody_retries_after_its_end_is_noticed_once(
    modules: Page, gateway: ConsoleApi
) -> None:
    reads = CountedReads(RUN)
    gateway.handlers["GET runs/run-9"] = reads
    modules.evaluate(CONTINUATION)
    modules.evaluate("look.update({ status: 'failed' })")
    look_again(modules)
    assert modules.evaluate("continued") == 0

    reads.run = {**RUN, "status": "running"}
    look_again(modules)
    modules.wait_for_function("continued === 1")
    modules.clock.run_for(5 * LOOK_MS)
    assert (modules.evaluate("continued"), reads.count) == (1, 2)


def test_a_run_that_was_retried_and_failed_again_is_noticed_too(modules: Page, gateway: ConsoleApi) -> None:
    reads = CountedReads(RUN)
    gateway.handlers["GET runs/run-9"] = reads
    modules.evaluate(CONTINUATION)
    modules.evaluate("look.update({ status: 'failed' })")
    look_again(modules)
    reads.run = {**RUN, "retried_at": "2026-03-01T10:00:00Z"}
    look_again(modules)

    modules.wait_for_function("continued === 1")


def test_a_retry_that_ended_before_the_first_look_is_noticed(modules: Page, gateway: ConsoleApi) -> None:
    """The page shows the end of the first retry, and the run has ended once more since."""
    shown = {**RUN, "retried_at": "2026-03-01T10:00:00Z"}
    reads = CountedReads({**shown, "retried_at": "2026-03-01T10:00:00.000000+00:00"})
    gateway.handlers["GET runs/run-9"] = reads
    modules.evaluate(CONTINUATION)
    modules.evaluate("(shown) => look.update(shown)", shown)
    look_again(modules)
    assert modules.evaluate("continued") == 0

    modules.evaluate("(shown) => { look.close(); look.update(shown); }", shown)
    reads.run = {**RUN, "retried_at": "2026-03-01T10:00:05Z"}
    look_again(modules)
    modules.wait_for_function("continued === 1")


def test_nothing_is_read_of_a_run_that_is_open_or_whose_page_was_left(
    modules: Page, gateway: ConsoleApi
) -> None:
    reads = CountedReads(RUN)
    gateway.handlers["GET runs/run-9"] = reads
    modules.evaluate(CONTINUATION)
    modules.evaluate("look.update({ status: 'running' })")
    modules.clock.run_for(LOOK_MS)
    modules.evaluate("() => { look.update({ status: 'failed' }); look.close(); }")
    modules.clock.run_for(LOOK_MS)
    assert reads.count == 0


def test_a_question_that_could_not_be_loaded_is_loaded_on_demand_or_with_the_inbox(
    modules: Page, gateway: ConsoleApi
) -> None:
    away = {"code": "unavailable", "status": 503, "detail": "Redis does not respond."}
    gateway.give("GET runs/run-9/approvals/word", away, 503)
    gateway.give("GET runs/run-9", RUN)
    modules.evaluate(SHOW_QUESTION)
    expect(modules.get_by_text("Redis does not respond.")).to_be_visible()
    modules.get_by_role("button", name="Try again").click()
    expect(modules.get_by_text("Redis does not respond.")).to_be_visible()

    gateway.give("GET runs/run-9/approvals/word", QUESTION)
    modules.evaluate("question.reload()")  # as a change of the inbox does
    expect(modules.get_by_role("heading", name="Which word?")).to_be_visible()
    expect(modules.get_by_text("Redis does not respond.")).to_have_count(0)
    modules.evaluate("question.close()")


def test_a_late_inbox_does_not_bring_back_what_was_decided(modules: Page, gateway: ConsoleApi) -> None:
    held = HeldRoutes()
    gateway.handlers["GET approvals?status=pending"] = held
    modules.evaluate(
        """async () => {
            const { InboxWatch } = await import("/console/js/data/inbox-watch.js");
            window.totals = [];
            const changed = (_, total) => window.totals.push(total);
            window.inbox = new InboxWatch({ changed, arrived: () => {} });
            window.first = window.inbox.load();
            window.second = window.inbox.load();
        }"""
    )
    first, second = held.until(modules, 2)
    entry = {"run_id": "run-9", "approval_id": "word", "requested_at": "2026-03-01T09:30:00Z"}
    second.fulfill(json={"approvals": [], "total": 0})
    modules.evaluate("second")
    first.fulfill(json={"approvals": [entry], "total": 1})
    modules.evaluate("first")

    assert modules.evaluate("[inbox.total, inbox.approvals.length, totals.at(-1) ?? 0]") == [0, 0, 0]


def test_the_inbox_has_the_questions_of_all_pages_and_announces_none_of_them_as_new(
    modules: Page, gateway: ConsoleApi
) -> None:
    entries = [
        {"run_id": f"run-{number}", "approval_id": "word", "requested_at": "2026-03-01T09:30:00Z"}
        for number in range(3)
    ]
    first = {"approvals": entries[:2], "next_cursor": "two", "total": 3}
    gateway.give("GET approvals?status=pending", first)
    gateway.give(
        "GET approvals?status=pending&cursor=two", {"approvals": entries[2:], "next_cursor": None, "total": 3}
    )
    found = modules.evaluate(
        """async () => {
            const { InboxWatch } = await import("/console/js/data/inbox-watch.js");
            const arrived = [];
            const inbox = new InboxWatch({ changed: () => {}, arrived: (more) => arrived.push(...more) });
            const counts = [];
            const load = async () => counts.push((await inbox.load()).length);
            await load();
            const ends = [inbox.readWhole(), inbox.readWhole()];
            await load();
            for (const end of [ends[0], ends[0], ends[1]]) {   // the second reader remains
                end();
                await load();
            }
            return [counts, inbox.total, arrived];
        }"""
    )
    assert found == [[2, 3, 3, 3, 2], 3, []]


def test_a_new_question_is_announced_however_many_are_open_and_each_once(
    modules: Page, gateway: ConsoleApi
) -> None:
    """Pages of two, of which the console reads the first, and from the last one on."""

    def give(*numbers: int) -> None:
        entries = [
            {
                "run_id": f"run-{number}",
                "approval_id": "word",
                "requested_at": f"2026-03-01T09:{number:02}:00Z",
            }
            for number in numbers
        ]
        for cursor in range(max(numbers)):
            page = [entry for number, entry in zip(numbers, entries, strict=True) if number > cursor]
            more = f"{page[1]['run_id'].removeprefix('run-')}" if len(page) > 2 else None
            reply = {"approvals": page[:2], "next_cursor": more, "total": len(numbers)}
            place = f"&cursor={cursor}" if cursor else ""
            gateway.give(f"GET approvals?status=pending{place}", reply)

    def load() -> object:
        modules.evaluate("inbox.load()")
        return modules.evaluate("arrived.splice(0)")

    give(*range(1, 20))
    modules.evaluate(
        """async () => {
            const { InboxWatch } = await import("/console/js/data/inbox-watch.js");
            window.arrived = [];
            const arrive = (more) => window.arrived.push(...more.map((item) => item.run_id));
            window.inbox = new InboxWatch({ changed: () => {}, arrived: arrive });
        }"""
    )
    assert load() == []  # reads six pages of ten
    assert load() == []
    give(*range(1, 21))
    assert load() == ["run-20"]
    give(*range(5, 21))  # others move up from pages that are not read
    assert load() == []
    give(*range(5, 26))
    assert load() == [f"run-{number}" for number in range(21, 26)]
    give(24, 25, 26)
    assert load() == ["run-26"]
    give(23, 24, 25, 26)  # a late one, of which all others are known
    assert load() == ["run-23"]


def test_an_inbox_whose_later_page_is_refused_is_read_from_its_first_page_again(
    modules: Page, gateway: ConsoleApi
) -> None:
    entry = {"run_id": "run-1", "approval_id": "word", "requested_at": "2026-03-01T09:01:00Z"}
    first = {"approvals": [entry], "total": 2}
    last = {"approvals": [{**entry, "run_id": "run-2"}], "next_cursor": None, "total": 2}
    gateway.give("GET approvals?status=pending", {**first, "next_cursor": "one"})
    gateway.give("GET approvals?status=pending&cursor=one", {**last, "approvals": [], "next_cursor": "two"})
    gateway.give("GET approvals?status=pending&cursor=two", last)
    modules.evaluate(
        """async () => {
            const { InboxWatch } = await import("/console/js/data/inbox-watch.js");
            window.inbox = new InboxWatch({ changed: () => {}, arrived: () => {} });
            window.load = () => inbox.load().then((found) => found.length, () => "failed");
        }"""
    )
    assert modules.evaluate("load()") == 1

    gateway.give("GET approvals?status=pending", {**first, "next_cursor": "three"})
    gateway.give("GET approvals?status=pending&cursor=three", last)
    gateway.give("GET approvals?status=pending&cursor=two", {"status": 422, "detail": "forged"}, status=422)
    assert modules.evaluate("load()") == "failed"
    assert modules.evaluate("load()") == 1


def test_a_stream_that_is_refused_for_good_is_not_shown_as_the_end_of_the_run(
    modules: Page, gateway: ConsoleApi
) -> None:
    found = modules.evaluate(
        """async () => {
            const { linkState } = await import("/console/js/data/stream.js");
            const { LinkState } = await import("/console/js/ui/link-state.js");
            const link = new LinkState();
            return [["closed"], ["ended"], ["waiting", "silent"]].map((given) => {
                link.set(linkState(...given));
                return link.element.textContent;
            });
        }"""
    )
    assert found == ["Not live: reload the page", "Ended", "No data for 30 s, reconnecting"]


def test_the_system_page_names_what_does_not_respond_when_the_gateway_is_not_ready(
    modules: Page, gateway: ConsoleApi
) -> None:
    gateway.give("GET destinations", {"destinations": []})
    redis = {"ok": False, "detail": "no response within 2 s"}
    state = {
        "ready": False,
        "status": "unavailable",
        "temporal_available": True,
        "dependencies": {"redis": redis, "temporal": {"ok": True}},
        "warnings": [],
    }
    modules.route("http://console.test/readyz", lambda route: route.fulfill(status=503, json=state))
    modules.evaluate(
        """async () => {
            const { systemPage } = await import("/console/js/system/page.js");
            const page = await systemPage();
            document.body.append(page.element);
            page.close();
        }"""
    )
    modules.unroute("http://console.test/readyz")
    health = modules.get_by_role("region", name="Health")
    expect(health).to_contain_text("Not ready")
    expect(health).to_contain_text("Does not respond no response within 2 s")
    expect(health).to_contain_text("Responds")


def test_a_list_of_schedules_that_cannot_be_read_again_says_so(modules: Page, gateway: ConsoleApi) -> None:
    gateway.give("GET schedules", {"schedules": []})
    modules.evaluate(
        """async () => {
            const { schedulesPage } = await import("/console/js/schedules/page.js");
            window.page = await schedulesPage();
            document.body.append(window.page.element);
        }"""
    )
    expect(modules.get_by_text("No schedules yet.", exact=False)).to_be_visible()
    gateway.give("GET schedules", {"code": "x", "status": 503, "detail": "Temporal does not respond."}, 503)
    modules.clock.run_for(15_100)
    expect(modules.get_by_text("Temporal does not respond.")).to_be_visible()
    gateway.give("GET schedules", {"schedules": []})
    modules.clock.run_for(15_100)
    expect(modules.get_by_text("Temporal does not respond.")).to_have_count(0)
    modules.evaluate("page.close()")


def test_what_is_typed_into_the_search_is_not_searched_for_after_the_page_was_left(
    modules: Page, gateway: ConsoleApi
) -> None:
    modules.evaluate(SEARCH)
    field = modules.get_by_role("combobox", name="Search runs")
    field.fill("coffee")
    modules.clock.run_for(300)
    field.fill("tea")
    modules.evaluate("field.close()")
    modules.clock.run_for(300)
    assert modules.evaluate("searched") == ["coffee"]


def test_the_search_field_shows_the_search_of_the_address_although_it_has_the_focus(
    modules: Page, gateway: ConsoleApi
) -> None:
    modules.evaluate(SEARCH)
    field = modules.get_by_role("combobox", name="Search runs")
    field.fill("status:failed")
    field.press("Enter")
    modules.evaluate("() => { field.text = 'status:running'; }")  # as Back does
    expect(field).to_have_value("status:running")


def test_a_run_waits_for_a_person_although_its_question_is_not_on_the_first_page_of_the_inbox(
    modules: Page, gateway: ConsoleApi
) -> None:
    found = modules.evaluate(
        """async () => {
            const { OpenRuns, withWaits } = await import("/console/js/runs/open-runs.js");
            const { RunListing } = await import("/console/js/runs/listing.js");
            const { parseQuery } = await import("/console/js/runs/query.js");
            const { listState } = await import("/console/js/data/run-state.js");
            const started_at = "2026-03-01T09:00:00Z";
            const listed = { run_id: "run-9", pipeline: "echo", status: "running", started_at };
            const read = async () => ({ runs: withWaits([listed], []), next_cursor: null });
            const listing = new RunListing(parseQuery("status:waiting"), read);
            await listing.load();
            const open = new OpenRuns();
            const states = [listing.shown().length];
            for (const status of ["pending", "pending", "decided"]) {
                const approvals = [{ status, deadline_at: "2026-03-02T09:00:00Z" }];
                const steps = [{ status: "completed" }, { status: "running", percent: 50 }];
                const wait = open.take({ run_id: "run-9", steps, approvals });
                if (wait) listing.report("run-9", wait);
                listing.showNew();
                const shown = listing.shown().map((run) => [listState(run).text, run.until]);
                states.push([Boolean(wait), ...shown]);
            }
            const steps = open.progressOf("run-9");
            open.take({ run_id: "run-9", steps: [], approvals: [{ status: "pending", deadline_at: null }] });
            const searched = new RunListing(parseQuery("run-9"), read);   // another search
            for (const [runId, wait] of open.waits()) searched.report(runId, wait);
            await searched.load();
            states.push(searched.shown().map((run) => listState(run).text));
            return [states, steps, open.progressOf("run-8")];
        }"""
    )
    waiting = ["Waiting for a person", "2026-03-02T09:00:00Z"]
    assert found == [
        [0, [True, waiting], [False, waiting], [True], ["Waiting for a person"]],
        {"done": 1, "total": 2, "percent": 75},
        None,
    ]


def test_a_decision_link_whose_question_could_not_be_loaded_is_tried_again(
    modules: Page, gateway: ConsoleApi
) -> None:
    away = {"code": "unavailable", "status": 503, "detail": "Redis does not respond."}
    gateway.give("POST links/question", away, 503)
    modules.evaluate(
        """async () => {
            document.body.append(Object.assign(document.createElement("main"), { id: "main" }));
            history.replaceState(null, "", "#token");
            await import("/console/js/link/page.js");
        }"""
    )
    expect(modules.get_by_text("Redis does not respond.")).to_be_visible()
    used = {"code": "link_used", "status": 409, "detail": "this link has already been used"}
    gateway.give("POST links/question", used, 409)
    modules.get_by_role("button", name="Try again").click()
    expect(modules.get_by_role("heading", name="This link was used")).to_be_visible()
    expect(modules.get_by_role("button", name="Try again")).to_have_count(0)
    # The page of a link is loaded again when its fragment changes; this one is the last of its module.
    modules.evaluate("history.replaceState(null, '', location.pathname)")
