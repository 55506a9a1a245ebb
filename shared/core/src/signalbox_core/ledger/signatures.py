"""The passkey signatures in a receipt: verified, and compared with the ledger entry. Pure."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UnsetType

from signalbox_core.errors import InvalidInput, InvalidSignature
from signalbox_core.ledger.commitments import DisclosedValue
from signalbox_core.ledger.entries import LedgerEntry
from signalbox_core.passkeys.signature import (
    DecisionStatement,
    PasskeySignature,
    answer_sha256,
)
from signalbox_core.passkeys.verification import SIGNATURE_MISMATCH, verify_signature

SIGNATURES: Final = "signatures"
"""The name of the disclosed value."""


def verify_signatures(
    entry: LedgerEntry, disclosed: Mapping[str, DisclosedValue]
) -> tuple[PasskeySignature, ...]:
    """Verify the signatures that a receipt discloses; empty if it discloses none.

    Raises:
        InvalidSignature: as `verify_signature`, or one is of another decision than the entry.
        InvalidInput: they are malformed.
    """
    value = disclosed[SIGNATURES].value if SIGNATURES in disclosed else msgspec.UNSET
    if isinstance(value, UnsetType):
        return ()
    try:
        signatures = msgspec.json.decode(value, type=tuple[PasskeySignature, ...])
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"the signatures are malformed: {error}", field=SIGNATURES) from None
    for signature in signatures:
        verify_signature(signature, signature.statement)
        _check_statement(signature.statement, entry, disclosed)
    return signatures


def _check_statement(
    statement: DecisionStatement, entry: LedgerEntry, disclosed: Mapping[str, DisclosedValue]
) -> None:
    """Compare what was signed with the entry, and with the answer if the receipt discloses it."""
    expected = {
        "tenant": (statement.tenant, entry.tenant),
        "run": (statement.run_id, entry.run_id),
        "approval": (statement.approval_id, entry.approval_id),
        "question": (statement.question_digest, entry.question_digest),
    }
    answer = disclosed["answer"].value if "answer" in disclosed else msgspec.UNSET
    if not isinstance(answer, UnsetType):
        expected["answer"] = (statement.answer_sha256, answer_sha256(answer))
    for name, (signed, recorded) in expected.items():
        if signed != recorded:
            raise InvalidSignature(
                f"{statement.subject} signed another {name} than the ledger has",
                code=SIGNATURE_MISMATCH,
                field=SIGNATURES,
            )
