"""Passkeys of the caller: register, list, revoke. Admins list and revoke those of anyone in the tenant."""

import hashlib
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from signalbox_core import base64url
from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import Forbidden
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schemas import NoBody
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.passkeys.decision_signatures import Base64Url, CredentialId
from signalbox_gateway.passkeys.registration import NewCredential, PasskeyRegistration, supported_algorithms
from signalbox_gateway.passkeys.relying_party import NAME, RelyingParty, require_party
from signalbox_gateway.passkeys.store import PasskeyStore, RegisteredPasskey, Revocation


class PasskeyOptions(Struct, frozen=True, kw_only=True):
    """What `navigator.credentials.create` needs; `challenge`, `user_id` and `exclude` are base64url.

    `exclude`: the credentials that the caller has already. User verification is required.
    """

    challenge: str
    rp_id: str
    rp_name: str
    user_id: str
    user_name: str
    algorithms: tuple[int, ...]
    exclude: tuple[str, ...]


class RegisterPasskey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the browser returns of `navigator.credentials.create`, base64url, and a name for it."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    credential_id: CredentialId
    client_data: Base64Url
    attestation_object: Annotated[str, Meta(min_length=1, max_length=64_000)]


class PasskeyView(Struct, frozen=True, kw_only=True):
    """A passkey. `id` is the credential id, base64url.

    `is_backed_up`: it is synchronized between devices. `revoked_at`: it signs nothing any more.
    """

    id: str
    name: str
    subject: str
    created_at: datetime
    is_backed_up: bool
    revoked_at: datetime | None
    revoked_by: str | None


class ListPasskeys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`subject`: whose passkeys to list; only admins may name another subject than their own."""

    subject: Annotated[str, Meta(min_length=1, max_length=1_000)] | None = None


class PasskeyListView(Struct, frozen=True, kw_only=True):
    """The passkeys of a subject, oldest first, revoked ones included.

    `rp_id`: the domain that the passkeys belong to. `tenant` and `subject` are part of what is signed.
    """

    rp_id: str
    tenant: str
    subject: str
    passkeys: tuple[PasskeyView, ...]


class PasskeyHandlers:
    """The handlers of /v1/passkeys.

    Args:
        party: None if this deployment uses no passkeys.
    """

    def __init__(
        self, party: RelyingParty | None, registration: PasskeyRegistration, store: PasskeyStore
    ) -> None:
        self._party = party
        self._registration = registration
        self._store = store

    async def options(self, call: ApiCall) -> Response:
        await call.body(NoBody)
        party, principal = require_party(self._party), _person(call.principal)
        tenant, owner = principal.tenant, principal.subject.subject
        existing = await self._store.list_of(tenant, owner)
        return json_response(
            PasskeyOptions(
                challenge=await self._registration.new_challenge(tenant, principal.subject),
                rp_id=party.rp_id,
                rp_name=NAME,
                user_id=base64url.encode(hashlib.sha256(f"{tenant}\n{owner}".encode()).digest()),
                user_name=principal.name,
                algorithms=supported_algorithms(),
                exclude=tuple(passkey.credential_id for passkey, revoked in existing if revoked is None),
            )
        )

    async def register(self, call: ApiCall) -> Response:
        party, principal = require_party(self._party), _person(call.principal)
        request = await call.body(RegisterPasskey)
        credential = NewCredential(
            credential_id=request.credential_id,
            client_data=request.client_data,
            attestation_object=request.attestation_object,
        )
        passkey = await self._registration.register(
            party, principal.tenant, principal.subject, credential, request.name
        )
        return json_response(_view(passkey, None), 201)

    async def show(self, call: ApiCall) -> Response:
        party, principal = require_party(self._party), call.principal
        owner = call.query(ListPasskeys).subject or principal.subject.subject
        if owner != principal.subject.subject:
            principal.require(Role.ADMIN)
        found = await self._store.list_of(principal.tenant, owner)
        return json_response(
            PasskeyListView(
                rp_id=party.rp_id,
                tenant=principal.tenant,
                subject=owner,
                passkeys=tuple(_view(passkey, revoked) for passkey, revoked in found),
            )
        )

    async def revoke(self, call: ApiCall) -> Response:
        """Revoke permanently; idempotent. Also works while passkeys are switched off."""
        await call.body(NoBody)
        principal = call.principal
        await self._registration.revoke(
            principal.tenant, call.param("passkey_id"), principal.subject, is_admin=principal.has(Role.ADMIN)
        )
        return Response(status_code=204, headers={"cache-control": "no-store"})


def _person(principal: Principal) -> Principal:
    """Return the principal.

    Raises:
        Forbidden: `not_a_person`.
    """
    if principal.subject.kind != "human":
        raise Forbidden(
            f"only people have passkeys, and {principal.subject.subject} is a {principal.subject.kind}; "
            "sign in with your own key",
            code="not_a_person",
        )
    return principal


def _view(passkey: RegisteredPasskey, revoked: Revocation | None) -> PasskeyView:
    return PasskeyView(
        id=passkey.credential_id,
        name=passkey.name,
        subject=passkey.owner,
        created_at=passkey.created_at,
        is_backed_up=passkey.is_backed_up,
        revoked_at=revoked.at if revoked is not None else None,
        revoked_by=(revoked.by.name or revoked.by.subject) if revoked is not None else None,
    )
