"""Encrypts payloads with AES-256-GCM: what Temporal stores of a run cannot be read without the payload keys.

Search attributes stay readable, since the server searches them; they hold only tenant and pipeline. Payloads
that were stored without keys are still read.
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
"""The name used in Temporal's samples and documentation."""
_KEY_ID: Final = "encryption-key-id"
_CONTEXT: Final = b"signalbox payload"


class SealedPayloads(PayloadCodec):
    """The codec.

    It must not need a serialization context: signalbox_worker.sandbox_shortcut relies on that.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt.

        Raises:
            Unavailable: a key is missing, or a payload is damaged.
        """
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
