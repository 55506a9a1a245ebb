"""What a passkey signs of a decision, and what is kept of the signature. Pure; needs no WebAuthn library."""

import hashlib
from typing import Literal

import msgspec
from msgspec import Struct

from signalbox_core.canonical_json import canonical_json, jcs_json, normalized_json


class DecisionStatement(Struct, frozen=True, kw_only=True):
    """What a person signs. The SHA-256 of its canonical JSON is the WebAuthn challenge.

    Attributes:
        question_digest: of exactly what was shown.
        answer_sha256: of the canonical JSON of the answer, hexadecimal; of null for an objection.
        note_sha256: of the canonical JSON of the note, or of the reason of an objection; of null without one.
        decision_id: names the decision, so a signature cannot be used for a second one.
    """

    type: Literal["signalbox.decision.v1"] = "signalbox.decision.v1"
    tenant: str
    run_id: str
    approval_id: str
    question_digest: str
    decision_id: str
    subject: str
    answer_sha256: str
    note_sha256: str
    objection: bool = False

    @property
    def challenge(self) -> bytes:
        return hashlib.sha256(canonical_json(self)).digest()


class PasskeySignature(Struct, frozen=True, kw_only=True):
    """A WebAuthn assertion over a statement, with the public key that verifies it. All bytes are base64url.

    Attributes:
        public_key: the COSE key.
        rp_id: the relying party: the domain for which the passkey was registered.
    """

    statement: DecisionStatement
    credential_id: str
    public_key: str
    rp_id: str
    authenticator_data: str
    client_data: str
    signature: str


def answer_sha256(answer: msgspec.Raw) -> str:
    """The digest of an answer in statements; the same for all votes that count together.

    Of RFC 8785, which browsers compute; integers beyond 2^53 - 1 are written as the browser sent them.
    """
    try:
        canonical = jcs_json(answer)
    except ValueError:
        canonical = normalized_json(answer)
    return hashlib.sha256(canonical).hexdigest()


def note_sha256(note: str | None) -> str:
    """The digest of a note, or of the reason of an objection, in statements."""
    return hashlib.sha256(canonical_json(note)).hexdigest()
