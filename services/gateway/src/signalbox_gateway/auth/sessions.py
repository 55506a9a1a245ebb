"""Browser sessions and stream tickets: random tokens, kept hashed in Redis until they expire."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.redis.client import map_redis_errors
from signalbox_gateway.auth.issuers import Holder
from signalbox_gateway.auth.principal import Principal, earliest

# The __Host- prefix makes browsers insist on Secure, Path=/ and no Domain.
COOKIE: Final = "__Host-signalbox"
_UNAVAILABLE: Final = "sessions are not available right now: Redis does not answer; try again"


class Session(Struct, frozen=True, kw_only=True):
    """`holder` is whom a token named; None: the API key `key_id`."""

    key_id: str
    expires_at: datetime
    holder: Holder | None = None


class Ticket(Struct, frozen=True, kw_only=True):
    """Opens the streams of `runs`, any number of times until it expires: EventSource reconnects with the same URL."""

    key_id: str
    runs: frozenset[str]
    expires_at: datetime
    holder: Holder | None = None


T = TypeVar("T", Session, Ticket)


class Sessions:
    """Sessions of browsers."""

    def __init__(self, redis: Redis, lifetime: timedelta = timedelta(hours=12)) -> None:
        self._tokens = _Tokens(redis, "signalbox:session:")
        self._lifetime = lifetime

    async def open(self, principal: Principal) -> tuple[str, Session]:
        """The cookie's value and the session, which ends with the key or token that opened it at the latest."""
        expires_at = earliest(datetime.now(UTC) + self._lifetime, principal.expires_at)
        session = Session(key_id=principal.key_id, expires_at=expires_at, holder=principal.holder)
        return await self._tokens.issue(session, expires_at), session

    async def find(self, token: str) -> Session | None:
        return await self._tokens.find(token, Session)

    async def close(self, token: str) -> None:
        await self._tokens.revoke(token)


class Tickets:
    """Tickets of streams, for callers that can send neither header nor cookie."""

    def __init__(self, redis: Redis, lifetime: timedelta = timedelta(minutes=10)) -> None:
        self._tokens = _Tokens(redis, "signalbox:ticket:")
        self._lifetime = lifetime

    async def issue(self, principal: Principal, runs: frozenset[str]) -> tuple[str, Ticket]:
        expires_at = earliest(datetime.now(UTC) + self._lifetime, principal.expires_at)
        ticket = Ticket(key_id=principal.key_id, runs=runs, expires_at=expires_at, holder=principal.holder)
        return await self._tokens.issue(ticket, expires_at), ticket

    async def find(self, token: str) -> Ticket | None:
        return await self._tokens.find(token, Ticket)


class _Tokens:
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
        # Redis lets go of it a little later than the moment.
        return value if value is not None and datetime.now(UTC) < value.expires_at else None

    async def revoke(self, token: str) -> None:
        with map_redis_errors(
            "session", detail="the session was not ended: Redis does not answer; try again"
        ):
            await self._redis.delete(self._key(token))

    def _key(self, token: str) -> str:
        return self._prefix + hashlib.sha256(token.encode()).hexdigest()
