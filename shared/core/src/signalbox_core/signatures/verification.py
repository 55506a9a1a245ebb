"""Verifies a claim with one key; `claim` has checked coverage, times and parameters before.

The signature base is built here, because the library would parse both fields a second time. The algorithms
are the library's; a test compares both verifiers.
"""

from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature as WrongSignature
from http_message_signatures import HTTPMessageSignaturesException

from signalbox_core.errors import InvalidSignature
from signalbox_core.signatures.claim import SignatureClaim
from signalbox_core.signatures.keys import LoadedKey


class SignedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The four covered values of a request, each exactly as it was received."""

    method: str
    target_uri: str
    content_digest: str
    content_type: str


# One message for a wrong signature, an unknown or unusable key and another algorithm, so that it is no
# oracle.
_REFUSAL: Final = "the signature does not verify with an active key"


Reason = Literal["unknown_key", "unusable_key", "other_algorithm", "wrong_signature"]


def refusal(reason: Reason, *, keyid: str) -> InvalidSignature:
    """Return the error of a signature that does not verify.

    `reason` and `keyid` are for the log and the metrics; they must not be part of the response.
    """
    return InvalidSignature(_REFUSAL, reason=reason, keyid=keyid)


def verify(message: SignedMessage, claim: SignatureClaim, key: LoadedKey) -> None:
    """Verify the claim's signature with the algorithm bound to the key.

    Raises:
        InvalidSignature: another algorithm or a wrong signature, with the same message.
    """
    if claim.alg != key.record.alg:
        raise refusal("other_algorithm", keyid=claim.keyid)
    if not is_signed(signature_base(message, claim), claim.signature, key):
        raise refusal("wrong_signature", keyid=claim.keyid)


def signature_base(message: SignedMessage, claim: SignatureClaim) -> str:
    """Build the signature base (RFC 9421 §2.5)."""
    values = {
        "@method": message.method,
        "@target-uri": message.target_uri,
        "content-digest": message.content_digest,
        "content-type": message.content_type,
    }
    lines = [f'"{name}": {values[name]}' for name in claim.covered]
    return "\n".join((*lines, f'"@signature-params": {claim.parameters}'))


def is_signed(base: str, signature: bytes, key: LoadedKey) -> bool:
    """Whether the key's owner signed this base, with the algorithm of the key's record."""
    try:
        # A signature base is ASCII (§2.5), so other headers cannot have been signed.
        key.verifier.verify(signature=signature, message=base.encode("ascii"))
    except (WrongSignature, HTTPMessageSignaturesException, ValueError):
        return False
    return True
