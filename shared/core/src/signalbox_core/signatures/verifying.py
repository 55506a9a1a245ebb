"""Proves a claim against one key, on http-message-signatures; coverage, times and keyid were judged before (`claim`)."""

from base64 import b64encode
from datetime import timedelta
from typing import Final, Literal

import msgspec
from http_message_signatures import HTTPMessageSignaturesException, HTTPMessageVerifier, MappingKeyResolver

from signalbox_core.errors import InvalidSignature
from signalbox_core.signatures.claim import SignatureClaim
from signalbox_core.signatures.keys import LoadedKey
from signalbox_core.signatures.profile import TAG


class SignedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The four covered values of a request, each exactly as it was received."""

    method: str
    target_uri: str
    content_digest: str
    content_type: str


class _Verifier(HTTPMessageVerifier):
    # The window is judged by `check_window` with a clock that is an argument; the library's own clock stays out of it.
    max_clock_skew = timedelta(days=365 * 300)


class _Message:
    """What the library reads: only covered headers, because it normalises every header it is given."""

    __slots__ = ("headers", "method", "url")

    def __init__(self, message: SignedMessage, claim: SignatureClaim) -> None:
        self.method = message.method
        self.url = message.target_uri
        self.headers = {
            "content-digest": message.content_digest,
            "content-type": message.content_type,
            "signature-input": claim.signature_input,
            "signature": f"{claim.label}=:{b64encode(claim.signature).decode()}:",
        }


# One answer for a wrong signature, an unknown key, an unusable key and another algorithm: no oracle.
_REFUSAL: Final = "the signature does not verify with an active key"


Reason = Literal["unknown_key", "unusable_key", "other_algorithm", "wrong_signature"]


def refusal(reason: Reason, *, keyid: str) -> InvalidSignature:
    """The error for everything that only the holder of the key could get right.

    `reason` and `keyid` are facts for the log and the metrics; the sender must not be told.
    """
    return InvalidSignature(_REFUSAL, reason=reason, keyid=keyid)


def verify(message: SignedMessage, claim: SignatureClaim, key: LoadedKey) -> None:
    """Verify the claim's signature with the algorithm bound to the key.

    Raises:
        InvalidSignature: the algorithm is another one, or the signature is wrong; both look alike.
    """
    if claim.alg != key.record.alg:
        raise refusal("other_algorithm", keyid=claim.keyid)
    resolver = MappingKeyResolver(public_keys={claim.keyid: key.material}, private_keys={})
    verifier = _Verifier(signature_algorithm=key.implementation, key_resolver=resolver)
    try:
        verifier.verify(_Message(message, claim), max_age=None, expect_tag=TAG)
    except HTTPMessageSignaturesException:
        raise refusal("wrong_signature", keyid=claim.keyid) from None
