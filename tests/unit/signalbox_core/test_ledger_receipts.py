"""Receipts: small, verified by the public key alone, and wrong after any change."""

import random

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput, InvalidSignature, NotFound, SignalboxError
from signalbox_core.ledger.erasure import erase_values
from signalbox_core.ledger.log import TenantLog
from signalbox_core.ledger.receipts import (
    MAX_RECEIPT_BYTES,
    Receipt,
    VerifiedReceipt,
    decode_receipt,
    encode_receipt,
    read_receipt,
    verify_receipt,
)
from signalbox_core.testing.objects import FakeObjectStore
from support.fakes.ledger import (
    SIGNER,
    TENANT,
    WITNESS,
    asked,
    damage_of,
    decided,
    expired,
    filled_store,
    open_log,
)

KEYS = [SIGNER.verifier]


async def receipt_of(store: FakeObjectStore, run_id: str) -> Receipt:
    return await read_receipt(store, TENANT, run_id, "publish")


def values_of(found: VerifiedReceipt) -> dict[str, object]:
    values = {name: item.value for name, item in found.disclosed.items()}
    return {
        name: msgspec.json.decode(value)
        for name, value in values.items()
        if not isinstance(value, msgspec.UnsetType)
    }


async def test_a_receipt_proves_the_decision() -> None:
    store = await filled_store(700)
    body = encode_receipt(await receipt_of(store, "run-00345"))
    found = verify_receipt(decode_receipt(body), KEYS)
    assert (found.entry.index, found.size, found.entry.run_id) == (345, 700, "run-00345")
    assert values_of(found) == {"name": "Lan Nguyen", "answer": True, "reason": "looks right"}


async def test_every_entry_of_a_log_has_a_valid_receipt_at_every_size() -> None:
    store = FakeObjectStore()
    log = open_log(store)
    for number in range(40):
        await log.append([decided(f"run-{number}")])
        for index in range(number + 1):
            assert verify_receipt(await receipt_of(store, f"run-{index}"), KEYS).entry.index == index


async def test_the_receipt_is_of_the_last_outcome_of_a_question_that_was_asked_again() -> None:
    store = FakeObjectStore()
    log = open_log(store)
    await log.append([asked("a", digest="1" * 64), expired("a"), asked("b"), expired("b")])
    assert verify_receipt(await receipt_of(store, "a"), KEYS).entry.outcome == "expired"
    again = [asked("a", digest="2" * 64, sequence=3), expired("a", sequence=4)]
    await log.append([*again, asked("a", digest="3" * 64, sequence=5), decided("a", sequence=6)])
    # A writer that starts from an older checkpoint stores the same lookups again.
    await open_log(store).append([decided("c")])
    found = verify_receipt(await receipt_of(store, "a"), KEYS).entry
    assert (found.outcome, found.question_digest) == ("decided", "3" * 64)
    assert verify_receipt(await receipt_of(store, "b"), KEYS).entry.outcome == "expired"


async def test_a_receipt_fits_into_4_kb_whatever_the_values_are() -> None:
    store = FakeObjectStore()
    log = TenantLog(store, TENANT, [SIGNER, WITNESS])
    await log.append([decided(f"run-{number}") for number in range(1_000)])
    await log.append([decided("large", answer={"text": "ả" * 4_000}, note="ộ" * 2_000)])
    receipt = await receipt_of(store, "large")
    assert len(encode_receipt(receipt)) <= MAX_RECEIPT_BYTES
    found = verify_receipt(receipt, [*KEYS, WITNESS.verifier])
    assert "answer" not in values_of(found)
    assert values_of(found)["name"] == "Lan Nguyen"


async def test_a_value_without_a_canonical_form_is_recorded_and_stops_no_other_event() -> None:
    """As from a sender or a release that does not check the numbers of an answer."""
    store, odd = FakeObjectStore(), decided("a")
    data = b'{"approval_id":"publish","decided_by":"Lan","answer":{"n":1e999}}'
    await open_log(store).append([replace(odd, data=msgspec.Raw(data)), decided("b")])

    for run_id in (odd.runid, decided("b").runid):
        receipt = decode_receipt(encode_receipt(await receipt_of(store, run_id)))
        assert verify_receipt(receipt, KEYS).entry.run_id == run_id
    changed = encode_receipt(await receipt_of(store, odd.runid)).replace(b"1e999", b"2e999")
    with pytest.raises(InvalidSignature, match="'answer'"):
        verify_receipt(decode_receipt(changed), KEYS)


async def test_a_changed_byte_is_refused() -> None:
    body = encode_receipt(await receipt_of(await filled_store(300), "run-00123"))
    source, original = random.Random(7), verify_receipt(decode_receipt(body), KEYS)
    refused = 0
    for _ in range(400):
        at = source.randrange(len(body))
        changed = body[:at] + bytes([body[at] ^ (1 << source.randrange(7))]) + body[at + 1 :]
        try:
            found = verify_receipt(decode_receipt(changed), KEYS)
        except SignalboxError:
            refused += 1
        else:
            # The name of an optional member changed, which leaves out a value and changes none.
            assert found.entry == original.entry
            assert values_of(found).items() <= values_of(original).items()
    assert refused > 350


async def test_what_was_changed_is_named() -> None:
    receipt = await receipt_of(await filled_store(300), "run-00123")
    other = await receipt_of(await filled_store(300), "run-00124")
    with pytest.raises(InvalidSignature, match="not entry 124 of"):
        verify_receipt(replace(receipt, entry=other.entry), KEYS)
    forged = replace(receipt.disclosed["answer"], value=msgspec.Raw(b"false"))
    with pytest.raises(InvalidSignature, match="value of 'answer' is not the one"):
        verify_receipt(replace(receipt, disclosed={**receipt.disclosed, "answer": forged}), KEYS)
    with pytest.raises(InvalidSignature, match="value of 'more' is not the one"):
        verify_receipt(replace(receipt, disclosed={"more": forged}), KEYS)
    with pytest.raises(InvalidInput, match="not base64"):
        verify_receipt(replace(receipt, proof=("?",)), KEYS)
    with pytest.raises(InvalidSignature, match=r"witness\.test on the checkpoint is missing"):
        verify_receipt(receipt, [*KEYS, WITNESS.verifier])


async def test_an_approval_without_an_outcome_has_no_receipt() -> None:
    store = await filled_store(3)
    for run_id, tenant in (("unknown", TENANT), ("run-00001", "other")):
        with pytest.raises(NotFound):
            await read_receipt(store, tenant, run_id, "publish")


async def test_erased_values_leave_the_log_and_its_proofs_whole() -> None:
    store = await filled_store(300)
    earlier = await receipt_of(store, "run-00123")
    selected = [
        entry.index
        async for entry in erase_values(
            store, TENANT, lambda entry, values: entry.run_id == "run-00123" and "name" in values, apply=True
        )
    ]
    assert selected == [123]
    assert damage_of(store) is None
    assert verify_receipt(await receipt_of(store, "run-00123"), KEYS).disclosed == {}
    assert values_of(verify_receipt(earlier, KEYS))["name"] == "Lan Nguyen"
    assert not [body for key, body in store.bodies.items() if b"run-00123" in body and b"Lan Nguyen" in body]
    assert await open_log(store).append([decided("run-00123")]) == 0


async def test_a_dry_run_erases_nothing() -> None:
    store = await filled_store(3)
    before = dict(store.bodies)
    found = [entry async for entry in erase_values(store, TENANT, lambda *_: True, apply=False)]
    assert (len(found), store.bodies) == (3, before)
    with pytest.raises(NotFound, match="has no ledger"):
        _ = [entry async for entry in erase_values(store, "other", lambda *_: True, apply=False)]
