"""Registered passkeys in the object store, per tenant. What is created there is never changed (ADR 0019)."""

import hashlib
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from signalbox_core.errors import Conflict, NotFound
from signalbox_core.objects import MutableObjectStore
from signalbox_core.subjects import Subject

T = TypeVar("T", bound=Struct)
_JSON: Final = "application/json"


class RegisteredPasskey(Struct, frozen=True, kw_only=True):
    """A registered passkey.

    Attributes:
        credential_id, public_key: base64url; the key is a COSE key.
        owner: the subject that registered it.
        sign_count: of the authenticator at the registration; 0 if it does not count.
        is_backed_up: it is synchronized between devices, so it is not bound to one.
    """

    credential_id: str
    public_key: str
    rp_id: str
    tenant: str
    owner: str
    name: str
    created_at: datetime
    sign_count: int = 0
    is_backed_up: bool = False


class Revocation(Struct, frozen=True, kw_only=True):
    """When a passkey was revoked, and by whom."""

    at: datetime
    by: Subject


class PasskeyUse(Struct, frozen=True, kw_only=True):
    """The decision that a signature was made for."""

    run_id: str
    approval_id: str
    decision_id: str


class PasskeyStore:
    """Reads and writes the passkeys of all tenants."""

    def __init__(self, objects: MutableObjectStore) -> None:
        self._objects = objects

    async def add(self, passkey: RegisteredPasskey) -> RegisteredPasskey:
        """Store a passkey; idempotent.

        Returns:
            What is stored, which is the earlier registration if there is one.

        Raises:
            Conflict: `passkey_exists`: another subject has registered it.
        """
        folder, name = _folder(passkey.tenant), _hash(passkey.credential_id)
        # First, so that a passkey that can be used is always listed.
        await self._objects.put_new(f"{self._listing(passkey.tenant, passkey.owner)}/{name}", b"{}", _JSON)
        stored = await self._create(f"{folder}/credentials/{name}", passkey)
        if stored.owner != passkey.owner:
            raise Conflict("this passkey belongs to another subject; create a new one", code="passkey_exists")
        return stored

    async def find(self, tenant: str, credential_id: str) -> RegisteredPasskey | None:
        """The passkey of a credential id, revoked or not."""
        return await self._read(f"{_folder(tenant)}/credentials/{_hash(credential_id)}", RegisteredPasskey)

    async def list_of(self, tenant: str, owner: str) -> list[tuple[RegisteredPasskey, Revocation | None]]:
        """The passkeys of a subject, oldest first, each with its revocation."""
        names = [
            key.rpartition("/")[2] for key in await self._objects.list_keys(self._listing(tenant, owner))
        ]
        found = [
            await self._read(f"{_folder(tenant)}/credentials/{name}", RegisteredPasskey) for name in names
        ]
        # A registration that was interrupted leaves a name without a passkey.
        own = sorted(
            (item for item in found if item is not None and item.owner == owner),
            key=lambda item: item.created_at,
        )
        return [(item, await self.revocation_of(item)) for item in own]

    async def revoke(self, passkey: RegisteredPasskey, revocation: Revocation) -> Revocation:
        """Revoke a passkey permanently; the first revocation stays."""
        return await self._create(self._revocation_key(passkey), revocation)

    async def revocation_of(self, passkey: RegisteredPasskey) -> Revocation | None:
        return await self._read(self._revocation_key(passkey), Revocation)

    async def use_of(self, passkey: RegisteredPasskey, signature: str) -> PasskeyUse | None:
        """The decision that a signature was used for before."""
        return await self._read(self._use_key(passkey, signature), PasskeyUse)

    async def add_use(self, passkey: RegisteredPasskey, signature: str, use: PasskeyUse) -> PasskeyUse:
        """Record what a signature is used for; what was recorded first stays and is returned."""
        return await self._create(self._use_key(passkey, signature), use)

    async def raise_count(self, passkey: RegisteredPasskey, count: int, signature: str) -> bool:
        """Record the authenticator's counter; idempotent for a signature.

        Returns:
            False if the counter does not exceed those before: another authenticator has the same passkey.
        """
        folder = f"{_folder(passkey.tenant)}/counts/{_hash(passkey.credential_id)}"
        keys = await self._objects.list_keys(folder)
        known = {int(key.rpartition("/")[2]): key for key in keys}
        highest = max(known, default=passkey.sign_count)
        if count == highest == 0:
            return True
        if count < highest or (count == highest and count not in known):
            return False
        key, digest = f"{folder}/{count:010}", _hash(signature).encode()
        await self._objects.put_new(key, digest, _JSON)
        if await self._objects.get(key) != digest:
            return False
        for lower in sorted(set(known) - {count}):
            await self._objects.delete(known[lower])
        return True

    def _listing(self, tenant: str, owner: str) -> str:
        return f"{_folder(tenant)}/subjects/{_hash(owner)}"

    def _revocation_key(self, passkey: RegisteredPasskey) -> str:
        return f"{_folder(passkey.tenant)}/revoked/{_hash(passkey.credential_id)}"

    def _use_key(self, passkey: RegisteredPasskey, signature: str) -> str:
        return f"{_folder(passkey.tenant)}/uses/{_hash(passkey.credential_id)}/{_hash(signature)}"

    async def _create(self, key: str, value: T) -> T:
        """Create an object and return what is stored under the key."""
        await self._objects.put_new(key, msgspec.json.encode(value), _JSON)
        return msgspec.json.decode(await self._objects.get(key), type=type(value))

    async def _read(self, key: str, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode(await self._objects.get(key), type=kind)
        except NotFound:
            return None


def _folder(tenant: str) -> str:
    return f"passkeys/{quote(tenant, safe='')}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
