"""The codec endpoint of Temporal's UI and command line: decrypts payloads for admins.

An admin sees the payloads of the own tenant. Those of other tenants, and those from before payloads were
bound to a tenant, need the role `deployment_operator`. Secrets of inputs stay encrypted within them.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response
from temporalio.converter import PayloadCodec

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import Forbidden
from signalbox_core.temporal.codec import Payload, SealedPayloads, is_encrypted
from signalbox_gateway.api.endpoint import Call, json_response


class PayloadJson(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A payload in protobuf's JSON form: bytes in base64."""

    metadata: Mapping[str, bytes] = {}
    data: bytes = b""


class Payloads(Struct, frozen=True, kw_only=True):
    payloads: Annotated[tuple[PayloadJson, ...], Meta(max_length=1_000)] = ()


class Codec:
    """The handler of POST /v1/codec/decode. Without payload keys, payloads are returned as they are."""

    def __init__(self, codec: PayloadCodec | None) -> None:
        self._codec = codec

    async def decode(self, call: Call) -> Response:
        """Decrypt payloads.

        Raises:
            Forbidden: a payload is another tenant's, or its tenant is unknown.
            Unavailable: a key is missing, or a payload is damaged.
        """
        given = [
            Payload(metadata=item.metadata, data=item.data) for item in (await call.body(Payloads)).payloads
        ]
        if isinstance(self._codec, SealedPayloads) and not call.principal.has(Role.DEPLOYMENT_OPERATOR):
            _check_tenants(self._codec, given, call.principal.tenant)
        opened = await self._codec.decode(given) if self._codec is not None else given
        return json_response(
            Payloads(
                payloads=tuple(PayloadJson(metadata=dict(item.metadata), data=item.data) for item in opened)
            )
        )


def _check_tenants(codec: SealedPayloads, payloads: Sequence[Payload], tenant: str) -> None:
    for payload in payloads:
        if is_encrypted(payload) and codec.tenant_of(payload) != tenant:
            raise Forbidden(
                "a payload belongs to another tenant, or to none;"
                f" decrypting it needs the role {Role.DEPLOYMENT_OPERATOR}",
                role=str(Role.DEPLOYMENT_OPERATOR),
            )
