"""Proves who sent a delivery: signature fields, times, key, signature, digest, in this order; the cheapest refusal first."""

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
    """Where keys come from."""

    def get(self, keyid: str) -> LoadedKey | None:
        """A key by memory alone."""
        ...

    async def find(self, keyid: str) -> LoadedKey | None:
        """A key that memory does not have.

        Raises:
            Unavailable: nobody knows now whether there is such a key.
        """
        ...


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed a delivery, and the nonce that may be used once."""

    key: KeyRecord
    nonce: str


class Verifier:
    """Verifies arrivals for one public origin.

    Args:
        origin: `https://host[:port]`, from configuration: a Host header is never part of what is verified.
        now: aware UTC; the only clock.
    """

    def __init__(self, keys: KeySource, *, origin: str, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._origin = origin
        self._now = now

    async def prove(self, arrival: Arrival) -> Proof:
        """Prove the arrival's signature and its body's digest.

        Raises:
            InvalidSignature: details that follow from the request alone are named; an unknown or unusable key, another
                algorithm and a wrong signature are all the same refusal.
            Unavailable: the key's sender publishes it at an address that has not answered yet.
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
