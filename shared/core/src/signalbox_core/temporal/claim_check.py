"""Keeps large payloads out of Temporal: they go to the object store, and a claim check takes their place.

Temporal refuses a payload above 2 MiB and a message above 4 MiB. A payload above `THRESHOLD_BYTES` is stored
after it was encrypted, under the digest of its bytes in the folder of its tenant and workflow. Reading
verifies the digest and the tenant. Payloads that Temporal holds itself are passed on unchanged, so values of
older releases remain readable.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar
from urllib.parse import quote, unquote

import msgspec
import temporalio.api.common.v1
from google.protobuf.message import DecodeError
from msgspec import Struct
from temporalio.converter import PayloadCodec, SerializationContext, WithSerializationContext

from signalbox_core.errors import InvalidInput, NotFound, Unavailable
from signalbox_core.ids import RUN_ID, derived_id, run_id_of, tenant_of
from signalbox_core.objects import MutableObjectStore
from signalbox_core.temporal.codec import FOREIGN_MARK, SealedPayloads, bound_tenant

Payload = temporalio.api.common.v1.Payload
T = TypeVar("T")

ENCODING: Final = b"json/claim-check"
THRESHOLD_BYTES: Final = 128 * 1024
"""A workflow task with thirty payloads just below it still fits into one message."""
MAX_VALUE_BYTES: Final = 20_000_000
"""The largest value that workflows and activities can exchange; a larger one has to be a file."""
INLINE_MAX_BYTES: Final = 1_900_000
"""The largest value without an object store: below the 2 MiB of Temporal, with room for encryption."""
FOLDER: Final = "payloads"
_NO_TENANT: Final = "~"
"""In the place of a tenant's name, which never begins with `~`."""
_SEAL_BYTES: Final = 65_536
"""Room for what encryption and the envelope add."""
_KEY: Final = re.compile(rf"{FOLDER}/([^/]+)/[^/]+/([0-9a-f]{{64}})")
_MENTION: Final = re.compile(rf'{FOLDER}/[^/"\\]+/[^/"\\]+/[0-9a-f]{{64}}'.encode())
_ATTEMPTS: Final = 3
_BACKOFF_S: Final = 0.2


class ClaimCheck(Struct, frozen=True, kw_only=True):
    """What Temporal holds in the place of a large payload.

    Attributes:
        key: `payloads/<tenant>/<workflow>/<SHA-256 of the bytes>` in the object store.
        size_bytes: of the stored payload.
    """

    key: str
    size_bytes: int

    @property
    def tenant(self) -> str | None:
        """The tenant in whose folder the payload is; None for a workflow without one."""
        name = self.key.split("/")[1]
        return None if name == _NO_TENANT else unquote(name)


class ClaimCheckCodec(PayloadCodec, WithSerializationContext):
    """Stores payloads above `THRESHOLD_BYTES` in the object store.

    Args:
        sealing: encrypts payloads before they are stored, if the process has payload keys.
        workflow_id: the workflow whose payloads are encoded and decoded, if known.
    """

    def __init__(
        self, objects: MutableObjectStore, sealing: SealedPayloads | None, *, workflow_id: str | None = None
    ) -> None:
        self.sealing = sealing
        self._objects = objects
        self._workflow_id = workflow_id

    def with_context(self, context: SerializationContext) -> "ClaimCheckCodec":
        return ClaimCheckCodec(
            self._objects,
            self.sealing.with_context(context) if self.sealing else None,
            workflow_id=getattr(context, "workflow_id", None),
        )

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt payloads, and store the large ones.

        Raises:
            InvalidInput: `value_too_large`: a payload is larger than MAX_VALUE_BYTES.
            Unavailable: the object store failed three times.
        """
        encoded = await self.sealing.encode(payloads) if self.sealing else payloads
        return [await self._store(item) if item.ByteSize() > THRESHOLD_BYTES else item for item in encoded]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Fetch stored payloads and decrypt all.

        A claim check of another tenant than the workflow's is not followed: it is returned with
        `FOREIGN_MARK`, and fails to decode as a value.

        Raises:
            Unavailable: the object store failed three times, lacks a payload (`payload_missing`) or has a
                changed one (`payload_damaged`), or decryption fails.
        """
        fetched = [await self._fetch(item) if is_claim_check(item) else item for item in payloads]
        return await self.sealing.decode(fetched) if self.sealing else fetched

    def _workflow_tenant(self) -> str | None:
        return tenant_of(self._workflow_id or "") or (self.sealing.known_tenant if self.sealing else None)

    async def _store(self, payload: Payload) -> Payload:
        body = payload.SerializeToString()
        if len(body) > MAX_VALUE_BYTES + _SEAL_BYTES:
            raise value_too_large("a value", len(body), MAX_VALUE_BYTES)
        tenant = bound_tenant() or self._workflow_tenant()
        folder = quote(tenant, safe="") if tenant else _NO_TENANT
        key = f"{FOLDER}/{folder}/{workflow_folder(self._workflow_id)}/{hashlib.sha256(body).hexdigest()}"
        # Replaced even if it exists, so that a payload that comes into use again is young: a sweep deletes
        # by age. The key has the digest, so the content is the same.
        await _with_retry(lambda: self._objects.replace(key, body, "application/octet-stream"))
        claim = ClaimCheck(key=key, size_bytes=len(body))
        return Payload(metadata={"encoding": ENCODING}, data=msgspec.json.encode(claim))

    async def _fetch(self, payload: Payload) -> Payload:
        claim = read_claim_check(payload)
        own = self._workflow_tenant()
        if own is not None and claim.tenant not in (None, own):
            return _mark_foreign(payload)
        try:
            body = await _with_retry(lambda: self._objects.get(claim.key))
        except NotFound:
            raise Unavailable(
                f"the object store has no {claim.key}, which a run needs; restore it, or check that gateway"
                " and workers use the same store",
                code="payload_missing",
            ) from None
        stored = _verified(claim, body)
        inner = self.sealing.tenant_of(stored) if self.sealing else None
        if inner not in (None, claim.tenant):
            raise _damaged(claim)
        return stored


def sealing_of(codec: PayloadCodec | None) -> SealedPayloads | None:
    """Return the encryption of a codec; None if it does not encrypt."""
    found = codec.sealing if isinstance(codec, ClaimCheckCodec) else codec
    return found if isinstance(found, SealedPayloads) else None


def payload_tenant(codec: PayloadCodec, payload: Payload) -> str | None:
    """Read the tenant that a payload claims to be of; decoding it verifies the claim.

    Returns:
        None for a payload that is bound to no tenant.

    Raises:
        Unavailable: a key is missing, or the payload is damaged.
    """
    if is_claim_check(payload):
        return read_claim_check(payload).tenant
    sealing = sealing_of(codec)
    return sealing.tenant_of(payload) if sealing is not None else None


def max_value_bytes(codec: PayloadCodec | None) -> int:
    """Return the size of the largest JSON value that `codec` can pass through Temporal."""
    return MAX_VALUE_BYTES if isinstance(codec, ClaimCheckCodec) else INLINE_MAX_BYTES


def is_claim_check(payload: Payload) -> bool:
    return bool(payload.metadata.get("encoding") == ENCODING)


def read_claim_check(payload: Payload) -> ClaimCheck:
    """Decode a claim check.

    Raises:
        Unavailable: `payload_damaged`: it was not made by a ClaimCheckCodec.
    """
    try:
        claim = msgspec.json.decode(payload.data, type=ClaimCheck)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unavailable("a claim check is damaged", code="payload_damaged") from None
    if not _KEY.fullmatch(claim.key):
        raise Unavailable("a claim check names no stored payload", code="payload_damaged")
    return claim


def mentioned_keys(message: bytes) -> frozenset[str]:
    """The keys of stored payloads to which a serialized message of Temporal's API refers.

    Claim checks are never encrypted, because a payload is encrypted before it is stored.
    """
    return frozenset(found.decode() for found in _MENTION.findall(message))


def value_too_large(name: str, size: int, limit: int) -> InvalidInput:
    """The error of a value that is too large to be passed through Temporal."""
    return InvalidInput(
        f"{name} has {size / 1e6:.1f} MB, and at most {limit / 1e6:.1f} MB can be passed between workflow and"
        " activities; store it with deps.objects and pass its ObjectRef",
        code="value_too_large",
    )


def _verified(claim: ClaimCheck, body: bytes) -> Payload:
    digest = claim.key.rpartition("/")[2]
    if len(body) != claim.size_bytes or hashlib.sha256(body).hexdigest() != digest:
        raise _damaged(claim)
    try:
        return Payload.FromString(body)
    except DecodeError:
        raise _damaged(claim) from None


def _damaged(claim: ClaimCheck) -> Unavailable:
    return Unavailable(f"the stored payload {claim.key} was changed", code="payload_damaged")


def _mark_foreign(payload: Payload) -> Payload:
    marked = Payload()
    marked.CopyFrom(payload)
    marked.metadata[FOREIGN_MARK] = b"1"
    return marked


def workflow_folder(workflow_id: str | None) -> str:
    """The folder of a workflow's payloads: its run id, or a digest of another workflow's id."""
    if workflow_id is None:
        return _NO_TENANT
    run_id = run_id_of(workflow_id)
    return run_id if RUN_ID.fullmatch(run_id) else f"{_NO_TENANT}{derived_id(workflow_id)}"


async def _with_retry(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call of the object store, which is idempotent, while the store is unavailable."""
    for attempt in range(1, _ATTEMPTS):
        try:
            return await call()
        except Unavailable as error:
            if error.stable_code == "storage_full":
                raise
        await asyncio.sleep(attempt * _BACKOFF_S)
    return await call()
