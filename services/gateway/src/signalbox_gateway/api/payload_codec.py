"""The remote codec endpoint of Temporal's UI and command line: decrypts payloads for admins.

An admin may decrypt the payloads of the own tenant. Payloads of other tenants, and payloads bound to no
tenant, require the role `deployment_operator` as well. Secrets inside an input have a seal of their own,
which stays closed.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response
from temporalio.converter import PayloadCodec

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import Forbidden
from signalbox_core.temporal.codec import Payload, SealedPayloads, is_encrypted
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
        """Decrypt the payloads.

        Raises:
            Forbidden: a payload belongs to another tenant or to none, and the caller lacks the role
                `deployment_operator`.
            Unavailable: a key is missing, or a payload is damaged.
        """
        request = await call.body(Payloads)
        payloads = [Payload(metadata=item.metadata, data=item.data) for item in request.payloads]
        if isinstance(self._codec, SealedPayloads) and not call.principal.has(Role.DEPLOYMENT_OPERATOR):
            _check_tenants(self._codec, payloads, call.principal.tenant)
        decoded = await self._codec.decode(payloads) if self._codec is not None else payloads
        return json_response(
            Payloads(
                payloads=tuple(PayloadJson(metadata=dict(item.metadata), data=item.data) for item in decoded)
            )
        )


def _check_tenants(codec: SealedPayloads, payloads: Sequence[Payload], tenant: str) -> None:
    for payload in payloads:
        if is_encrypted(payload) and codec.tenant_of(payload) != tenant:
            raise Forbidden(
                "a payload belongs to another tenant or to none;"
                f" decrypting it requires the role {Role.DEPLOYMENT_OPERATOR}",
                role=str(Role.DEPLOYMENT_OPERATOR),
            )
