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

# KEYS: nonce, events…  ARGV: token, nonce ttl, busy ttl, number of runs, events of each run…, digests…
# Per run: the indexes of its new events, or why none of its events is claimed. The nonce is used up unless no
# run has a claim.
_CLAIM: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return {'nonce'} end
local results, claimed, first, runs = {'claimed'}, false, 2, tonumber(ARGV[4])
for run = 1, runs do
  local last, state, fresh = first + tonumber(ARGV[4 + run]) - 1, 'fresh', {}
  for i = first, last do
    local held = redis.call('GET', KEYS[i])
    if not held then
      fresh[#fresh + 1] = i - first
    elseif string.sub(held, 1, 5) == 'busy:' then
      state = 'busy'
      break
    elseif held ~= 'done:' .. ARGV[3 + runs + i] then
      state = 'conflict'
      break
    end
  end
  if state == 'fresh' then
    claimed = true
    for _, n in ipairs(fresh) do
      redis.call('SET', KEYS[first + n], 'busy:' .. ARGV[1], 'EX', ARGV[3])
    end
    results[run + 1] = fresh
  else
    results[run + 1] = state
  end
  first = last + 1
end
if claimed then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
return results
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
# KEYS: nonce and events…  ARGV: token
_RELEASE: Final = """
for _, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  if held == ARGV[1] or held == 'busy:' .. ARGV[1] then redis.call('DEL', key) end
end
"""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of one run's events until they are finished or released; `fresh` are its new entries."""

    token: str
    nonce_key: str
    event_keys: tuple[str, ...]
    digests: tuple[str, ...]
    fresh: tuple[Entry, ...]


class Claims(Protocol):
    """The store of claims; every method raises Unavailable when the store is unavailable."""

    async def claim(self, proof: Proof, runs: Sequence[Sequence[Entry]]) -> list[Claim | Conflict]:
        """Claim the nonce and the event ids, per run all or nothing; ids of progress events are not claimed.

        Returns:
            Per run its claim, or `event_id_conflict` (same id, different content) or `in_flight`. Without any
            claim the nonce stays unused.

        Raises:
            Conflict: `nonce_replayed`.
        """
        ...

    async def finish(self, claims: Sequence[Claim]) -> None:
        """Mark the event ids as accepted, after their events were published."""
        ...

    async def release(self, claims: Sequence[Claim], *, with_nonce: bool) -> None:
        """Release the claims, so that the same events can be delivered again.

        Args:
            with_nonce: nothing of the delivery was accepted, so the same bytes may come again.
        """
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

    async def claim(self, proof: Proof, runs: Sequence[Sequence[Entry]]) -> list[Claim | Conflict]:
        token = secrets.token_hex(8)
        kept = [[entry for entry in run if entry.kind is not EventKind.PROGRESS] for run in runs]
        nonce_key, event_keys = keys_of(proof, [entry for run in kept for entry in run])
        arguments: list[str | int] = [
            token,
            _seconds(NONCE_KEPT),
            _seconds(self._busy_for),
            len(kept),
            *(len(run) for run in kept),
            *(entry.digest for run in kept for entry in run),
        ]
        status, *results = await _run(self._claim, [nonce_key, *event_keys], arguments)
        if status != b"claimed":
            raise conflict_of(status)
        claims: list[Claim | Conflict] = []
        for run, claimable, result in zip(runs, kept, results, strict=True):
            keys, event_keys = event_keys[: len(claimable)], event_keys[len(claimable) :]
            if isinstance(result, bytes):
                claims.append(conflict_of(result))
            else:
                claims.append(claim_of(token, nonce_key, run, [(keys[n], claimable[n]) for n in result]))
        return claims

    async def finish(self, claims: Sequence[Claim]) -> None:
        keys = [key for claim in claims for key in claim.event_keys]
        if keys:
            digests = [digest for claim in claims for digest in claim.digests]
            await _run(self._finish, keys, [claims[0].token, _seconds(DONE_FOR), *digests])

    async def release(self, claims: Sequence[Claim], *, with_nonce: bool) -> None:
        keys = [claims[0].nonce_key] if with_nonce else []
        keys += [key for claim in claims for key in claim.event_keys]
        await _run(self._release, keys, [claims[0].token])


def claim_of(token: str, nonce_key: str, run: Sequence[Entry], fresh: Sequence[tuple[str, Entry]]) -> Claim:
    """Create the claim of a run.

    Args:
        fresh: the claimed entries with their Redis keys; progress, which is not claimed, is always fresh.
    """
    claimed = {entry.identity for _, entry in fresh}
    return Claim(
        token=token,
        nonce_key=nonce_key,
        event_keys=tuple(key for key, _ in fresh),
        digests=tuple(entry.digest for _, entry in fresh),
        fresh=tuple(entry for entry in run if entry.kind is EventKind.PROGRESS or entry.identity in claimed),
    )


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
