"""Recorded runs: Temporal histories as readable JSON."""

import json
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory


def history_json(history: WorkflowHistory) -> str:
    """Format a history as readable JSON.

    Keys are sorted, so that recordings can be compared. Stack traces are left out, since they contain local
    paths.
    """
    return (
        json.dumps(
            _without_traces(json.loads(history.to_json())), indent=1, ensure_ascii=False, sort_keys=True
        )
        + "\n"
    )


def read_history(file: Path) -> WorkflowHistory:
    """Read what `RunUnderTest.history` or `history_json` returned, for `replay`."""
    return parse_history(file.read_text(encoding="utf-8"))


def parse_history(text: str) -> WorkflowHistory:
    """Parse a recorded history. It keeps the run's own id, from which names are derived."""
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], text)


def _without_traces(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_traces(member) for name, member in value.items() if name != "stackTrace"}
    return [_without_traces(item) for item in value] if isinstance(value, list) else value
