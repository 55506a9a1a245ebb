"""The remote codec endpoint of Temporal's UI and command line: decrypts and fetches payloads for admins.

An admin may read the payloads of the own tenant. Payloads of other tenants, and encrypted or stored payloads
that are bound to no tenant, require the role `deployment_operator` as well. Secrets inside an input have a
seal of their own, which stays closed.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct
from starlette.responses import Response
from temporalio.converter import PayloadCodec

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import Forbidden
from signalbox_core.temporal.claim_check import is_claim_check, payload_tenant, read_claim_check
from signalbox_core.temporal.codec import Payload, is_encrypted
from signalbox_gateway.api.endpoint import ApiCall, json_response

MAX_FETCHED_BYTES: Final = 32_000_000
"""How much one request fetches from the object store."""


class PayloadJson(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A payload in protobuf's JSON form: bytes in base64."""

    metadata: Mapping[str, bytes] = {}
    data: bytes = b""


class Payloads(Struct, frozen=True, kw_only=True):
    payloads: Annotated[tuple[PayloadJson, ...], Meta(max_length=1_000)] = ()


class PayloadCodecHandler:
    """The handler of POST /v1/codec/decode.

    Args:
        codec: None without payload keys and object store; payloads are then returned unchanged.
    """

    def __init__(self, codec: PayloadCodec | None) -> None:
        self._codec = codec

    async def decode(self, call: ApiCall) -> Response:
        """Decrypt the payloads, and fetch stored ones up to MAX_FETCHED_BYTES; the rest stay claim checks.

        Raises:
            Forbidden: a payload belongs to another tenant or to none, and the caller lacks the role
                `deployment_operator`.
            Unavailable: a key or a stored payload is missing, or a payload is damaged.
        """
        request = await call.body(Payloads)
        payloads = [Payload(metadata=item.metadata, data=item.data) for item in request.payloads]
        decoded = payloads
        if self._codec is not None:
            if not call.principal.has(Role.DEPLOYMENT_OPERATOR):
                _check_tenants(self._codec, payloads, call.principal.tenant)
            decoded = await _decode(self._codec, payloads)
        return json_response(
            Payloads(
                payloads=tuple(PayloadJson(metadata=dict(item.metadata), data=item.data) for item in decoded)
            )
        )


async def _decode(codec: PayloadCodec, payloads: Sequence[Payload]) -> list[Payload]:
    decoded, fetched = [], 0
    for payload in payloads:
        if is_claim_check(payload):
            fetched += read_claim_check(payload).size_bytes
        is_over = is_claim_check(payload) and fetched > MAX_FETCHED_BYTES
        decoded += [payload] if is_over else await codec.decode([payload])
    return decoded


def _check_tenants(codec: PayloadCodec, payloads: Sequence[Payload], tenant: str) -> None:
    for payload in payloads:
        is_bound = is_encrypted(payload) or is_claim_check(payload)
        if is_bound and payload_tenant(codec, payload) != tenant:
            raise Forbidden(
                "a payload belongs to another tenant or to none;"
                f" decrypting it requires the role {Role.DEPLOYMENT_OPERATOR}",
                role=str(Role.DEPLOYMENT_OPERATOR),
            )
