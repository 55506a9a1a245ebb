"""Keys that a sender publishes as a JWK Set (RFC 7517) or an HTTP message signatures directory.

The set only lists keys; their sender and permissions are configured by the operator in the source's record.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, cast
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signalbox_core import base64url
from signalbox_core.errors import InvalidInput
from signalbox_core.signatures.keys import KeyRecord, KeySet, LoadedKey, load_key
from signalbox_core.signatures.profile import Algorithm

MEDIA_TYPES: Final = frozenset(
    {"application/json", "application/jwk-set+json", "application/http-message-signatures-directory+json"}
)
_MAX_KEYS: Final = 100
_URL: Final = re.compile(r"https://[^\s/?#@]+(?:/[\x21\x22\x24-\x7e]*)?")
# Members of a private key or a shared secret, which must not be published.
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})
_NAMES: Final = {
    Algorithm.ED25519: ("EdDSA", "Ed25519", "ed25519"),
    Algorithm.ECDSA_P256: ("ES256", "ecdsa-p256-sha256"),
    Algorithm.RSA_PSS: ("PS512", "rsa-pss-sha512"),
}
Jwk = Mapping[str, object]
PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class JwksSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An address of keys and the permissions of every key there; the other fields are those of KeyRecord.

    Attributes:
        url: https, fetched without following redirects.
        revoked: keyids that are refused even if the sender still publishes them.
    """

    url: str
    sender: str
    tenant: str
    events: tuple[str, ...] = ("*",)
    sources: tuple[str, ...] = ("*",)
    revoked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (_URL.fullmatch(self.url) and _has_valid_host(self.url)):
            raise ValueError(
                "a JWKS url must be https:// with a valid host and port, without user name or fragment"
            )


def _has_valid_host(url: str) -> bool:
    """Whether a client can connect to the host and port of an address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:
        return False
    return bool(host) and port != 0


class _JwkSet(msgspec.Struct, frozen=True, kw_only=True):
    keys: tuple[dict[str, object], ...]


def read_jwks(body: bytes, source: JwksSource) -> KeySet:
    """Return the keys of a set that can verify; other keys are ignored (RFC 7517 §5).

    Raises:
        InvalidInput: not a JWK Set, a private or weak key, a duplicate keyid, or no usable key.
    """
    try:
        jwks = msgspec.json.decode(body, type=_JwkSet).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput(f"{source.url} is not a JWK Set", field="jwks") from None
    if len(jwks) > _MAX_KEYS:
        raise InvalidInput(f"{source.url} has more than {_MAX_KEYS} keys", field="jwks")
    keys = KeySet(key for jwk in jwks if (key := _load(jwk, source)) is not None)
    if not len(keys):
        raise InvalidInput(f"{source.url} has no Ed25519, P-256 or RSA key with a kid", field="jwks")
    return keys


def _load(jwk: Jwk, source: JwksSource) -> LoadedKey | None:
    if not _PRIVATE.isdisjoint(jwk):
        raise InvalidInput(
            f"{source.url} publishes a private key or a secret; its sender must replace it", field="jwks"
        )
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not kid or not _may_verify(jwk):
        return None
    try:
        found = _public_key(jwk)
        if found is None:
            return None
        algorithm, key = found
        if jwk.get("alg", _NAMES[algorithm][0]) not in _NAMES[algorithm]:
            return None
        return load_key(_record(jwk, kid, algorithm, key, source), _no_secret)
    except (ValueError, TypeError, OverflowError, OSError):
        raise InvalidInput(f"{source.url}: key {kid[:40]!r} is malformed", field="jwks") from None


def _record(jwk: Jwk, kid: str, algorithm: Algorithm, key: PublicKey, source: JwksSource) -> KeyRecord:
    return KeyRecord(
        keyid=kid,
        alg=algorithm,
        sender=source.sender,
        tenant=source.tenant,
        events=source.events,
        sources=source.sources,
        public_pem=key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        state="revoked" if kid in source.revoked else "active",
        not_before=_moment(jwk.get("nbf")),
        not_after=_moment(jwk.get("exp")),
    )


def _may_verify(jwk: Jwk) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _public_key(jwk: Jwk) -> tuple[Algorithm, PublicKey] | None:
    match jwk.get("kty"), jwk.get("crv"):
        case "OKP", "Ed25519":
            return Algorithm.ED25519, ed25519.Ed25519PublicKey.from_public_bytes(_bytes(jwk, "x"))
        case "EC", "P-256":
            numbers = ec.EllipticCurvePublicNumbers(_integer(jwk, "x"), _integer(jwk, "y"), ec.SECP256R1())
            return Algorithm.ECDSA_P256, numbers.public_key()
        case "RSA", _:
            return Algorithm.RSA_PSS, rsa.RSAPublicNumbers(
                _integer(jwk, "e"), _integer(jwk, "n")
            ).public_key()
    return None


def _bytes(jwk: Jwk, name: str) -> bytes:
    return base64url.decode(cast(str, jwk.get(name, "")))


def _integer(jwk: Jwk, name: str) -> int:
    return int.from_bytes(_bytes(jwk, name), "big")


def _moment(seconds: object) -> datetime | None:
    """Convert `nbf` or `exp` of a directory: seconds since 1970."""
    return None if seconds is None else datetime.fromtimestamp(float(cast(float, seconds)), UTC)


def _no_secret(name: str) -> bytes:
    raise InvalidInput(f"a published key has no secret file {name}", field="jwks")
