"""For whom a run waits, in words: only what a claim, a hand-over or a policy says."""

from collections.abc import Mapping, Sequence

import pytest
from playwright.sync_api import Page

FUTURE, PAST = "2126-03-01T10:00:00Z", "2026-03-01T10:00:00Z"
LAN = {"subject": "key:lan", "name": "Lan", "kind": "human", "groups": []}
NAMELESS = {**LAN, "subject": "https://id.test/#lan@example.com", "name": None}


def question(**facts: object) -> Mapping[str, object]:
    return {"status": "pending", "deadline_at": None, "claim": None, "handed_to": None, **facts}


def claimed(by: Mapping[str, object] = LAN, until: str = FUTURE, **facts: object) -> Mapping[str, object]:
    return question(claim={"by": by, "until": until}, **facts)


@pytest.mark.parametrize(
    ("questions", "name"),
    [
        pytest.param([question()], None, id="anybody"),
        pytest.param([claimed()], "Lan", id="claimed"),
        pytest.param([claimed(NAMELESS)], "lan@example.com", id="claimed-without-a-name"),
        pytest.param([claimed(until=PAST)], None, id="claim-expired"),
        pytest.param([claimed({**LAN, "subject": "key:Minh"})], "you", id="claimed-by-the-reader"),
        pytest.param([question(handed_to="mailto:lan@example.com")], "lan@example.com", id="handed-over"),
        pytest.param([question(handed_to="group:legal")], "legal", id="handed-to-a-group"),
        pytest.param([claimed(handed_to="group:legal")], "Lan", id="claim-before-hand-over"),
        pytest.param([question(policy={"people": ["key:lan"]})], "lan", id="one-person-decides"),
        pytest.param([question(policy={"people": ["key:lan", "key:an"]})], None, id="one-of-two-people"),
        pytest.param([claimed(), claimed()], "Lan", id="two-questions-of-one-person"),
        pytest.param([claimed(), question()], None, id="another-question-is-anybodys"),
    ],
)
def test_page_and_list_name_who_is_to_answer(
    modules: Page, questions: Sequence[Mapping[str, object]], name: str | None
) -> None:
    found = modules.evaluate(
        """async (questions) => {
            localStorage.setItem("signalbox.session", JSON.stringify({ roles: [], subject: "key:Minh" }));
            const { listState, runState } = await import("/console/js/data/run-state.js");
            const { withWaits } = await import("/console/js/runs/open-runs.js");
            const run = { run_id: "a", status: "running", sequence: 7, steps: [], approvals: questions };
            const asked = questions.map(({ policy, ...item }) =>
                ({ ...item, run_id: "a", people: policy?.people ?? [] }));
            const [listed] = withWaits([{ run_id: "a", status: "running" }], asked);
            const found = [runState(run).text, listState(listed).text];
            localStorage.clear();
            return found;
        }""",
        questions,
    )
    if name is None:
        assert found == ["Waiting for a decision", "Waiting for a person"]
    else:
        assert found == [f"Waiting for {name}"] * 2
