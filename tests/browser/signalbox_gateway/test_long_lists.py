"""Long runs stay usable: steps are folded, and of the event log only the visible rows are in the document."""

from collections.abc import Mapping, Sequence
from typing import Final

import pytest
from playwright.sync_api import Page, expect

RATIO: Final = 15
ATTEMPTS: Final = 3
STEPS = """async (steps) => {
    document.body.replaceChildren();
    const { StepList } = await import("/console/js/run/steps.js");
    window.steps = new StepList();
    document.body.append(window.steps.element);
    window.showSteps = (all) => window.steps.update({ status: "running", approvals: [], steps: all });
    window.showSteps(steps);
}"""
LOG = """async () => {
    document.body.replaceChildren();
    for (const name of ["tokens", "base", "layout", "run"]) {
        const link = document.createElement("link");
        Object.assign(link, { rel: "stylesheet", href: `/console/css/${name}.css` });
        await new Promise((done) => { link.onload = done; document.head.append(link); });
    }
    const { EventLog } = await import("/console/js/run/log.js");
    window.newLog = () => {
        document.body.replaceChildren();
        const log = new EventLog();
        document.body.append(log.element);
        return log;
    };
    window.frame = (number) => ({
        id: `run-1:${number}`, type: "dev.signalbox.page.read.v1",
        time: new Date(1767225600000 + number * 1000).toISOString(),
        runid: "run-1", sequence: number, data: { title: `Page ${number}` },
    });
}"""
# The events arrive as a stream delivers them: some per task, with frames drawn in between.
COST = """async (count) => {
    const log = window.newLog();
    for (let from = 1; from <= count; from += 50) {
        for (let number = from; number < from + 50; number += 1) log.add(window.frame(number));
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    }
    return document.querySelectorAll(".log-line").length;
}"""


def steps_of(*statuses: str) -> Sequence[Mapping[str, object]]:
    return [
        {
            "name": f"step_{number}",
            "title": f"Step {number}",
            "status": status,
            "percent": None,
            "message": None,
            "attempt": 1,
            "started_at": None,
            "ended_at": None,
        }
        for number, status in enumerate(statuses, 1)
    ]


def shown(page: Page) -> list[str]:
    return page.locator(".line-title").all_inner_texts()


def test_twelve_steps_are_shown_whole(modules: Page) -> None:
    modules.evaluate(STEPS, steps_of(*["completed"] * 12))
    assert len(shown(modules)) == 12
    expect(modules.locator(".line-fold")).to_have_count(0)


def test_of_300_steps_what_runs_and_what_failed_is_shown_with_its_neighbours(modules: Page) -> None:
    states = ["completed"] * 150 + ["running"] + ["pending"] * 149
    states[49] = "failed"
    modules.evaluate(STEPS, steps_of(*states))
    assert shown(modules) == [f"Step {number}" for number in (1, 49, 50, 51, 150, 151, 152, 300)]
    folds = modules.locator(".line-fold")
    assert folds.all_inner_texts() == [
        "Show steps 2 to 48: 47 steps, completed",
        "Show steps 52 to 149: 98 steps, completed",
        "Show steps 153 to 299: 147 steps, waiting",
    ]
    assert modules.evaluate("document.documentElement.scrollHeight") < 1500


def test_a_fold_of_many_steps_at_work_says_what_they_do(modules: Page) -> None:
    modules.evaluate(STEPS, steps_of(*["running"] * 40, *["failed"] * 3, *["completed"] * 5, "pending"))
    folds = modules.locator(".line-fold").all_inner_texts()
    assert folds == ["Show steps 14 to 48: 35 steps, 3 failed, 27 running, 5 completed"]


def test_a_fold_opens_by_keyboard_and_follows_the_run(modules: Page) -> None:
    modules.evaluate(STEPS, steps_of(*["completed"] * 20, "running", *["pending"] * 20))
    modules.evaluate(
        "steps => window.showSteps(steps)", steps_of(*["completed"] * 30, "running", *["pending"] * 10)
    )
    assert shown(modules) == [f"Step {number}" for number in (1, 30, 31, 32, 41)]
    modules.locator(".line-fold button").first.focus()
    modules.keyboard.press("Enter")
    assert shown(modules)[:30] == [f"Step {number}" for number in range(1, 31)]
    expect(modules.locator(".line-step").nth(1)).to_be_focused()
    # What was opened stays open.
    modules.evaluate(
        "steps => window.showSteps(steps)", steps_of(*["completed"] * 31, "running", *["pending"] * 9)
    )
    assert shown(modules)[:30] == [f"Step {number}" for number in range(1, 31)]


def cpu_ms(page: Page, count: int) -> float:
    """The processor time that the page takes for `count` events; other work does not add to it."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration") * 1000

    before = spent()
    assert page.evaluate(COST, count) <= 40  # rows in the document
    after = spent()
    session.detach()
    return after - before


def test_5000_events_cost_in_proportion_to_500(modules: Page) -> None:
    modules.evaluate(LOG)
    modules.evaluate(COST, 100)  # compiled before it is measured
    # The cost of a list that is drawn again for each event grows with the square in every measurement.
    measured = []
    for _ in range(ATTEMPTS):
        measured.append((cpu_ms(modules, 500), cpu_ms(modules, 5_000)))
        few, many = measured[-1]
        if many <= RATIO * few:
            return
    pytest.fail(f"not in proportion: {measured}")


def test_no_event_is_dropped_and_every_one_can_be_reached(modules: Page) -> None:
    modules.evaluate(LOG)
    modules.evaluate(
        """() => {
            const log = window.newLog();
            for (let number = 1; number <= 5000; number += 1) log.add(window.frame(number));
        }"""
    )
    log = modules.locator(".log")
    expect(log.locator(".log-line").first).to_contain_text("Page 5000")
    expect(log.locator(".log-line").first).to_have_attribute("aria-setsize", "5000")
    log.evaluate("log => { log.scrollTop = log.scrollHeight; }")
    expect(log.locator(".log-line").last).to_contain_text("Page 1")
    assert log.evaluate("log => log.scrollHeight") == 5000 * 32

    log.focus()
    modules.keyboard.press("Home")
    modules.keyboard.press("ArrowDown")
    expect(modules.locator(".log-detail")).to_contain_text("Page 4999")
    modules.keyboard.press("End")
    expect(modules.locator(".log-detail")).to_contain_text("Page 1")
    expect(log.locator(".log-line[data-chosen]")).to_be_in_viewport()


def test_a_late_event_is_placed_by_its_time(modules: Page) -> None:
    modules.evaluate(LOG)
    modules.evaluate(
        """() => {
            const log = window.newLog();
            for (const number of [1, 2, 4, 5, 3, 2]) log.add(window.frame(number));
        }"""
    )
    lines = modules.locator(".log-text")
    expect(lines).to_have_count(5)
    assert [text.split(" · ")[1] for text in lines.all_inner_texts()] == [
        f"Page {number}" for number in (5, 4, 3, 2, 1)
    ]
