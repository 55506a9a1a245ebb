"""Browser sessions and stream tickets: random tokens, stored in Redis by hash until they expire."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.redis.client import map_redis_errors
from signalbox_gateway.auth.issuers import TokenIdentity
from signalbox_gateway.auth.principal import Principal, earliest

# Browsers accept a cookie with the prefix __Host- only with Secure, Path=/ and no Domain.
COOKIE: Final = "__Host-signalbox"
_UNAVAILABLE: Final = "sessions are not available right now: Redis does not respond; try again"


class BrowserSession(Struct, frozen=True, kw_only=True):
    """`holder` is the identity of the token that opened it; None if the API key `key_id` did."""

    key_id: str
    expires_at: datetime
    holder: TokenIdentity | None = None


class StreamTicket(Struct, frozen=True, kw_only=True):
    """Opens the streams of `runs`. Reusable until it expires: EventSource reconnects with the same URL.

    `token_id` is the scoped token that it was issued to, if it was one.
    """

    key_id: str
    runs: frozenset[str]
    expires_at: datetime
    holder: TokenIdentity | None = None
    token_id: str | None = None


T = TypeVar("T", BrowserSession, StreamTicket)


class SessionStore:
    """Browser sessions."""

    def __init__(self, redis: Redis, lifetime: timedelta = timedelta(hours=12)) -> None:
        self._tokens = _TokenStore(redis, "signalbox:session:")
        self._lifetime = lifetime

    async def open(self, principal: Principal) -> tuple[str, BrowserSession]:
        """Return the cookie's value and the session, which never outlives the API key or token."""
        expires_at = earliest(datetime.now(UTC) + self._lifetime, principal.expires_at)
        session = BrowserSession(
            key_id=principal.key_id, expires_at=expires_at, holder=principal.token_identity
        )
        return await self._tokens.issue(session, expires_at), session

    async def find(self, token: str) -> BrowserSession | None:
        return await self._tokens.find(token, BrowserSession)

    async def close(self, token: str) -> None:
        await self._tokens.revoke(token)


class TicketStore:
    """Stream tickets, for callers that can send neither a header nor a cookie."""

    def __init__(self, redis: Redis, lifetime: timedelta = timedelta(minutes=10)) -> None:
        self._tokens = _TokenStore(redis, "signalbox:ticket:")
        self._lifetime = lifetime

    async def issue(self, principal: Principal, runs: frozenset[str]) -> tuple[str, StreamTicket]:
        expires_at = earliest(datetime.now(UTC) + self._lifetime, principal.expires_at)
        ticket = StreamTicket(
            key_id=principal.key_id,
            runs=runs,
            expires_at=expires_at,
            holder=principal.token_identity,
            token_id=principal.scope.token_id if principal.scope is not None else None,
        )
        return await self._tokens.issue(ticket, expires_at), ticket

    async def find(self, token: str) -> StreamTicket | None:
        return await self._tokens.find(token, StreamTicket)


class _TokenStore:
    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    async def issue(self, value: Struct, expires_at: datetime) -> str:
        token = secrets.token_urlsafe(32)
        with map_redis_errors("sessions", detail=_UNAVAILABLE):
            await self._redis.set(self._key(token), msgspec.json.encode(value), pxat=expires_at)
        return token

    async def find(self, token: str, kind: type[T]) -> T | None:
        with map_redis_errors("sessions", detail=_UNAVAILABLE):
            found = await self._redis.get(self._key(token))
        value = msgspec.json.decode(found, type=kind) if found is not None else None
        # Redis may expire a key a little late.
        return value if value is not None and datetime.now(UTC) < value.expires_at else None

    async def revoke(self, token: str) -> None:
        with map_redis_errors(
            "session", detail="the session was not ended: Redis does not respond; try again"
        ):
            await self._redis.delete(self._key(token))

    def _key(self, token: str) -> str:
        return self._prefix + hashlib.sha256(token.encode()).hexdigest()
