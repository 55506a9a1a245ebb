"""Payloads encrypted with AES-256-GCM: what Temporal keeps of a run is unreadable without the ring of keys.

Search attributes stay readable, as the server searches in them; they hold the tenant and the pipeline's name only. What was stored
before there were keys is read as it is.
"""

from collections.abc import Sequence
from typing import Final

import temporalio.api.common.v1
from google.protobuf.message import DecodeError
from temporalio.converter import PayloadCodec

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import Unavailable

Payload = temporalio.api.common.v1.Payload

ENCODING: Final = b"binary/encrypted"
"""The name that Temporal's own samples and pages use."""
_KEY_ID: Final = "encryption-key-id"
_CONTEXT: Final = b"signalbox payload"


class SealedPayloads(PayloadCodec):
    """The codec. It needs no serialization context, which a worker's shortcut relies on (signalbox_worker.sandbox_shortcut)."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Raises: Unavailable: a key is missing, or a payload is damaged."""
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        key_id, sealed = self._ring.seal(payload.SerializeToString(), _CONTEXT)
        return Payload(metadata={"encoding": ENCODING, _KEY_ID: key_id.encode()}, data=sealed)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(_KEY_ID, b"").decode(errors="replace")
        try:
            return Payload.FromString(self._ring.open(key_id, payload.data, _CONTEXT))
        except DecodeError:
            raise Unavailable("a payload is damaged", code="payload_damaged") from None
