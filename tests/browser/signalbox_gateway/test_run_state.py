"""The words for what a run is doing."""

from collections.abc import Mapping, Sequence

import pytest
from playwright.sync_api import Page

SOON, LATER = "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"


def snapshot(
    status: str = "running",
    *,
    steps: Sequence[str] = ("completed", "running"),
    deadlines: Sequence[str | None] = (),
    sequence: int = 7,
) -> Mapping[str, object]:
    return {
        "status": status,
        "sequence": sequence,
        "steps": [{"status": step} for step in steps],
        "approvals": [{"status": "pending", "deadline_at": deadline} for deadline in deadlines],
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(snapshot(), ["running", "Running", None], id="running"),
        pytest.param(snapshot("queued"), ["queued", "Queued", None], id="start-pending"),
        pytest.param(
            snapshot(steps=["pending", "pending"], sequence=0), ["queued", "Queued", None], id="no-worker-yet"
        ),
        pytest.param(snapshot(sequence=0), ["running", "Running", None], id="without-projection"),
        pytest.param(snapshot("paused"), ["paused", "Pausing after this step", None], id="pausing"),
        pytest.param(
            snapshot("paused", steps=["completed", "pending"]), ["paused", "Paused", None], id="paused"
        ),
        pytest.param(
            snapshot(deadlines=[LATER, None, SOON]),
            ["attention", "Waiting for a decision", SOON],
            id="nearest-deadline",
        ),
        pytest.param(
            snapshot(deadlines=[None]), ["attention", "Waiting for a decision", None], id="no-deadline"
        ),
        pytest.param(snapshot("failed"), ["failed", "Failed", None], id="failed"),
    ],
)
def test_a_run_is_described_by_its_most_important_fact(
    modules: Page, given: Mapping[str, object], expected: Sequence[str | None]
) -> None:
    state = modules.evaluate(
        "async (snapshot) => (await import('/console/js/data/run-state.js')).runState(snapshot)", given
    )
    assert [state["status"], state["text"], state["until"]] == expected
