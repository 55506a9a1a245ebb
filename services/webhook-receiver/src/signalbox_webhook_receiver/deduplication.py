"""Deduplication in Redis: a nonce is accepted once per key, an event id once per sender.

One Lua script checks and writes all claims of a delivery. Signature bytes are not the replay key, because an
ECDSA signature has a second valid form.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, Protocol, cast

import msgspec
from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from signalbox_core.errors import Conflict, Unavailable
from signalbox_core.events import EventKind
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.signatures.profile import NONCE_KEPT
from signalbox_webhook_receiver.events import Entry
from signalbox_webhook_receiver.verification import Proof

log = logging.getLogger(__name__)

BUSY_FOR: Final = timedelta(seconds=30)
DONE_FOR: Final = timedelta(days=3)
_TIMEOUT_S: Final = 0.9
_UNAVAILABLE: Final = "the receiver cannot check for duplicates now; send the delivery again"

# KEYS: nonce, events…  ARGV: token, nonce ttl, busy ttl, digests…
# Returns before any write if an event is busy.
_CLAIM: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return {'nonce'} end
local fresh = {'fresh'}
for i = 2, #KEYS do
  local held = redis.call('GET', KEYS[i])
  if not held then
    fresh[#fresh + 1] = i - 2
  elseif string.sub(held, 1, 5) == 'busy:' then
    return {'busy'}
  elseif held ~= 'done:' .. ARGV[i + 2] then
    return {'conflict'}
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
for n = 2, #fresh do
  redis.call('SET', KEYS[fresh[n] + 2], 'busy:' .. ARGV[1], 'EX', ARGV[3])
end
return fresh
"""
# KEYS: events…  ARGV: token, done ttl, digests…
# Expired claims are written too, because their events have been published.
_FINISH: Final = """
for i = 1, #KEYS do
  local held = redis.call('GET', KEYS[i])
  if not held or held == 'busy:' .. ARGV[1] then
    redis.call('SET', KEYS[i], 'done:' .. ARGV[i + 2], 'EX', ARGV[2])
  end
end
"""
# KEYS: nonce, events…  ARGV: token
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
for i = 2, #KEYS do
  if redis.call('GET', KEYS[i]) == 'busy:' .. ARGV[1] then redis.call('DEL', KEYS[i]) end
end
"""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of one delivery until it is finished or released; `fresh` are its new entries."""

    token: str
    nonce_key: str
    event_keys: tuple[str, ...]
    digests: tuple[str, ...]
    fresh: tuple[Entry, ...]


class Claims(Protocol):
    """The store of claims; every method raises Unavailable when the store is unavailable."""

    async def claim(self, proof: Proof, entries: Sequence[Entry]) -> Claim:
        """Claim the nonce and the event ids, all or nothing; ids of progress events are not claimed.

        Raises:
            Conflict: `nonce_replayed`, `event_id_conflict` (same id, different content) or `in_flight`.
        """
        ...

    async def finish(self, claim: Claim) -> None:
        """Mark the event ids as accepted, after their events were published."""
        ...

    async def release(self, claim: Claim) -> None:
        """Release all claims, so that the same delivery can be repeated."""
        ...


class RedisClaims:
    """Claims in Redis, shared by all replicas; the keys of one sender share a hash slot.

    Args:
        busy_for: how long events stay claimed after their receiver crashed; longer than the publish timeout.
    """

    def __init__(self, client: Redis, *, busy_for: timedelta = BUSY_FOR) -> None:
        self._busy_for = busy_for
        self._claim = client.register_script(_CLAIM)
        self._finish = client.register_script(_FINISH)
        self._release = client.register_script(_RELEASE)

    async def claim(self, proof: Proof, entries: Sequence[Entry]) -> Claim:
        token = secrets.token_hex(8)
        kept = [entry for entry in entries if entry.kind is not EventKind.PROGRESS]
        nonce_key, event_keys = keys_of(proof, kept)
        arguments: list[str | int] = [
            token,
            _seconds(NONCE_KEPT),
            _seconds(self._busy_for),
            *(entry.digest for entry in kept),
        ]
        result, *fresh = await _run(self._claim, [nonce_key, *event_keys], arguments)
        if result != b"fresh":
            raise conflict_of(result)
        claimed = tuple(kept[index] for index in fresh)
        return Claim(
            token=token,
            nonce_key=nonce_key,
            event_keys=tuple(event_keys[index] for index in fresh),
            digests=tuple(entry.digest for entry in claimed),
            fresh=tuple(entry for entry in entries if entry.kind is EventKind.PROGRESS or entry in claimed),
        )

    async def finish(self, claim: Claim) -> None:
        if claim.event_keys:
            await _run(self._finish, claim.event_keys, [claim.token, _seconds(DONE_FOR), *claim.digests])

    async def release(self, claim: Claim) -> None:
        await _run(self._release, [claim.nonce_key, *claim.event_keys], [claim.token])


def keys_of(proof: Proof, entries: Sequence[Entry]) -> tuple[str, list[str]]:
    """Return the Redis keys of a delivery's nonce (scoped by keyid) and of its events (scoped by sender)."""
    nonce = hashlib.sha256(f"{len(proof.key.keyid)}:{proof.key.keyid}{proof.nonce}".encode()).hexdigest()
    slot = f"claims:{{{hashlib.sha256(proof.key.sender.encode()).hexdigest()[:16]}}}"
    return f"{slot}:nonce:{nonce}", [f"{slot}:event:{entry.identity}" for entry in entries]


async def _run(script: AsyncScript, keys: Sequence[str], arguments: Sequence[str | int]) -> list[Any]:
    try:
        with map_redis_errors("claims", detail=_UNAVAILABLE, code="claims_unavailable"):
            async with asyncio.timeout(_TIMEOUT_S):
                return cast(list[Any], await script(keys=list(keys), args=list(arguments)))
    except Unavailable as error:
        log.warning("claims unavailable", extra={"reason": type(error.__cause__).__name__})
        raise


def conflict_of(result: bytes) -> Conflict:
    """Return the error for a result of the script other than `fresh`."""
    match result:
        case b"nonce":
            return Conflict(
                "this nonce was used before; sign every attempt with a new nonce", code="nonce_replayed"
            )
        case b"conflict":
            return Conflict(
                "an event with this id and different content was accepted before; use a new id",
                code="event_id_conflict",
            )
    return Conflict(
        "an event of this delivery is being accepted right now; send it again in a second", code="in_flight"
    )


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
