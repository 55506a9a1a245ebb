"""The trusted OpenID issuers: their file, claims and keys, as pure functions; oidc.py fetches the keys."""

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
from signalbox_core.process.json_file import read_json_file
from signalbox_core.subjects import SUBJECT_KINDS, SubjectKind, check_groups

# No HS256: everyone who can verify with a shared secret can also sign. No `none`.
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
    """An issuer and how its claims map to tenants and roles.

    Attributes:
        issuer: the exact value of the claim `iss`; https, or http on this machine. The metadata is at
            `<issuer>/.well-known/openid-configuration`.
        audience: a value that the claim `aud` must contain.
        jwks_url: the address of the keys, for an issuer without metadata.
        tenant, tenant_claim: the tenant of every token, or the claim that names it; exactly one of the two.
        tenants: with `tenant_claim`, the tenants that are accepted; empty accepts all.
        roles_claim: a list, or a space-separated string; `realm_access.roles` is a path.
        roles: the roles that a value of `roles_claim` grants; empty means that values are role names. Other
            values grant nothing.
        name_claim: the name shown with decisions; choose a claim that users cannot edit.
        groups_claim: a list, or one name; a path as in `roles_claim`. The groups are for policies of
            approvals, and appear in events. None: tokens have no groups.
        kind, kind_claim: what the subjects are (`human`, `service`, `agent`), or the claim that names it; a
            token without the claim is of `kind`.
        revoked: subjects whose tokens are refused.
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
    groups_claim: str | None = None
    kind: SubjectKind = "human"
    kind_claim: str | None = None
    revoked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for address in (self.issuer, self.jwks_url):
            if address is not None and not is_trusted_address(address):
                raise ValueError(f"{address!r} must be an https address (http only on this machine)")
        if (self.tenant is None) == (self.tenant_claim is None):
            raise ValueError("set either tenant or tenant_claim")
        if any(Role.DEPLOYMENT_OPERATOR in granted for granted in self.roles.values()):
            raise ValueError(
                f"only an API key can have the role {Role.DEPLOYMENT_OPERATOR}; remove it from `roles`"
            )
        if self.tenant is not None and not _TENANT.fullmatch(self.tenant):
            raise ValueError(f"tenant {self.tenant!r} must be letters, digits and ._-")


class IssuerFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    issuers: tuple[Issuer, ...]


class TokenRefused(Exception):
    """A token is refused; the reason goes to the log, not to the caller."""


class TokenIdentity(Struct, frozen=True, kw_only=True):
    """Who a token was issued to. `kind` and `groups` are optional, for sessions of earlier releases."""

    issuer: str
    subject: str
    name: str
    tenant: str
    roles: frozenset[Role]
    kind: SubjectKind = "human"
    groups: tuple[str, ...] = ()


def read_issuers(path: Path) -> tuple[Issuer, ...]:
    """Read the issuers file. Raises: InvalidInput: it is unreadable, invalid, or lists an issuer twice."""
    issuers = read_json_file(path, IssuerFile, content="issuers", field=VARIABLE).issuers
    if len({item.issuer for item in issuers}) != len(issuers):
        raise InvalidInput(f"the issuers file {path} lists an issuer twice", field=VARIABLE)
    return issuers


def is_trusted_address(url: str) -> bool:
    """Whether keys may be fetched from the address: https, or http on this machine (for development)."""
    return _ADDRESS.fullmatch(url) is not None


def identity_of(claims: Claims, issuer: Issuer) -> TokenIdentity:
    """Map verified claims to an identity.

    Raises:
        TokenRefused: the subject, name or tenant is missing or malformed, the kind or a group is malformed,
            the subject is revoked, or the issuer may not name the tenant.
    """
    subject, name = claims.get("sub"), find_claim(claims, issuer.name_claim)
    tenant = issuer.tenant or find_claim(claims, issuer.tenant_claim or "")
    if not isinstance(subject, str) or not _NAME.fullmatch(subject):
        raise TokenRefused("the claim sub is missing or malformed")
    if subject in issuer.revoked:
        raise TokenRefused("the subject is revoked")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TokenRefused(f"the claim {issuer.name_claim} is not a name")
    if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
        raise TokenRefused(f"the claim {issuer.tenant_claim} is not a tenant")
    if issuer.tenant is None and issuer.tenants and tenant not in issuer.tenants:
        raise TokenRefused("the issuer may not name this tenant")
    return TokenIdentity(
        issuer=issuer.issuer,
        subject=subject,
        name=name,
        tenant=tenant,
        roles=_roles(claims, issuer),
        kind=_kind(claims, issuer),
        groups=_groups(claims, issuer),
    )


def find_claim(claims: Claims, name: str) -> object:
    """Find a claim by its name, which may contain dots (`https://example.com/roles`), else by its path.

    Returns:
        The value; None if there is no such claim.
    """
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def keys_of(body: bytes, where: str) -> Mapping[str, Mapping[str, Any]]:
    """Parse the signing keys of a JWK Set by key id (RFC 7517 §5); keys for other uses are skipped.

    Raises:
        InvalidInput: not a JWK Set; it contains a private key or a duplicate key id, or no signing key.
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
    """Load the key. Raises: TokenRefused: it is weak, malformed, or for another algorithm."""
    if jwk.get("alg", algorithm) != algorithm:
        raise TokenRefused(f"the key is for {jwk.get('alg')!r}")
    try:
        key = jwt.PyJWK(dict(jwk), algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise TokenRefused(f"the key is not an {algorithm} key") from error
    if isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        raise TokenRefused("the key is shorter than 2048 bits")
    return key


def _kind(claims: Claims, issuer: Issuer) -> SubjectKind:
    claim = find_claim(claims, issuer.kind_claim) if issuer.kind_claim is not None else None
    if claim is None:
        return issuer.kind
    kind = next((kind for kind in SUBJECT_KINDS if kind == claim), None)
    if kind is None:
        raise TokenRefused(f"the claim {issuer.kind_claim} is not one of {', '.join(SUBJECT_KINDS)}")
    return kind


def _groups(claims: Claims, issuer: Issuer) -> tuple[str, ...]:
    claim = find_claim(claims, issuer.groups_claim) if issuer.groups_claim is not None else None
    if claim is None:
        return ()
    groups = (claim,) if isinstance(claim, str) else claim
    try:
        named = msgspec.convert(groups, tuple[str, ...])
        check_groups(named)
    except (msgspec.ValidationError, ValueError) as error:
        raise TokenRefused(f"the claim {issuer.groups_claim} is not a list of groups: {error}") from None
    return tuple(dict.fromkeys(named))


def _roles(claims: Claims, issuer: Issuer) -> frozenset[Role]:
    claim = find_claim(claims, issuer.roles_claim)
    values: Sequence[object] = (
        claim.split() if isinstance(claim, str) else claim if isinstance(claim, Sequence) else ()
    )
    # A tenant may run its own issuer, so a token grants nothing outside its tenant.
    granted = issuer.roles or {role.value: (role,) for role in Role if role is not Role.DEPLOYMENT_OPERATOR}
    return frozenset(role for value in values if isinstance(value, str) for role in granted.get(value, ()))
