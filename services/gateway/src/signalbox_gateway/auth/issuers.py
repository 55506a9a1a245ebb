"""The OpenID issuers whose tokens are taken: what each may say of whom. Data and pure reading; fetching is oidc.py's."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msgspec import Meta, Struct

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import InvalidInput

# No HS256: a shared secret is no proof of who issued a token. No `none`.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
Claims = Mapping[str, object]
VARIABLE: Final = "SIGNALBOX_GATEWAY_ISSUERS_FILE"
_ADDRESS: Final = re.compile(
    r"(https://[^\s/?#@]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?)(/[^\s?#]*)?"
)
_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})
_MIN_RSA_BITS: Final = 2048
_MAX_KEYS: Final = 100


class Issuer(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An issuer and what its tokens may say.

    Attributes:
        issuer: the claim `iss`, exactly; metadata is at `<issuer>/.well-known/openid-configuration`. https, or http on this machine.
        audience: what `aud` must hold.
        jwks_url: where its keys are, when it has no metadata.
        tenant, tenant_claim: every token's tenant, or the claim that names it; one of the two.
        tenants: with a claim: the tenants it may name; any when empty.
        roles_claim: a list, or words in one string. `realm_access.roles` looks inside.
        roles: what a value of it grants; when empty the values are the roles' own names. Other values grant nothing.
        name_claim: what people see beside a decision. Choose one that its owner cannot change.
        revoked: subjects whose tokens count no more.
    """

    issuer: str
    audience: Annotated[str, Meta(min_length=1)]
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)] = ("RS256", "ES256")
    jwks_url: str | None = None
    tenant: str | None = None
    tenant_claim: str | None = None
    tenants: tuple[str, ...] = ()
    roles_claim: str = "roles"
    roles: Mapping[str, tuple[Role, ...]] = {}
    name_claim: str = "sub"
    revoked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for address in (self.issuer, self.jwks_url):
            if address is not None and not is_trusted_address(address):
                raise ValueError(f"{address!r} must be an https address (http only on this machine)")
        if (self.tenant is None) == (self.tenant_claim is None):
            raise ValueError("give either tenant or tenant_claim")
        if any(Role.DEPLOYMENT_OPERATOR in granted for granted in self.roles.values()):
            raise ValueError(
                f"only an API key can have the role {Role.DEPLOYMENT_OPERATOR}; remove it from `roles`"
            )
        if self.tenant is not None and not _TENANT.fullmatch(self.tenant):
            raise ValueError(f"tenant {self.tenant!r} must be letters, digits and ._-")


class IssuerFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    issuers: tuple[Issuer, ...]


class Refused(Exception):
    """Why a token is not taken: for the log, not for the caller."""


class Holder(Struct, frozen=True, kw_only=True):
    """Whom a token names."""

    issuer: str
    subject: str
    name: str
    tenant: str
    roles: frozenset[Role]


def read_issuers(path: Path) -> tuple[Issuer, ...]:
    """Raises: InvalidInput: the file is absent, not valid, or names an issuer twice; the message says where."""
    try:
        issuers = msgspec.json.decode(path.read_bytes(), type=IssuerFile).issuers
    except OSError as error:
        raise InvalidInput(f"cannot read the issuers file {path}: {error.strerror}", field=VARIABLE) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the issuers file {path} is not valid: {error}", field=VARIABLE) from None
    if len({item.issuer for item in issuers}) != len(issuers):
        raise InvalidInput(f"the issuers file {path} names an issuer twice", field=VARIABLE)
    return issuers


def is_trusted_address(url: str) -> bool:
    """Keys come over https; over http only from this machine, for development."""
    return _ADDRESS.fullmatch(url) is not None


def holder_of(claims: Claims, issuer: Issuer) -> Holder:
    """Whom verified claims name.

    Raises:
        Refused: no subject or tenant, one that is revoked or not allowed here.
    """
    subject, name = claims.get("sub"), find(claims, issuer.name_claim)
    tenant = issuer.tenant or find(claims, issuer.tenant_claim or "")
    if not isinstance(subject, str) or not _NAME.fullmatch(subject):
        raise Refused("it has no subject")
    if subject in issuer.revoked:
        raise Refused("its subject is revoked")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Refused(f"its claim {issuer.name_claim} is no name")
    if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
        raise Refused(f"its claim {issuer.tenant_claim} is no tenant")
    if issuer.tenant is None and issuer.tenants and tenant not in issuer.tenants:
        raise Refused("its issuer may not speak for its tenant")
    return Holder(
        issuer=issuer.issuer, subject=subject, name=name, tenant=tenant, roles=_roles(claims, issuer)
    )


def find(claims: Claims, name: str) -> object:
    """A claim by its name (which may have dots, as in `https://example.com/roles`), else by its path (`realm_access.roles`)."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def keys_of(body: bytes, where: str) -> Mapping[str, Mapping[str, Any]]:
    """The public keys of a JWK Set by key id; keys of other uses are left out (RFC 7517 §5).

    Raises:
        InvalidInput: no JWK Set, a private or weak key, a key id twice, or nothing in it can verify.
    """
    try:
        listed = msgspec.json.decode(body, type=dict[str, list[dict[str, Any]]]).get("keys", [])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput(f"{where} is not a JWK Set", field="jwks") from None
    keys: dict[str, Mapping[str, Any]] = {}
    for jwk in listed[:_MAX_KEYS]:
        if not _PRIVATE.isdisjoint(jwk):
            raise InvalidInput(f"{where} publishes a private key or a secret", field="jwks")
        kid = jwk.get("kid")
        if isinstance(kid, str) and kid and jwk.get("use", "sig") == "sig":
            if kid in keys:
                raise InvalidInput(f"{where} has two keys {kid[:40]!r}", field="jwks")
            keys[kid] = jwk
    if not keys:
        raise InvalidInput(f"{where} has no signing key with a kid", field="jwks")
    return keys


def public_key(jwk: Mapping[str, Any], algorithm: str) -> Any:
    """The key for this algorithm. Raises: Refused: it is another kind of key, weak or malformed."""
    if jwk.get("alg", algorithm) != algorithm:
        raise Refused(f"its key is for {jwk.get('alg')!r}")
    try:
        key = jwt.PyJWK(dict(jwk), algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise Refused(f"its key is no {algorithm} key") from error
    if isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        raise Refused("its key is weak")
    return key


def _roles(claims: Claims, issuer: Issuer) -> frozenset[Role]:
    told = find(claims, issuer.roles_claim)
    values: Sequence[object] = (
        told.split() if isinstance(told, str) else told if isinstance(told, Sequence) else ()
    )
    # An issuer may be a tenant's own, so what a token says grants nothing beyond that tenant.
    granted = issuer.roles or {role.value: (role,) for role in Role if role is not Role.DEPLOYMENT_OPERATOR}
    return frozenset(role for value in values if isinstance(value, str) for role in granted.get(value, ()))
