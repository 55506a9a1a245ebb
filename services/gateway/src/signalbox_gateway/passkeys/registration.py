"""Registers and revokes passkeys; each is an entry of the tenant's ledger."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from fido2 import cbor
from fido2.cose import CoseKey
from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
    PublicKeyCredentialRpEntity,
)
from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core import base64url
from signalbox_core.errors import Forbidden, InvalidInput, NotFound
from signalbox_core.passkeys.verification import MALFORMED
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.subjects import Subject
from signalbox_gateway.passkeys.ledger_entries import RecordEvent, passkey_event
from signalbox_gateway.passkeys.relying_party import NAME, RelyingParty
from signalbox_gateway.passkeys.store import PasskeyStore, RegisteredPasskey, Revocation

MAX_PASSKEYS: Final = 20
CHALLENGE_TTL: Final = timedelta(minutes=5)


class NewCredential(Struct, frozen=True, kw_only=True):
    """What the browser returns of `navigator.credentials.create`, base64url."""

    credential_id: str
    client_data: str
    attestation_object: str


class PasskeyRegistration:
    """The registration ceremony (WebAuthn Level 3 §7.1) and revocation.

    Args:
        record: appends an event to the tenant's ledger.
    """

    def __init__(self, redis: Redis, store: PasskeyStore, record: RecordEvent) -> None:
        self._redis = redis
        self._store = store
        self._record = record

    async def new_challenge(self, tenant: str, owner: Subject) -> str:
        """A challenge for one registration of this subject within five minutes, base64url."""
        challenge = base64url.encode(secrets.token_bytes(32))
        key = _challenge_key(challenge)
        with map_redis_errors(key):
            await self._redis.set(key, _holder(tenant, owner), px=CHALLENGE_TTL)
        return challenge

    async def register(
        self, party: RelyingParty, tenant: str, owner: Subject, credential: NewCredential, name: str
    ) -> RegisteredPasskey:
        """Verify a new credential and store it as a passkey of the subject.

        Raises:
            InvalidInput: `passkey_invalid`: the credential is malformed, of another page, or was created
                without user verification.
            Conflict: `passkey_exists`.
            Forbidden: `passkey_challenge_expired`, `passkey_wrong_origin`, `too_many_passkeys`.
        """
        client = _client_data(credential)
        await self._take_challenge(base64url.encode(client.challenge), tenant, owner)
        party.require_origin(client.origin)
        data, attested = _verified(party, client, credential)
        if len(await self._store.list_of(tenant, owner.subject)) >= MAX_PASSKEYS:
            raise Forbidden(
                f"a subject has at most {MAX_PASSKEYS} passkeys, revoked ones included",
                code="too_many_passkeys",
            )
        passkey = RegisteredPasskey(
            credential_id=base64url.encode(attested.credential_id),
            public_key=base64url.encode(cbor.encode(attested.public_key)),
            rp_id=party.rp_id,
            tenant=tenant,
            owner=owner.subject,
            name=name,
            created_at=datetime.now(UTC),
            sign_count=data.counter,
            is_backed_up=data.is_backed_up(),
        )
        await self._record(passkey_event("registered", passkey, owner, passkey.created_at))
        return await self._store.add(passkey)

    async def revoke(self, tenant: str, credential_id: str, by: Subject, *, is_admin: bool) -> None:
        """Revoke a passkey of the caller, or as an admin of anyone in the tenant. Idempotent.

        Raises:
            NotFound: `passkey_unknown`: the tenant has none of this id, or it is not the caller's.
        """
        passkey = await self._store.find(tenant, credential_id)
        if passkey is None or not (is_admin or passkey.owner == by.subject):
            raise NotFound(
                f"you have no passkey {credential_id[:128]!r}; list them with GET /v1/passkeys",
                code="passkey_unknown",
            )
        revocation = await self._store.revoke(passkey, Revocation(at=datetime.now(UTC), by=by))
        await self._record(passkey_event("revoked", passkey, revocation.by, revocation.at))

    async def _take_challenge(self, challenge: str, tenant: str, owner: Subject) -> None:
        key = _challenge_key(challenge)
        with map_redis_errors(key):
            found = await self._redis.getdel(key)
        if found != _holder(tenant, owner):
            raise Forbidden(
                "the challenge was used before, has expired, or was issued to another subject; start again",
                code="passkey_challenge_expired",
            )


def supported_algorithms() -> tuple[int, ...]:
    """The COSE algorithms of passkeys, the preferred one first."""
    return tuple(CoseKey.supported_algorithms())


def _client_data(credential: NewCredential) -> CollectedClientData:
    try:
        client = CollectedClientData(base64url.decode_canonical(credential.client_data))
        if not isinstance(client.origin, str):
            raise TypeError
    except MALFORMED:
        raise _invalid("the client data are malformed") from None
    return client


def _verified(
    party: RelyingParty, client: CollectedClientData, credential: NewCredential
) -> tuple[AuthenticatorData, AttestedCredentialData]:
    server = Fido2Server(
        PublicKeyCredentialRpEntity(id=party.rp_id, name=NAME), verify_origin=party.origins.__contains__
    )
    state = {"challenge": base64url.encode(client.challenge), "user_verification": "required"}
    response = {
        "id": credential.credential_id,
        "rawId": credential.credential_id,
        "response": {
            "clientDataJSON": credential.client_data,
            "attestationObject": credential.attestation_object,
        },
        "type": "public-key",
    }
    try:
        data = server.register_complete(state, response)
    except ValueError as error:
        raise _invalid(str(error)) from None
    except MALFORMED:
        raise _invalid("the attestation object is malformed") from None
    attested = data.credential_data
    if attested is None or base64url.encode(attested.credential_id) != credential.credential_id:
        raise _invalid("the credential id is another one than the authenticator's")
    if attested.public_key.get(3) not in supported_algorithms():
        raise _invalid("the algorithm of the public key is not supported")
    return data, attested


def _invalid(reason: str) -> InvalidInput:
    return InvalidInput(
        f"the passkey cannot be registered: {reason.rstrip('.')[:300]}",
        code="passkey_invalid",
        field="credential_id",
    )


def _challenge_key(challenge: str) -> str:
    return f"signalbox:passkey-challenge:{{{hashlib.sha256(challenge.encode()).hexdigest()}}}"


def _holder(tenant: str, owner: Subject) -> bytes:
    return msgspec.json.encode([tenant, owner.subject])
