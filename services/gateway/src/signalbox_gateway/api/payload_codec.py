"""The remote codec endpoint of Temporal's UI and command line: decrypts payloads for admins.

Secrets inside an input have a seal of their own, which stays closed.
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response
from temporalio.converter import PayloadCodec

from signalbox_core.temporal.codec import Payload
from signalbox_gateway.api.endpoint import ApiCall, json_response


class PayloadJson(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A payload in protobuf's JSON form: bytes in base64."""

    metadata: Mapping[str, bytes] = {}
    data: bytes = b""


class Payloads(Struct, frozen=True, kw_only=True):
    payloads: Annotated[tuple[PayloadJson, ...], Meta(max_length=1_000)] = ()


class PayloadCodecHandler:
    """The handler of POST /v1/codec/decode.

    Args:
        codec: None without payload keys; payloads are then returned unchanged.
    """

    def __init__(self, codec: PayloadCodec | None) -> None:
        self._codec = codec

    async def decode(self, call: ApiCall) -> Response:
        """Decrypt the payloads. Raises: Unavailable: a key is missing, or a payload is damaged."""
        request = await call.body(Payloads)
        payloads = [Payload(metadata=item.metadata, data=item.data) for item in request.payloads]
        decoded = await self._codec.decode(payloads) if self._codec is not None else payloads
        return json_response(
            Payloads(
                payloads=tuple(PayloadJson(metadata=dict(item.metadata), data=item.data) for item in decoded)
            )
        )
