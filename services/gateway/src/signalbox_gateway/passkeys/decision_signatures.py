"""Verifies that a decision is signed with a registered passkey of who decides (WebAuthn Level 3 §7.2)."""

from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import replace

from signalbox_core.errors import Forbidden, InvalidInput, InvalidSignature
from signalbox_core.passkeys.signature import (
    DecisionStatement,
    PasskeySignature,
    answer_sha256,
    note_sha256,
)
from signalbox_core.passkeys.verification import VerifiedAssertion, verify_signature
from signalbox_core.patterns import whole
from signalbox_core.pipeline.contract.messages import (
    DIGEST_REQUIRED,
    Decision,
    digest_required,
)
from signalbox_gateway.passkeys.relying_party import RelyingParty, require_party
from signalbox_gateway.passkeys.store import PasskeyStore, PasskeyUse, RegisteredPasskey

_BASE64URL: Final = whole(r"[A-Za-z0-9_-]+")
CredentialId = Annotated[str, Meta(min_length=1, max_length=1_400, pattern=_BASE64URL)]
Base64Url = Annotated[str, Meta(min_length=1, max_length=8_000, pattern=_BASE64URL)]


class DecisionAssertion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the browser returns of `navigator.credentials.get`, base64url.

    The challenge is the SHA-256 of the canonical JSON of the statement (docs/passkeys.md).
    """

    credential_id: CredentialId
    authenticator_data: Base64Url
    client_data: Base64Url
    signature: Base64Url


class DecisionSignatures:
    """Verifies assertions of decisions and records their use.

    Args:
        party: None if this deployment uses no passkeys.
    """

    def __init__(self, party: RelyingParty | None, store: PasskeyStore) -> None:
        self._party = party
        self._store = store

    async def verify(self, tenant: str, run_id: str, decision: Decision, made: DecisionAssertion) -> Decision:
        """Return the decision with its verified signature. The run checks the signature, too.

        Raises:
            InvalidInput: `digest_required`.
            Forbidden: `passkeys_disabled`, `passkey_unknown`, `passkey_of_another`, `passkey_revoked`,
                `passkey_wrong_origin`, `signature_replayed`, `passkey_cloned`, or the code of
                `verify_signature`.
        """
        party = require_party(self._party)
        statement = _statement(tenant, run_id, decision)
        passkey = await self._passkey_of(tenant, statement.subject, made.credential_id)
        signature = PasskeySignature(
            statement=statement,
            credential_id=passkey.credential_id,
            public_key=passkey.public_key,
            rp_id=party.rp_id,
            authenticator_data=made.authenticator_data,
            client_data=made.client_data,
            signature=made.signature,
        )
        use = PasskeyUse(run_id=run_id, approval_id=decision.approval_id, decision_id=decision.decision_id)
        earlier = await self._store.use_of(passkey, made.signature)
        if earlier is not None and earlier != use:
            raise _replayed(earlier)
        try:
            verified = verify_signature(signature, statement)
        except InvalidSignature as error:
            raise Forbidden(error.detail, code=error.stable_code, field=error.field) from None
        party.require_origin(verified.origin)
        if earlier is None:
            await self._record_use(passkey, made.signature, use, verified)
        return replace(decision, signature=signature)

    async def _passkey_of(self, tenant: str, subject: str, credential_id: str) -> RegisteredPasskey:
        passkey = await self._store.find(tenant, credential_id)
        if passkey is None:
            raise Forbidden("this passkey is not registered; register it first", code="passkey_unknown")
        if passkey.owner != subject:
            raise Forbidden(
                "this passkey belongs to another subject; sign with your own", code="passkey_of_another"
            )
        if (revocation := await self._store.revocation_of(passkey)) is not None:
            raise Forbidden(
                f"this passkey was revoked at {revocation.at.isoformat(timespec='seconds')}; use another one",
                code="passkey_revoked",
            )
        return passkey

    async def _record_use(
        self, passkey: RegisteredPasskey, signature: str, use: PasskeyUse, verified: VerifiedAssertion
    ) -> None:
        if not await self._store.raise_count(passkey, verified.sign_count, signature):
            raise Forbidden(
                "the signature counter of this passkey did not increase, so a copy of it exists; "
                "revoke it and register another",
                code="passkey_cloned",
            )
        stored = await self._store.add_use(passkey, signature, use)
        if stored != use:
            raise _replayed(stored)


def _statement(tenant: str, run_id: str, decision: Decision) -> DecisionStatement:
    if decision.digest is None or decision.decider is None:
        raise InvalidInput(digest_required(decision.approval_id), field="digest", code=DIGEST_REQUIRED)
    return DecisionStatement(
        tenant=tenant,
        run_id=run_id,
        approval_id=decision.approval_id,
        question_digest=decision.digest,
        decision_id=decision.decision_id,
        subject=decision.decider.subject,
        answer_sha256=answer_sha256(decision.answer),
        note_sha256=note_sha256(decision.note),
        objection=decision.objection,
    )


def _replayed(use: PasskeyUse) -> Forbidden:
    return Forbidden(
        f"this signature was used for decision {use.decision_id} of approval {use.approval_id}; sign again",
        code="signature_replayed",
    )
