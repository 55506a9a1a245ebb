"""The client computes the digest of what it shows, and sends nothing if the gateway gave another one."""

from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

import httpx2
import msgspec
import pytest
from msgspec.structs import replace

from signalbox_client import AsyncSignalbox
from signalbox_client.models import Approval, ApprovalPolicy
from signalbox_client.shown_question import verified_digest
from signalbox_core.errors import Conflict
from signalbox_core.events.policy import Quorum
from signalbox_core.events.question_digest import JCS_PREFIX
from support.fakes.asked_questions import VECTORS, approval_view, compact_json, one_byte_changes, vector

TIMES = 1_000
EARLIER = "everything that a question can have"
NEWER = "RFC 8785: everything that a question can have"
TOO_LARGE = "an integer that RFC 8785 cannot represent"


def shown(item: dict[str, Any]) -> Approval:
    """The question as the client reads it."""
    return msgspec.json.decode(compact_json(approval_view(item)), type=Approval)


@pytest.mark.parametrize("item", VECTORS, ids=lambda item: item["id"])
def test_the_digest_is_that_of_the_vectors(item: dict[str, Any]) -> None:
    assert verified_digest(shown(item)) == item["digest"]


def test_the_prefix_cannot_be_left_out_or_added() -> None:
    newer, earlier = shown(vector(NEWER)), shown(vector(TOO_LARGE))
    with pytest.raises(Conflict):
        verified_digest(replace(newer, digest=newer.digest.removeprefix(JCS_PREFIX)))
    with pytest.raises(Conflict):
        verified_digest(replace(earlier, digest=JCS_PREFIX + earlier.digest))


def test_a_digest_of_a_later_form_is_refused_with_the_remedy() -> None:
    newer = shown(vector(NEWER))
    with pytest.raises(Conflict, match="update signalbox-client") as refusal:
        verified_digest(replace(newer, digest=newer.digest.replace(JCS_PREFIX, "jcs2:")))
    assert refusal.value.stable_code == "digest_mismatch"


@pytest.mark.parametrize("evidence", [rb'"\ud800"', b"1e400"], ids=["half a surrogate pair", "too large"])
@pytest.mark.parametrize("name", [TOO_LARGE, NEWER])
def test_a_question_with_what_json_cannot_represent_is_refused(name: str, evidence: bytes) -> None:
    with pytest.raises(Conflict):
        verified_digest(replace(shown(vector(name)), evidence=msgspec.Raw(evidence)))


def test_how_a_number_is_written_matters_only_to_the_earlier_form() -> None:
    earlier = shown(vector(TOO_LARGE))
    with pytest.raises(Conflict):
        verified_digest(replace(earlier, options=msgspec.Raw(bytes(earlier.options).replace(b"1.0", b"1"))))

    newer = shown(vector(NEWER))
    assert b'"weight":1.0' in bytes(newer.options)
    whole = msgspec.Raw(bytes(newer.options).replace(b'"weight":1.0', b'"weight":1'))
    assert verified_digest(replace(newer, options=whole)) == newer.digest


def test_a_question_that_was_handed_over_has_the_digest_with_which_it_was_asked() -> None:
    asked = shown(VECTORS[1])
    handed_over = replace(asked, policy=shown(VECTORS[0]).policy, asked_policy=asked.policy)
    assert verified_digest(handed_over) == asked.digest
    with pytest.raises(Conflict):
        verified_digest(replace(handed_over, asked_policy=None))


@pytest.mark.parametrize("name", [EARLIER, NEWER])
def test_of_a_thousand_questions_with_one_changed_byte_none_passes(name: str) -> None:
    asked = shown(vector(name))
    for member, body in islice(one_byte_changes(approval_view(vector(name)), seed=9), TIMES):
        with pytest.raises(Conflict) as refusal:
            verified_digest(replace(asked, **{member: msgspec.Raw(body)}))
        assert refusal.value.stable_code == "digest_mismatch"


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
