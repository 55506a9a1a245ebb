"""Encrypts payloads with AES-256-GCM: what Temporal stores of a run cannot be read without the payload keys.

A payload is bound to the tenant of its run where the tenant is known: the tenant is part of the associated
data, and is stored with the payload, encrypted too. Search attributes stay readable, because the server
searches them; they contain only the tenant and the pipeline's name. Unencrypted payloads, and payloads that
are bound to no tenant, can be decoded too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import temporalio.api.common.v1
from google.protobuf.message import DecodeError
from temporalio.converter import PayloadCodec, SerializationContext, WithSerializationContext

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import Unavailable
from signalbox_core.ids import tenant_of

Payload = temporalio.api.common.v1.Payload

ENCODING: Final = b"binary/encrypted"
"""The name that Temporal's own samples and documentation use."""
PLAIN_MARK: Final = "signalbox-plain"
"""Metadata that `decode` adds, in the context of a workflow, to a payload that was not encrypted."""
FOREIGN_MARK: Final = "signalbox-foreign"
"""Metadata that `decode` adds to a payload of another tenant than the workflow's id names."""
_KEY_ID: Final = "encryption-key-id"
_TENANT: Final = "signalbox-tenant"
_CONTEXT: Final = b"signalbox payload"
_TENANT_CONTEXT: Final = b"signalbox tenant"
_MAX_TENANTS: Final = 10_000
_MAX_RUNS: Final = 50_000

_current_tenant: Final[ContextVar[str | None]] = ContextVar("signalbox_payload_tenant", default=None)


@contextmanager
def bind_payloads_to(tenant: str) -> Iterator[None]:
    """Bind the payloads that a client encodes in this block to a tenant."""
    token = _current_tenant.set(tenant)
    try:
        yield
    finally:
        _current_tenant.reset(token)


def bound_tenant() -> str | None:
    """The tenant of the enclosing `bind_payloads_to`, if any."""
    return _current_tenant.get()


class SealedPayloads(PayloadCodec, WithSerializationContext):
    """Encrypts payloads and binds them to a tenant.

    It takes the tenant of a workflow from the payloads of it that it decrypts, in a worker first the input or
    the memo, and binds what the workflow and its activities send to that tenant.

    Args:
        shared: the codec whose caches this one shares; for `with_context`.
        workflow_id: the workflow whose payloads are encoded and decoded, if known.
    """

    def __init__(
        self, ring: KeyRing, *, shared: "SealedPayloads | None" = None, workflow_id: str | None = None
    ) -> None:
        self._ring = ring
        self._workflow_id = workflow_id
        self._tenants: BoundedDict[str, str] = shared._tenants if shared else BoundedDict(_MAX_RUNS)
        self._tags: BoundedDict[tuple[str, str], bytes] = (
            shared._tags if shared else BoundedDict(_MAX_TENANTS)
        )
        self._names: BoundedDict[bytes, str] = shared._names if shared else BoundedDict(_MAX_TENANTS)

    def with_context(self, context: SerializationContext) -> "SealedPayloads":
        return SealedPayloads(self._ring, shared=self, workflow_id=getattr(context, "workflow_id", None))

    @property
    def known_tenant(self) -> str | None:
        """The tenant of the workflow, once one of its payloads was decrypted."""
        return self._tenants.get(self._workflow_id or "")

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        tenant = bound_tenant() or self.known_tenant
        return [self._seal(payload, tenant) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt payloads; unencrypted ones are returned, with `PLAIN_MARK` in the context of a workflow.

        Raises:
            Unavailable: a key is missing, or a payload is damaged.
        """
        return [self._open(payload) for payload in payloads]

    def tenant_of(self, payload: Payload) -> str | None:
        """Read the tenant that an encrypted payload claims to be of; `decode` authenticates the claim.

        Returns:
            None for a payload that is not encrypted or that is bound to no tenant.

        Raises:
            Unavailable: a key is missing, or the payload is damaged.
        """
        tag = payload.metadata.get(_TENANT)
        if tag is None or not is_encrypted(payload):
            return None
        if (name := self._names.get(tag)) is None:
            key_id, _, sealed = tag.partition(b".")
            name = self._ring.open(key_id.decode(errors="replace"), sealed, _TENANT_CONTEXT).decode()
            self._names[tag] = name
        return name

    def _seal(self, payload: Payload, tenant: str | None) -> Payload:
        key_id, sealed = self._ring.seal(payload.SerializeToString(), _associated_data(tenant))
        metadata: dict[str, bytes] = {"encoding": ENCODING, _KEY_ID: key_id.encode()}
        if tenant is not None:
            metadata[_TENANT] = self._tag_of(tenant, key_id)
        return Payload(metadata=metadata, data=sealed)

    def _tag_of(self, tenant: str, key_id: str) -> bytes:
        """Encrypt the tenant; the result is reused for all payloads of a tenant under one key."""
        if (tag := self._tags.get((tenant, key_id))) is None:
            used_key, sealed = self._ring.seal(tenant.encode(), _TENANT_CONTEXT)
            tag = self._tags[tenant, key_id] = used_key.encode() + b"." + sealed
        return tag

    def _open(self, payload: Payload) -> Payload:
        if not is_encrypted(payload):
            return payload if self._workflow_id is None else _mark_plain(payload)
        tenant = self.tenant_of(payload)
        key_id = payload.metadata.get(_KEY_ID, b"").decode(errors="replace")
        try:
            opened = Payload.FromString(self._ring.open(key_id, payload.data, _associated_data(tenant)))
        except DecodeError:
            raise Unavailable("a payload is damaged", code="payload_damaged") from None
        if tenant is not None and self._workflow_id is not None:
            if tenant_of(self._workflow_id) in (None, tenant):
                self._tenants[self._workflow_id] = tenant
            else:
                opened.metadata[FOREIGN_MARK] = b"1"
        return opened


def is_encrypted(payload: Payload) -> bool:
    return bool(payload.metadata.get("encoding") == ENCODING)


def _mark_plain(payload: Payload) -> Payload:
    marked = Payload()
    marked.CopyFrom(payload)
    marked.metadata[PLAIN_MARK] = b"1"
    return marked


def _associated_data(tenant: str | None) -> bytes:
    return _CONTEXT if tenant is None else _CONTEXT + b"\0" + tenant.encode()
