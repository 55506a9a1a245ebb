"""The codec endpoint of Temporal's UI and command line: opens sealed payloads for admins. Secrets of inputs stay sealed within them."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response
from temporalio.converter import PayloadCodec

from signalbox_core.temporal.codec import Payload
from signalbox_gateway.api.endpoint import Call, json_response


class PayloadJson(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A payload in protobuf's JSON form: bytes in base64."""

    metadata: Mapping[str, bytes] = {}
    data: bytes = b""


class Payloads(Struct, frozen=True, kw_only=True):
    payloads: Annotated[tuple[PayloadJson, ...], Meta(max_length=1_000)] = ()


class Codec:
    """The handler of POST /v1/codec/decode. Without payload keys nothing is sealed, and everything is given back as it came."""

    def __init__(self, codec: PayloadCodec | None) -> None:
        self._codec = codec

    async def decode(self, call: Call) -> Response:
        """Raises: Unavailable: a key is missing, or a payload is damaged."""
        given = [
            Payload(metadata=item.metadata, data=item.data) for item in (await call.body(Payloads)).payloads
        ]
        opened = await self._codec.decode(given) if self._codec is not None else given
        return json_response(
            Payloads(
                payloads=tuple(PayloadJson(metadata=dict(item.metadata), data=item.data) for item in opened)
            )
        )
