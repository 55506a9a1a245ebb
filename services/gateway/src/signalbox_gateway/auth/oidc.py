"""Bearer tokens (JWT, RFC 7519) of configured OpenID issuers: verified against the keys that each issuer publishes."""

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
from signalbox_gateway.auth.issuers import (
    Holder,
    Issuer,
    Refused,
    holder_of,
    is_trusted_address,
    keys_of,
    public_key,
    read_issuers,
)
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.http.problems import Unauthenticated

log = logging.getLogger(__name__)
Keys = Mapping[str, Mapping[str, Any]]
Fetch = Callable[[str], Awaitable[bytes]]
MEDIA_TYPES: Final = frozenset({"application/json", "application/jwk-set+json"})
MAX_TOKEN_CHARS: Final = 8_192
_LEEWAY_S: Final = 30
_MANY_S: Final = 24 * 3600
# What a token for a resource may call itself (RFC 9068 §2.1); an ID token of another kind, or a logout token, is none.
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
        """Raises: Unauthenticated: the token is not good here (any more); Unavailable: its issuer's keys have never been seen."""
        try:
            trusted, claims = await self._verified(token)
            holder = holder_of(claims, trusted.issuer)
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired; get a new one") from None
        except (jwt.PyJWTError, Refused) as error:
            log.info("token refused", extra={"reason": str(error) or type(error).__name__})
            raise Unauthenticated(
                "the token is not good here; get one from a configured issuer, for this audience"
            ) from None
        return principal_of(holder, datetime.fromtimestamp(min(claims["exp"], _last_moment()), UTC))

    def recheck(self, holder: Holder) -> bool:
        """Whether the issuer is still trusted with whom it named: a session or ticket outlives the token's request."""
        trusted = self._trusted.get(holder.issuer)
        if trusted is None or holder.subject in trusted.issuer.revoked:
            return False
        issuer = trusted.issuer
        return (
            holder.tenant == issuer.tenant
            if issuer.tenant
            else not issuer.tenants or holder.tenant in issuer.tenants
        )

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
        header, issuer = _read(token)
        trusted = self._trusted.get(issuer)
        if trusted is None:
            raise Refused("its issuer is not configured")
        if header.alg not in trusted.issuer.algorithms:
            raise Refused(f"its algorithm {header.alg[:20]!r} is not one of its issuer's")
        if header.typ is not None and header.typ.lower() not in _TYPES:
            raise Refused(f"it is a {header.typ[:40]!r}")
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
        return trusted, claims

    def _follow(self, issuers: "tuple[Issuer, ...]") -> "Mapping[str, _Trusted]":
        """An issuer that did not move keeps the keys that are known of it."""
        known = self._trusted
        return {item.issuer: _Trusted(item, self._fetch, known.get(item.issuer)) for item in issuers}


class _Trusted:
    """An issuer with its keys."""

    def __init__(self, issuer: Issuer, fetch: Fetch, before: "_Trusted | None") -> None:
        self.issuer = issuer
        self._fetch = fetch
        stays = before is not None and before.issuer.jwks_url == issuer.jwks_url
        self.keys: RemoteDocument[Keys] = (
            before.keys if before is not None and stays else RemoteDocument(issuer.issuer, self._load)
        )

    async def key(self, kid: str) -> Mapping[str, Any]:
        """Raises: Refused: the issuer has no such key; Unavailable: nobody knows, as the issuer has never answered."""
        if self.keys.value is None or kid not in self.keys.value:
            await self.keys.refetch()
        if self.keys.value is None:
            raise Unavailable(
                "the token's issuer does not answer right now; try again", code="issuer_unavailable"
            )
        if kid not in self.keys.value:
            raise Refused("its issuer publishes no such key")
        return self.keys.value[kid]

    async def _load(self) -> Keys:
        url = self.issuer.jwks_url or await self._discovered()
        return keys_of(await self._fetch(url), url)

    async def _discovered(self) -> str:
        url = f"{self.issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            found = msgspec.json.decode(await self._fetch(url), type=_Metadata)
        except msgspec.DecodeError as error:
            raise InvalidInput(f"{url} is no OpenID metadata: {error}", field="issuer") from None
        if found.issuer != self.issuer.issuer or not is_trusted_address(found.jwks_uri):
            raise InvalidInput(
                f"{url} speaks for another issuer, or names keys that are not at an https address",
                field="issuer",
            )
        return found.jwks_uri


def principal_of(holder: Holder, expires_at: datetime) -> Principal:
    return Principal(
        # The last colon ends the issuer: without quoting, a subject could pose as part of another issuer.
        key_id=f"oidc:{holder.issuer}:{quote(holder.subject, safe='@|/')}",
        name=holder.name,
        tenant=holder.tenant,
        roles=holder.roles,
        expires_at=expires_at,
        holder=holder,
    )


def _read(token: str) -> tuple[_Header, str]:
    """Header and issuer, not yet verified: they say which key to take, and nothing else."""
    if len(token) > MAX_TOKEN_CHARS:
        raise Refused("it is too long")
    try:
        header = msgspec.convert(jwt.get_unverified_header(token), _Header)
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (msgspec.ValidationError, jwt.PyJWTError, ValueError, RecursionError):
        raise Refused("it is no token with alg and kid") from None
    if not isinstance(issuer, str):
        raise Refused("it names no issuer")
    return header, issuer


def _last_moment() -> float:
    """`exp` may be absurdly far away; nothing here is good for longer than a day without being asked again."""
    return datetime.now(UTC).timestamp() + _MANY_S
