"""The client computes the digest of what it shows, and sends nothing if the gateway gave another one."""

import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
import pytest
from msgspec.structs import replace

from signalbox_client import AsyncSignalbox
from signalbox_client.models import Approval, ApprovalPolicy
from signalbox_client.shown_question import verified_digest
from signalbox_core.errors import Conflict
from signalbox_core.events.policy import Quorum

VECTORS: Final = json.loads((Path(__file__).parents[2] / "data/question_digests.json").read_text())
TIMES = 1_000


def shown(vector: dict[str, Any]) -> Approval:
    """The question as the gateway shows it."""
    question = {"proposal": None, **vector["question"]}
    policy = question.pop("policy", None)
    state = {"approval_id": "a", "name": "a", "status": "pending", "requested_at": "2026-01-02T03:04:05Z"}
    view = {**state, **question, "digest": vector["digest"], "policy": policy or {"needed": 1}}
    return msgspec.json.decode(json.dumps(view, ensure_ascii=False, separators=(",", ":")), type=Approval)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_the_digest_is_that_of_the_vectors(vector: dict[str, Any]) -> None:
    assert verified_digest(shown(vector)) == vector["digest"]


def test_a_question_that_was_handed_over_has_the_digest_with_which_it_was_asked() -> None:
    asked = shown(VECTORS[1])
    handed_over = replace(asked, policy=shown(VECTORS[0]).policy, asked_policy=asked.policy)
    assert verified_digest(handed_over) == asked.digest
    with pytest.raises(Conflict):
        verified_digest(replace(handed_over, asked_policy=None))


def test_of_a_thousand_questions_with_one_changed_byte_none_passes() -> None:
    asked, chance, refused = shown(VECTORS[1]), random.Random(9), 0
    members = ("answer_schema", "options", "evidence", "proposal")
    while refused < TIMES:
        name = chance.choice(members)
        body = bytearray(getattr(asked, name))
        body[chance.randrange(len(body))] ^= chance.randrange(1, 256)
        if not is_json(bytes(body)):
            continue
        refused += 1
        with pytest.raises(Conflict) as refusal:
            verified_digest(replace(asked, **{name: msgspec.Raw(bytes(body))}))
        assert refusal.value.stable_code == "digest_mismatch"


def is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"title": "Publish other ads?"}, id="title"),
        pytest.param({"about": None}, id="without about"),
        pytest.param({"about": "Summer campaign"}, id="about"),
        pytest.param({"proposal": msgspec.Raw(b"null")}, id="without proposal"),
        pytest.param({"digest": ""}, id="without digest"),
        pytest.param({"digest": "0" * 64}, id="digest"),
        pytest.param({"policy": ApprovalPolicy()}, id="default policy"),
        pytest.param({"policy": ApprovalPolicy(quorum=(Quorum(1, "marketing"),))}, id="weaker policy"),
    ],
)
def test_a_changed_question_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Conflict):
        verified_digest(replace(shown(VECTORS[1]), **changes))


@pytest.mark.parametrize("method", ["decide", "raise_objection", "decide_many"])
async def test_nothing_is_sent_when_the_digest_is_of_another_question(method: str) -> None:
    requests: list[httpx2.Request] = []

    def gateway(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return httpx2.Response(500)

    changed = replace(shown(VECTORS[1]), title="Publish another ad?")
    async with AsyncSignalbox(
        "http://127.0.0.1:1", "sbx_key", transport=httpx2.MockTransport(gateway), backoff_s=()
    ) as client:
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "decide": lambda: client.decide("r", "a", {"ok": True}, shown=changed),
            "raise_objection": lambda: client.raise_objection("r", "a", "misleading", shown=changed),
            "decide_many": lambda: client.decide_many([("r", shown(VECTORS[0])), ("r", changed)], {}),
        }
        with pytest.raises(Conflict) as refusal:
            await calls[method]()
    assert refusal.value.stable_code == "digest_mismatch"
    assert requests == []
