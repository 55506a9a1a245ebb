"""Scoped tokens in Redis: each is one hash with the token and its uses, which expire together (ADR 0018)."""

import hashlib
import secrets
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Final, Literal, cast

import msgspec
from redis.asyncio import Redis

from signalbox_core.errors import Forbidden
from signalbox_core.redis.client import map_redis_errors
from signalbox_gateway.auth.token_scope import ScopedToken, TokenScope, not_permitted

ScopedAccess = Literal["start", "ticket", "watch", "read_approval", "decide"]
"""How an endpoint is limited for scoped tokens. The handlers of `start` and `ticket` check the body."""
PREFIX: Final = "sbt_"
_UNAVAILABLE: Final = "scoped tokens are not available right now: Redis does not respond; try again"
# A use that was counted before is permitted again, so that a request can be repeated.
_TAKE: Final = """
if redis.call('HEXISTS', KEYS[1], 'token') == 0 then return 0 end
if redis.call('HEXISTS', KEYS[1], 'use ' .. ARGV[1] .. ' ' .. ARGV[2]) == 1 then return 1 end
local count = tonumber(redis.call('HGET', KEYS[1], 'count ' .. ARGV[1]) or '0')
if count >= tonumber(ARGV[3]) then return 0 end
redis.call('HINCRBY', KEYS[1], 'count ' .. ARGV[1], 1)
redis.call('HSET', KEYS[1], 'use ' .. ARGV[1] .. ' ' .. ARGV[2], '1')
return 1
"""
# The token stays as a record of its revocation until that is published, and permits nothing any more.
_REVOKE: Final = """
local token = redis.call('HGET', KEYS[1], 'token')
if not token then return end
local left = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'revoked', token)
redis.call('PEXPIRE', KEYS[1], math.max(left, 1))
"""


class ScopedTokens:
    """Stores tokens by their hash, and counts their uses."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take_script = redis.register_script(_TAKE)
        self._revoke_script = redis.register_script(_REVOKE)

    async def issue(self, token: ScopedToken) -> tuple[str, str]:
        """Store a token until it expires, and return its id and the secret."""
        secret = PREFIX + secrets.token_urlsafe(32)
        token_id = _id_of(secret)
        key = _key(token_id)
        with map_redis_errors("scoped tokens", detail=_UNAVAILABLE):
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hset(key, "token", msgspec.json.encode(token))
                pipeline.pexpireat(key, token.expires_at)
                await pipeline.execute()
        return token_id, secret

    async def revoke(self, token_id: str) -> None:
        """End a token with its uses, and with the tickets and streams that were opened with it; idempotent.

        `get_revoked` returns it until `forget` or its expiry.
        """
        with map_redis_errors("scoped tokens", detail=_UNAVAILABLE):
            await self._revoke_script(keys=[_key(token_id)])

    async def forget(self, token_id: str) -> None:
        """Delete what is left of a revoked token."""
        with map_redis_errors("scoped tokens", detail=_UNAVAILABLE):
            await self._redis.delete(_key(token_id))

    async def find(self, secret: str) -> TokenScope | None:
        """The scope of a secret, unless it is unknown or has expired."""
        return await self.get(_id_of(secret))

    async def get(self, token_id: str) -> TokenScope | None:
        """The scope of a token that is neither revoked nor expired."""
        return await self._read(token_id, "token")

    async def get_revoked(self, token_id: str) -> TokenScope | None:
        """The scope that a token had until it was revoked."""
        return await self._read(token_id, "revoked")

    async def _read(self, token_id: str, field: str) -> TokenScope | None:
        with map_redis_errors("scoped tokens", detail=_UNAVAILABLE):
            found = await cast("Awaitable[bytes | None]", self._redis.hget(_key(token_id), field))
        token = msgspec.json.decode(found, type=ScopedToken) if found is not None else None
        # Redis may expire a key a little late.
        if token is None or datetime.now(UTC) >= token.expires_at:
            return None
        return TokenScope(token_id=token_id, token=token)

    async def check(self, scope: TokenScope, access: ScopedAccess | None, run_id: str, approval: str) -> None:
        """Check a request before its handler is called; a decision is counted.

        Args:
            access: of the endpoint; None: the endpoint accepts no scoped token.
            run_id: of the path; empty if it has none.
            approval: the approval id of the path; empty if it has none.

        Raises:
            Forbidden: the token does not permit the request, or is used up.
            Unavailable: Redis does not respond.
        """
        if access is None:
            raise not_permitted("this request")
        if access == "watch" and not await self.may_watch(scope, run_id):
            raise not_permitted("reading this run")
        if access == "read_approval" and not await self._may_read(scope, run_id, approval):
            raise not_permitted("reading this approval")
        if access == "decide":
            await self._take_decision(scope, run_id, approval)

    async def take_start(self, scope: TokenScope, pipeline: str, run_id: str) -> None:
        """Count a start. The same run counts once.

        Raises:
            Forbidden: the token is used up.
        """
        if not await self._take(scope, f"start {pipeline}", run_id):
            raise _used_up(scope, "starts")

    async def may_watch(self, scope: TokenScope, run_id: str) -> bool:
        return run_id in scope.runs or await self._has_started(scope, run_id)

    async def _may_read(self, scope: TokenScope, run_id: str, approval_id: str) -> bool:
        for permitted in scope.approvals(run_id, approval_id):
            if permitted.run_id is not None or await self._has_started(scope, run_id):
                return True
        return await self.may_watch(scope, run_id)

    async def _take_decision(self, scope: TokenScope, run_id: str, approval_id: str) -> None:
        permitted = [
            each
            for each in scope.approvals(run_id, approval_id)
            if each.run_id is not None or await self._has_started(scope, run_id)
        ]
        if not permitted:
            raise not_permitted("deciding this approval")
        for each in permitted:
            # Every attempt to decide the approval is the same use: a refused answer can be corrected.
            if await self._take(scope, f"decide {each.run_id or '*'} {approval_id}", run_id):
                return
        raise _used_up(scope, "decisions")

    async def _has_started(self, scope: TokenScope, run_id: str) -> bool:
        fields = [f"use start {pipeline} {run_id}" for pipeline in scope.pipelines]
        if not fields:
            return False
        with map_redis_errors("scoped tokens", detail=_UNAVAILABLE):
            found = await cast(
                "Awaitable[list[bytes | None]]", self._redis.hmget(_key(scope.token_id), fields)
            )
        return any(value is not None for value in found)

    async def _take(self, scope: TokenScope, permission: str, use: str) -> bool:
        with map_redis_errors("scoped tokens", detail=_UNAVAILABLE):
            taken = await self._take_script(
                keys=[_key(scope.token_id)], args=[permission, use, scope.token.times]
            )
        return bool(taken)


def _key(token_id: str) -> str:
    return f"signalbox:token:{token_id}"


def _id_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _used_up(scope: TokenScope, what: str) -> Forbidden:
    return Forbidden(
        f"this token permits {scope.token.times} {what}, and they are used up; get a new token",
        code="token_used_up",
    )
