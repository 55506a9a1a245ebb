"""Verifies a delivery: signature fields, times, key, signature, digest, cheapest check first."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from signalbox_core.signatures import (
    KeyRecord,
    LoadedKey,
    SignedMessage,
    check_digest,
    check_window,
    read_claim,
    refusal,
    verify,
)
from signalbox_webhook_receiver.profile import Arrival, require_header


class KeySource(Protocol):
    """Looks up keys."""

    def get(self, keyid: str) -> LoadedKey | None:
        """Return a key from memory."""
        ...

    async def find(self, keyid: str) -> LoadedKey | None:
        """Look up a key that is not in memory.

        Raises:
            Unavailable: the lookup is not possible now.
        """
        ...


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The key that signed a delivery, and its single-use nonce."""

    key: KeyRecord
    nonce: str


class Verifier:
    """Verifies arrivals for one public origin.

    Args:
        origin: `https://host[:port]`, from the configuration; the Host header is not used for verification.
        now: returns aware UTC; the only clock.
    """

    def __init__(self, keys: KeySource, *, origin: str, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._origin = origin
        self._now = now

    async def verify(self, arrival: Arrival) -> Proof:
        """Verify the signature and the body's digest.

        Raises:
            InvalidSignature: with details if they follow from the request alone; an unknown or unusable key,
                another algorithm and a wrong signature have the same response.
            Unavailable: the key may be at an address that has not responded yet.
        """
        now = self._now()
        claim = read_claim(arrival.headers.get("signature-input"), arrival.headers.get("signature"))
        check_window(claim, now)
        digest = require_header(arrival.headers, "content-digest")
        key = self._keys.get(claim.keyid) or await self._keys.find(claim.keyid)
        if key is None:
            raise refusal("unknown_key", keyid=claim.keyid)
        if not key.record.is_usable(now):
            raise refusal("unusable_key", keyid=claim.keyid)
        message = SignedMessage(
            method=arrival.method,
            target_uri=f"{self._origin}{arrival.target}",
            content_digest=digest,
            content_type=arrival.headers["content-type"],
        )
        verify(message, claim, key)
        check_digest(digest, arrival.body)
        return Proof(key=key.record, nonce=claim.nonce)
