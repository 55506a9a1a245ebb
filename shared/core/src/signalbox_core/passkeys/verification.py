"""Verifies a passkey's signature of a decision (WebAuthn Level 3 §7.2) with its public key alone.

Parsing and cryptography are those of the library `fido2`. Whose passkey it is, and whether it was revoked, is
not checked here.
"""

import hashlib
import hmac
import struct
from typing import Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature as WrongSignature
from fido2 import cbor
from fido2.cose import CoseKey
from fido2.webauthn import AuthenticatorData, CollectedClientData
from msgspec import Struct

from signalbox_core import base64url
from signalbox_core.errors import InvalidSignature
from signalbox_core.passkeys.signature import DecisionStatement, PasskeySignature

SIGNATURE_MISMATCH: Final = "signature_mismatch"
SIGNATURE_INVALID: Final = "signature_invalid"
USER_NOT_VERIFIED: Final = "user_not_verified"
_ASSERTION: Final = "webauthn.get"
# What the library raises for malformed bytes.
MALFORMED: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


class VerifiedAssertion(Struct, frozen=True, kw_only=True):
    """What a verified signature states besides the decision.

    Attributes:
        origin: of the page on which the person signed.
        sign_count: of the authenticator; 0 if it does not count.
    """

    origin: str
    sign_count: int


def verify_signature(signature: PasskeySignature, statement: DecisionStatement) -> VerifiedAssertion:
    """Verify that a passkey signed this statement, with user verification.

    Raises:
        InvalidSignature: `signature_mismatch`: it signs another decision; `user_not_verified`: the
            authenticator did not verify the person; `signature_invalid`: it is malformed, made for another
            site, or not by this public key.
    """
    client = _client_data(signature)
    if signature.statement != statement or not hmac.compare_digest(client.challenge, statement.challenge):
        raise InvalidSignature(
            "the passkey signed another decision: question, answer, note, subject or decision id differ",
            code=SIGNATURE_MISMATCH,
            field="signature",
        )
    data = _authenticator_data(signature)
    if client.type != _ASSERTION or client.cross_origin:
        raise _invalid("the client data are not those of an assertion on its own page")
    _check_site(signature.rp_id, data, client.origin)
    if not (data.is_user_present() and data.is_user_verified()):
        raise InvalidSignature(
            "the authenticator did not verify the person (PIN, fingerprint or face); sign again with it",
            code=USER_NOT_VERIFIED,
            field="signature",
        )
    _check_key(signature, bytes(data) + client.hash)
    return VerifiedAssertion(origin=client.origin, sign_count=data.counter)


def is_origin_of(origin: str, rp_id: str) -> bool:
    """Whether a page of this origin may use passkeys of the relying party: its domain or one below it."""
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return bool(rp_id) and (host == rp_id or host.endswith(f".{rp_id}"))


def parse_public_key(public_key: str) -> CoseKey:
    """Parse a COSE key.

    Raises:
        InvalidSignature: `signature_invalid`: it is not one, or its algorithm is not supported.
    """
    try:
        key = CoseKey.parse(cbor.decode(base64url.decode_canonical(public_key)))  # type: ignore[arg-type]
    except MALFORMED:
        raise _invalid("the public key is not a COSE key") from None
    if key.get(3) not in CoseKey.supported_algorithms():
        raise _invalid("the algorithm of the public key is not supported")
    return key


def _client_data(signature: PasskeySignature) -> CollectedClientData:
    try:
        client = CollectedClientData(base64url.decode_canonical(signature.client_data))
    except MALFORMED:
        raise _invalid("the client data are malformed") from None
    if not isinstance(client.origin, str) or not isinstance(client.type, str):
        raise _invalid("the client data are malformed")
    return client


def _authenticator_data(signature: PasskeySignature) -> AuthenticatorData:
    try:
        return AuthenticatorData(base64url.decode_canonical(signature.authenticator_data))
    except MALFORMED:
        raise _invalid("the authenticator data are malformed") from None


def _check_site(rp_id: str, data: AuthenticatorData, origin: str) -> None:
    if not hmac.compare_digest(data.rp_id_hash, hashlib.sha256(rp_id.encode()).digest()):
        raise _invalid("the authenticator data are those of another relying party")
    if not is_origin_of(origin, rp_id):
        raise _invalid(f"the page {origin[:200]} does not belong to {rp_id}")


def _check_key(signature: PasskeySignature, message: bytes) -> None:
    key = parse_public_key(signature.public_key)
    try:
        key.verify(message, base64url.decode_canonical(signature.signature))
    except WrongSignature:
        raise _invalid("the signature was not made with this passkey, or was changed") from None
    except MALFORMED:
        raise _invalid("the signature is malformed") from None


def _invalid(message: str) -> InvalidSignature:
    return InvalidSignature(message, code=SIGNATURE_INVALID, field="signature")
