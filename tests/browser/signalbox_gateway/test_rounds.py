"""What changed between two rounds of a question is shown word by word."""

from collections.abc import Mapping, Sequence

import pytest
from playwright.sync_api import Page, expect

from signalbox_client import Signalbox
from support.drivers.browser import Site, WatchedPage
from support.drivers.console import RUN_MS, asked, cards, faults_of, open_tab, start_run

SAME, REMOVED, ADDED = "same", "removed", "added"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("slow morning", "slow morning", [[SAME, "slow morning"]], id="equal"),
        pytest.param(
            "a slow morning here",
            "a quick morning there",
            [
                [SAME, "a "],
                [REMOVED, "slow"],
                [ADDED, "quick"],
                [SAME, " morning "],
                [REMOVED, "here"],
                [ADDED, "there"],
            ],
            id="two words",
        ),
        pytest.param("", "new", [[ADDED, "new"]], id="from nothing"),
        pytest.param("old", "", [[REMOVED, "old"]], id="to nothing"),
        pytest.param("one two", "two", [[REMOVED, "one "], [SAME, "two"]], id="the first word"),
        pytest.param(
            "x " * 1200,
            "y " * 1200,
            [[REMOVED, "x " * 1200], [ADDED, "y " * 1200]],
            id="long texts as a whole",
        ),
    ],
)
def test_texts_differ_word_by_word(
    modules: Page, before: str, after: str, expected: Sequence[Sequence[str]]
) -> None:
    script = """async ([before, after]) => {
        const { wordDiff } = await import("/console/js/ui/text-diff.js");
        return wordDiff(before, after).map(({ kind, text }) => [kind, text]);
    }"""
    assert modules.evaluate(script, [before, after]) == expected


def question(number: int, **members: object) -> Mapping[str, object]:
    return {
        "approval_id": f"budget-{number}",
        "name": "budget",
        "title": "How much?",
        "status": "decided",
        "digest": str(number),
        "options": None,
        "evidence": None,
        "answer": None,
        **members,
    }


def test_rounds_of_other_questions_and_equal_rounds_are_left_out(modules: Page) -> None:
    approvals = [
        question(1, evidence={"supplier": "Hạt Vàng", "limit": 5}),
        question(2, evidence={"supplier": "Hạt Vàng", "limit": 6}),
        question(3, evidence={"supplier": "Hạt Xanh", "limit": 6}),
        {**question(4, evidence={"supplier": "Other"}), "name": "other"},
    ]
    modules.evaluate(
        """async (approvals) => {
            const { RoundChanges } = await import("/console/js/approval/rounds.js");
            const rounds = new RoundChanges();
            document.body.replaceChildren(rounds.element);
            rounds.update({ approvals });
        }""",
        approvals,
    )
    expect(modules.locator(".round")).to_have_count(1)
    expect(modules.get_by_role("heading", name="Round 2 to round 3: How much?")).to_be_visible()
    expect(modules.locator("del")).to_have_text(" removed: Vàng")
    expect(modules.locator("ins")).to_have_text(" added: Xanh")


@pytest.mark.timeout(180)
def test_an_edited_text_is_compared_with_the_round_before(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    start_run(page, site.product_page, variants=1)
    run_id = page.locator(".crumbs code").inner_text()
    card = cards(asked(page)).first
    card.get_by_role("radio", name="Edit").check()
    headline = card.get_by_label("Headline")
    headline.fill(f"{headline.input_value()} now")
    page.get_by_role("button", name="Send 1 decision").click()
    open_tab(page, "Decisions")
    changes = page.get_by_role("region", name="Changes between rounds")
    expect(changes.locator("ins").first).to_have_text(" added:  now", timeout=RUN_MS)
    assert faults_of(page, watched, "run-rounds") == []

    page.goto(f"{site.origin}/#/inbox")
    row = page.locator(f".question[href*='{run_id}']")
    expect(row.locator(".question-facts")).to_contain_text("Round 2 · ")
    row.click()
    expect(page.locator(".triage-main").get_by_role("region", name="Changes between rounds")).to_be_visible()
    assert faults_of(page, watched, "inbox-rounds") == []
    with Signalbox(site.origin, site.api_key) as client:
        client.cancel(run_id, "test")
