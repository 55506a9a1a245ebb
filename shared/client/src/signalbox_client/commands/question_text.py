"""What an approval asks, as lines of text: title, facts, and the candidates with score and files. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from signalbox_client.models import Approval

_MAX_CHARS: Final = 200
_MAX_LINES: Final = 40


def question_lines(approval: Approval, files: Mapping[str, str]) -> list[str]:
    """Describe a question.

    Args:
        files: where the files of the candidates were saved, by artifact name; the others are named only.
    """
    evidence, options = msgspec.json.decode(approval.evidence), msgspec.json.decode(approval.options)
    lines = [f"  {fact}" for fact in _facts(evidence)]
    for option in options if isinstance(options, list) else []:
        lines += [f"  {line}" for line in _option(option, files)]
    return [approval.title, *_limited(lines)]


def artifact_names(approval: Approval) -> list[str]:
    """Return the run's files that the options refer to."""
    options = msgspec.json.decode(approval.options)
    return [
        str(picture["artifact"])
        for option in (options if isinstance(options, list) else [])
        for picture in _pictures(option)
    ]


def summary(approval: Approval) -> str:
    """Describe the question in one line: its options, or else its facts."""
    options = msgspec.json.decode(approval.options)
    texts = list(map(_one_line, options)) if isinstance(options, list) else []
    return "; ".join(filter(None, texts or _facts(msgspec.json.decode(approval.evidence))))[:_MAX_CHARS]


def _facts(evidence: Any) -> list[str]:
    if not isinstance(evidence, dict):
        return [str(evidence)[:_MAX_CHARS]] if isinstance(evidence, str) else []
    facts = evidence.get("facts")
    listed = [str(fact)[:_MAX_CHARS] for fact in facts] if isinstance(facts, list) else []
    return [*(f"{name}: {value}" for name, value in _scalars(evidence)), *listed]


def _scalars(members: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in members.items():
        is_file = isinstance(value, str) and value.startswith("data:")
        if isinstance(value, str | int | float | bool) and value != "" and not is_file:
            yield name, str(value)[:_MAX_CHARS]


def _option(option: Any, files: Mapping[str, str]) -> Iterator[str]:
    if not isinstance(option, dict):
        yield str(option)[:_MAX_CHARS]
        return
    yield _one_line(option)
    score = option.get("score")
    if isinstance(score, dict) and isinstance(score.get("points"), int | float):
        label = f" ({score['label']})" if score.get("label") else ""
        yield f"  score {score['points']:g} of 100{label}"
    for picture in _pictures(option):
        name = str(picture["artifact"])
        yield f"  {files.get(name, name)}"


def _one_line(option: Any) -> str:
    if not isinstance(option, dict):
        return str(option)[:_MAX_CHARS]
    return ", ".join(f"{name}: {value}" for name, value in _scalars(option))[:_MAX_CHARS]


def _pictures(option: Any) -> list[Mapping[str, Any]]:
    pictures = option.get("pictures") if isinstance(option, dict) else None
    found = pictures if isinstance(pictures, list) else []
    return [item for item in found if isinstance(item, dict) and item.get("artifact")]


def _limited(lines: list[str]) -> list[str]:
    left_out = len(lines) - _MAX_LINES
    return lines if left_out <= 0 else [*lines[:_MAX_LINES], f"  … and {left_out} more lines (--json)"]
