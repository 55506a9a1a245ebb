"""Questions with known digests as the gateway shows them, and copies of them with one changed byte."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from signalbox_core.events.policy import Policy
from signalbox_gateway.runs.views import policy_view

VECTORS: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "data/question_digests.json").read_text()
)
_MEMBERS: Final = ("answer_schema", "options", "evidence", "proposal")


def vector(name: str) -> dict[str, Any]:
    """The vector of this id."""
    return next(item for item in VECTORS if item["id"] == name)


def approval_view(item: dict[str, Any]) -> dict[str, Any]:
    """The question of a vector as the gateway shows it."""
    question = {"proposal": None, **item["question"]}
    policy = policy_view(msgspec.convert(question.pop("policy", {}), Policy))
    state = {"approval_id": "a", "name": "a", "status": "pending", "requested_at": "2026-01-02T03:04:05Z"}
    return {**state, **question, "digest": item["digest"], "policy": msgspec.to_builtins(policy)}


def compact_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def one_byte_changes(view: dict[str, Any], *, seed: int) -> Iterator[tuple[str, bytes]]:
    """Change one byte of one member so that it is JSON of another value, again and again.

    Yields:
        The member's name and its JSON.
    """
    chance = random.Random(seed)
    while True:
        name = chance.choice(_MEMBERS)
        body = bytearray(compact_json(view[name]))
        body[chance.randrange(len(body))] ^= chance.randrange(1, 256)
        if _is_other_value(bytes(body), view[name]):
            yield name, bytes(body)


def _is_other_value(body: bytes, value: object) -> bool:
    """Whether the bytes are JSON, and not another way to write the value, such as 1e0 for 1.0."""
    try:
        return bool(msgspec.json.decode(body) != value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
