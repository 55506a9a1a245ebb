"""A passkey authenticator in software (WebAuthn Level 3 §6): creates passkeys and signs with them."""

import hashlib
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData
from msgspec import Struct

from signalbox_core import base64url
from signalbox_core.passkeys.signature import DecisionStatement, PasskeySignature

RP_ID: Final = "signalbox.test"
ORIGIN: Final = "https://signalbox.test"
FLAG: Final = AuthenticatorData.FLAG


class Assertion(Struct, frozen=True, kw_only=True):
    """What a browser returns of `navigator.credentials.get`, base64url."""

    credential_id: str
    authenticator_data: str
    client_data: str
    signature: str


class Authenticator:
    """One passkey of one person."""

    def __init__(self, name: str, *, rp_id: str = RP_ID, origin: str = ORIGIN) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._id = hashlib.sha256(name.encode()).digest()
        self.rp_id = rp_id
        self.origin = origin
        self.sign_count = 0
        self.verifies_user = True

    @property
    def credential_id(self) -> str:
        return base64url.encode(self._id)

    @property
    def public_key(self) -> str:
        return base64url.encode(cbor.encode(self._cose))

    @property
    def _cose(self) -> ES256:
        return ES256.from_cryptography_key(self._key.public_key())  # type: ignore[no-untyped-call]

    def create(self, challenge: bytes) -> dict[str, object]:
        """The credential of `navigator.credentials.create`, as the API takes it."""
        credential = AttestedCredentialData.create(b"\0" * 16, self._id, self._cose)
        data = self._data(FLAG.AT, bytes(credential))
        client = CollectedClientData.create("webauthn.create", challenge, self.origin)
        return {
            "credential_id": self.credential_id,
            "client_data": base64url.encode(client),
            "attestation_object": base64url.encode(AttestationObject.create("none", data, {})),
        }

    def sign(self, challenge: bytes, *, kind: str = "webauthn.get") -> Assertion:
        self.sign_count += 1
        data = self._data()
        client = CollectedClientData.create(kind, challenge, self.origin)
        signature = self._key.sign(bytes(data) + client.hash, ec.ECDSA(hashes.SHA256()))
        return Assertion(
            credential_id=self.credential_id,
            authenticator_data=base64url.encode(data),
            client_data=base64url.encode(client),
            signature=base64url.encode(signature),
        )

    def sign_statement(self, statement: DecisionStatement) -> PasskeySignature:
        """The signature as a decision and a receipt carry it."""
        found = self.sign(statement.challenge)
        return PasskeySignature(
            statement=statement,
            credential_id=found.credential_id,
            public_key=self.public_key,
            rp_id=self.rp_id,
            authenticator_data=found.authenticator_data,
            client_data=found.client_data,
            signature=found.signature,
        )

    def _data(self, flags: int = 0, credential: bytes = b"") -> AuthenticatorData:
        verified = FLAG.UV if self.verifies_user else 0
        return AuthenticatorData.create(
            hashlib.sha256(self.rp_id.encode()).digest(),
            FLAG(FLAG.UP | verified | flags),
            self.sign_count,
            credential,
        )
