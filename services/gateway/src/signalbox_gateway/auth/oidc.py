"""Verifies bearer tokens (JWT, RFC 7519) of the configured OpenID issuers against their published keys."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import jwt
import msgspec
from msgspec import Struct

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.http.cached_document import RemoteDocument
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.subjects import Subject
from signalbox_gateway.auth.issuers import (
    Issuer,
    TokenIdentity,
    TokenRefused,
    identity_of,
    is_trusted_address,
    keys_of,
    public_key,
    read_issuers,
)
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.http.error_codes import Unauthenticated

log = logging.getLogger(__name__)
Keys = Mapping[str, Mapping[str, Any]]
Fetch = Callable[[str], Awaitable[bytes]]
MEDIA_TYPES: Final = frozenset({"application/json", "application/jwk-set+json"})
MAX_TOKEN_CHARS: Final = 8_192
_LEEWAY_S: Final = 30
_MAX_LIFETIME_S: Final = 24 * 3600
# The `typ` of access tokens (RFC 9068 §2.1); logout tokens and the like are refused.
_TYPES: Final = frozenset({None, "jwt", "at+jwt", "application/at+jwt"})


class _Metadata(Struct, frozen=True):
    issuer: str
    jwks_uri: str


class _Header(Struct, frozen=True):
    alg: str
    kid: str
    typ: str | None = None


class Tokens:
    """Finds the principal of a token. The issuers' file is hot-reloaded.

    Args:
        fetch: gives the body at an address of keys or metadata.
        path: None: no issuers, so no token is good.
    """

    def __init__(self, path: Path | None, fetch: Fetch) -> None:
        self._fetch = fetch
        self._file = None if path is None else FollowedFile(path, read_issuers, content="issuers")
        self._trusted: Mapping[str, _Trusted] = {}
        if self._file is not None:
            self._trusted = self._follow(self._file.value)

    async def principal(self, token: str) -> Principal:
        """Verify the token.

        Raises:
            Unauthenticated: the token is invalid, expired or revoked.
            Unavailable: the keys of its issuer have never been fetched.
        """
        try:
            trusted, claims = await self._verified(token)
            identity = identity_of(claims, trusted.issuer)
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired; get a new one") from None
        except (jwt.PyJWTError, TokenRefused) as error:
            log.info("token refused", extra={"reason": str(error) or type(error).__name__})
            raise Unauthenticated(
                "the token is invalid; get one from a configured issuer, for this audience"
            ) from None
        return principal_of(identity, datetime.fromtimestamp(min(claims["exp"], _latest_expiry()), UTC))

    def is_still_trusted(self, identity: TokenIdentity) -> bool:
        """Whether the issuers file still accepts the identity; checked at each use of a session or ticket."""
        trusted = self._trusted.get(identity.issuer)
        if trusted is None or identity.subject in trusted.issuer.revoked:
            return False
        issuer = trusted.issuer
        return (
            identity.tenant == issuer.tenant
            if issuer.tenant
            else not issuer.tenants or identity.tenant in issuer.tenants
        )

    @property
    def tenants(self) -> frozenset[str]:
        """The tenants that the issuers file names."""
        issuers = [trusted.issuer for trusted in self._trusted.values()]
        named = [name for issuer in issuers for name in (issuer.tenant, *issuer.tenants)]
        return frozenset(name for name in named if name is not None)

    async def run(self, every_s: float = 1.0) -> None:
        """Reload the file when it changes and refresh the issuers' keys, until cancelled."""
        while True:
            await asyncio.to_thread(self.reload)
            for trusted in self._trusted.values():
                await trusted.keys.refresh()
            await asyncio.sleep(every_s)

    def reload(self) -> None:
        """Load the issuers if their file has changed; a version that cannot be loaded changes nothing."""
        if self._file is not None and self._file.reload():
            self._trusted = self._follow(self._file.value)

    async def _verified(self, token: str) -> "tuple[_Trusted, Mapping[str, Any]]":
        header, issuer = _read_unverified(token)
        trusted = self._trusted.get(issuer)
        if trusted is None:
            raise TokenRefused("the issuer is not configured")
        if header.alg not in trusted.issuer.algorithms:
            raise TokenRefused(f"the algorithm {header.alg[:20]!r} is not configured for the issuer")
        if header.typ is not None and header.typ.lower() not in _TYPES:
            raise TokenRefused(f"its type is {header.typ[:40]!r}")
        key = public_key(await trusted.key(header.kid), header.alg)
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[header.alg],
            audience=trusted.issuer.audience,
            issuer=issuer,
            leeway=_LEEWAY_S,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        if not isinstance(claims["exp"], int | float):
            # PyJWT accepts a text of digits.
            raise TokenRefused("the claim exp is not a number")
        return trusted, claims

    def _follow(self, issuers: "tuple[Issuer, ...]") -> "Mapping[str, _Trusted]":
        """Keep the cached keys of issuers whose address did not change."""
        known = self._trusted
        return {item.issuer: _Trusted(item, self._fetch, known.get(item.issuer)) for item in issuers}


class _Trusted:
    """A trusted issuer with its cached keys."""

    def __init__(self, issuer: Issuer, fetch: Fetch, before: "_Trusted | None") -> None:
        self.issuer = issuer
        self._fetch = fetch
        stays = before is not None and before.issuer.jwks_url == issuer.jwks_url
        self.keys: RemoteDocument[Keys] = (
            before.keys if before is not None and stays else RemoteDocument(issuer.issuer, self._load)
        )

    async def key(self, kid: str) -> Mapping[str, Any]:
        """Find a key; an unknown id triggers a rate-limited refetch.

        Raises:
            TokenRefused: the issuer has no such key.
            Unavailable: the keys of the issuer have never been fetched.
        """
        if self.keys.value is None or kid not in self.keys.value:
            await self.keys.refetch()
        if self.keys.value is None:
            raise Unavailable(
                "the token's issuer does not respond, and its keys are not cached; try again later",
                code="issuer_unavailable",
            )
        if kid not in self.keys.value:
            raise TokenRefused("the issuer publishes no such key")
        return self.keys.value[kid]

    async def _load(self) -> Keys:
        url = self.issuer.jwks_url or await self._discovered()
        return keys_of(await self._fetch(url), url)

    async def _discovered(self) -> str:
        url = f"{self.issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            found = msgspec.json.decode(await self._fetch(url), type=_Metadata)
        except msgspec.DecodeError as error:
            raise InvalidInput(f"{url} is not OpenID metadata: {error}", field="issuer") from None
        if found.issuer != self.issuer.issuer or not is_trusted_address(found.jwks_uri):
            raise InvalidInput(
                f"{url} names another issuer, or a jwks_uri that is not an https address",
                field="issuer",
            )
        return found.jwks_uri


def principal_of(identity: TokenIdentity, expires_at: datetime) -> Principal:
    return Principal(
        # Quoted, so that the last colon ends the issuer: two pairs of issuer and subject never share a key.
        key_id=f"oidc:{identity.issuer}:{quote(identity.subject, safe='@|/')}",
        name=identity.name,
        tenant=identity.tenant,
        roles=identity.roles,
        subject=Subject(
            subject=f"{identity.issuer}#{identity.subject}",
            kind=identity.kind,
            name=identity.name if identity.kind == "human" else None,
            groups=identity.groups,
        ),
        expires_at=expires_at,
        token_identity=identity,
    )


def _read_unverified(token: str) -> tuple[_Header, str]:
    """Header and issuer, not yet verified: they select the key and serve no other purpose."""
    if len(token) > MAX_TOKEN_CHARS:
        raise TokenRefused("it is too long")
    try:
        header = msgspec.convert(jwt.get_unverified_header(token), _Header)
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (msgspec.ValidationError, jwt.PyJWTError, ValueError, RecursionError):
        raise TokenRefused("it is not a token with alg and kid") from None
    if not isinstance(issuer, str):
        raise TokenRefused("the claim iss is missing")
    return header, issuer


def _latest_expiry() -> float:
    """A day from now: no token is accepted for longer without being verified again, whatever its `exp`."""
    return datetime.now(UTC).timestamp() + _MAX_LIFETIME_S
