"""A receipt has the passkey signatures of the decision, and is wrong when one is of another decision."""

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput, InvalidSignature, SignalboxError
from signalbox_core.ledger.receipts import (
    Receipt,
    decode_receipt,
    encode_receipt,
    read_receipt,
    verify_receipt,
)
from signalbox_core.passkeys.signature import DecisionStatement, PasskeySignature, answer_sha256, note_sha256
from signalbox_core.testing.objects import FakeObjectStore
from support.fakes.authenticator import Authenticator
from support.fakes.ledger import SIGNER, TENANT, asked, decided, open_log

DIGEST = "d" * 64
PEOPLE = ("lan", "minh", "huong")


def signature_of(name: str, *, answer: object = True, **changed: str) -> PasskeySignature:
    statement = DecisionStatement(
        tenant=TENANT,
        run_id="run-1",
        approval_id="publish",
        question_digest=DIGEST,
        decision_id=f"of-{name}",
        subject=f"key:{name}",
        answer_sha256=answer_sha256(msgspec.Raw(msgspec.json.encode(answer))),
        note_sha256=note_sha256("looks right"),
    )
    return Authenticator(name).sign_statement(replace(statement, **changed))


async def receipt_with(*signatures: PasskeySignature, answer: object = True) -> Receipt:
    store = FakeObjectStore()
    log = open_log(store)
    await log.append([asked("run-1", digest=DIGEST), decided("run-1", answer=answer, signatures=signatures)])
    body = encode_receipt(await read_receipt(store, TENANT, "run-1", "publish"))
    return decode_receipt(body)


def refusal(receipt: Receipt) -> SignalboxError:
    with pytest.raises((InvalidSignature, InvalidInput)) as refused:
        verify_receipt(receipt, [SIGNER.verifier])
    return refused.value


async def test_a_receipt_has_every_signature_and_the_other_values() -> None:
    made = [signature_of(name) for name in PEOPLE]
    found = verify_receipt(await receipt_with(*made), [SIGNER.verifier])
    assert found.signatures == tuple(made)
    assert bytes(found.disclosed["answer"].value or b"") == b"true"


async def test_a_long_answer_is_left_out_and_the_signatures_stay() -> None:
    long = "x" * 10_000
    found = verify_receipt(
        await receipt_with(signature_of("lan", answer=long), answer=long), [SIGNER.verifier]
    )
    assert [item.statement.subject for item in found.signatures] == ["key:lan"]
    assert found.disclosed["answer"].value is msgspec.UNSET


@pytest.mark.parametrize("member", ["tenant", "run_id", "approval_id", "question_digest", "answer_sha256"])
async def test_a_signature_of_another_decision_is_refused(member: str) -> None:
    receipt = await receipt_with(signature_of("lan"), signature_of("minh", **{member: "other"}))
    refused = refusal(receipt)
    assert refused.stable_code == "signature_mismatch"
    assert "key:minh signed another" in refused.detail


async def test_a_forged_signature_is_refused_although_the_ledger_has_it() -> None:
    forged = replace(signature_of("lan"), public_key=Authenticator("minh").public_key)
    assert refusal(await receipt_with(forged)).stable_code == "signature_invalid"


async def test_a_changed_signature_is_not_the_one_that_was_recorded() -> None:
    receipt = await receipt_with(signature_of("lan"))
    other = replace(
        receipt.disclosed["signatures"], value=msgspec.Raw(msgspec.json.encode([signature_of("lan")]))
    )
    changed = replace(receipt, disclosed={**receipt.disclosed, "signatures": other})
    assert refusal(changed).stable_code == "not_in_ledger"


async def test_a_receipt_without_signatures_has_none() -> None:
    assert verify_receipt(await receipt_with(), [SIGNER.verifier]).signatures == ()
