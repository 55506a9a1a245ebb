"""Verification keys: each record binds algorithm, sender and permissions; weak keys are refused at load.

The algorithm is the record's, not the request's: otherwise an HMAC with a public RSA key's PEM would verify.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final, Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from http_message_signatures import VerificationKey
from http_message_signatures.algorithms import (
    ECDSA_P256_SHA256,
    ED25519,
    HMAC_SHA256,
    RSA_PSS_SHA512,
    HTTPSignatureAlgorithm,
)

from signalbox_core.errors import InvalidInput
from signalbox_core.signatures import profile
from signalbox_core.signatures.profile import Algorithm

IMPLEMENTATIONS: Final[dict[Algorithm, type[HTTPSignatureAlgorithm]]] = {
    Algorithm.ED25519: ED25519,
    Algorithm.ECDSA_P256: ECDSA_P256_SHA256,
    Algorithm.RSA_PSS: RSA_PSS_SHA512,
    Algorithm.HMAC: HMAC_SHA256,
}
ReadSecret = Callable[[str], bytes]


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One sender's key as in the key file.

    Attributes:
        public_pem: the public key (SubjectPublicKeyInfo), for every algorithm but HMAC.
        secret_file: for HMAC, the file that holds the secret; relative to the key file.
        tenant: the only tenant whose events the sender may send; `*` is any.
        events: patterns over short event names, as in `run.*`; `*` is any.
        sources: patterns over the events' `source`.
        not_before, not_after: validity period, aware; in a rotation the periods of two keys overlap.
    """

    keyid: str
    alg: Algorithm
    sender: str
    tenant: str
    public_pem: str | None = None
    secret_file: str | None = None
    events: tuple[str, ...] = ("*",)
    sources: tuple[str, ...] = ("*",)
    state: Literal["active", "revoked"] = "active"
    not_before: datetime | None = None
    not_after: datetime | None = None

    def is_usable(self, now: datetime) -> bool:
        """Whether the key may verify at `now`."""
        has_started = self.not_before is None or self.not_before <= now
        return self.state == "active" and has_started and (self.not_after is None or now < self.not_after)

    def permits_tenant(self, tenant: str) -> bool:
        return self.tenant in ("*", tenant)

    def permits_event(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.events)

    def permits_source(self, source: str) -> bool:
        return any(fnmatchcase(source, pattern) for pattern in self.sources)


class LoadedKey:
    """A key record with its parsed key material; `verifier` is bound to this key and its algorithm."""

    __slots__ = ("implementation", "material", "record", "verifier")

    def __init__(self, record: KeyRecord, material: VerificationKey) -> None:
        self.record = record
        self.material = material
        self.implementation = IMPLEMENTATIONS[record.alg]
        implementation: Callable[..., HTTPSignatureAlgorithm] = self.implementation
        self.verifier = implementation(public_key=material)


class KeySet:
    """The keys of a receiver by keyid; immutable, and replaced as a whole on reload."""

    def __init__(self, keys: Iterable[LoadedKey]) -> None:
        self._keys: dict[str, LoadedKey] = {}
        for key in keys:
            if key.record.keyid in self._keys:
                raise InvalidInput(
                    f"keyid {key.record.keyid} is defined twice; every key needs its own keyid", field="keyid"
                )
            self._keys[key.record.keyid] = key

    def get(self, keyid: str) -> LoadedKey | None:
        return self._keys.get(keyid)

    def __iter__(self) -> Iterator[LoadedKey]:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._keys)


def load_key(record: KeyRecord, read_secret: ReadSecret) -> LoadedKey:
    """Parse the record's key material.

    Raises:
        InvalidInput: the key is weak, private, or of another type than `alg`; the message names the keyid.
    """
    for name, value in (("keyid", record.keyid), ("sender", record.sender), ("tenant", record.tenant)):
        if not (1 <= len(value) <= profile.MAX_KEYID_CHARS and value.isprintable()):
            raise InvalidInput(
                f"key {record.keyid[:40]!r}: {name} must be 1 to {profile.MAX_KEYID_CHARS} characters",
                field=name,
            )
    for name, moment in (("not_before", record.not_before), ("not_after", record.not_after)):
        if moment is not None and moment.tzinfo is None:
            raise InvalidInput(
                f"key {record.keyid}: {name} needs a time zone, as in 2030-01-01T00:00:00Z", field=name
            )
    if record.alg is Algorithm.HMAC:
        return LoadedKey(record, _secret(record, read_secret))
    return LoadedKey(record, _public_key(record))


def _secret(record: KeyRecord, read_secret: ReadSecret) -> bytes:
    if record.secret_file is None or record.public_pem is not None:
        raise InvalidInput(
            f"key {record.keyid}: {record.alg} needs secret_file and no public_pem", field="secret_file"
        )
    secret = read_secret(record.secret_file)
    if len(secret) < profile.MIN_HMAC_SECRET_BYTES:
        raise InvalidInput(
            f"key {record.keyid}: the secret in {record.secret_file} has {len(secret)} bytes, "
            f"at least {profile.MIN_HMAC_SECRET_BYTES} are needed",
            field="secret_file",
        )
    if b"-----BEGIN" in secret:
        raise InvalidInput(
            f"key {record.keyid}: {record.secret_file} holds a PEM, not a secret", field="secret_file"
        )
    return secret


def _public_key(record: KeyRecord) -> VerificationKey:
    if record.public_pem is None or record.secret_file is not None:
        raise InvalidInput(
            f"key {record.keyid}: {record.alg} needs public_pem and no secret_file", field="public_pem"
        )
    if "PRIVATE KEY" in record.public_pem:
        raise InvalidInput(
            f"key {record.keyid}: public_pem holds a private key; replace that key, it is no longer secret",
            field="public_pem",
        )
    try:
        key = load_pem_public_key(record.public_pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidInput(
            f"key {record.keyid}: public_pem is not a public key in PEM", field="public_pem"
        ) from None
    match record.alg, key:
        case (Algorithm.ED25519, ed25519.Ed25519PublicKey()):
            return key
        case (Algorithm.ECDSA_P256, ec.EllipticCurvePublicKey(curve=ec.SECP256R1())):
            return key
        case (Algorithm.RSA_PSS, rsa.RSAPublicKey(key_size=bits)) if bits >= profile.MIN_RSA_BITS:
            return key
        case (Algorithm.RSA_PSS, rsa.RSAPublicKey(key_size=bits)):
            raise InvalidInput(
                f"key {record.keyid}: RSA with {bits} bits, at least {profile.MIN_RSA_BITS} are needed",
                field="public_pem",
            )
    raise InvalidInput(f"key {record.keyid}: public_pem is not a key for {record.alg}", field="public_pem")
