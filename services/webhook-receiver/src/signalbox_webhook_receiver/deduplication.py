"""Deduplication in Redis: a nonce is accepted once per key, an event id once per sender.

One Lua script checks and writes all claims of a delivery, and marks what earlier deliveries of its sender
have finished, which saves a round trip. Signature bytes are not the replay key, because an ECDSA signature
has a second valid form.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self, cast

import msgspec
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from signalbox_core.errors import Conflict, Unavailable
from signalbox_core.events import EventKind
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.signatures.profile import NONCE_KEPT
from signalbox_webhook_receiver.claim_scripts import CLAIM, FINISH, RELEASE
from signalbox_webhook_receiver.events import Entry
from signalbox_webhook_receiver.verification import Proof

log = logging.getLogger(__name__)

BUSY_FOR: Final = timedelta(seconds=30)
DONE_FOR: Final = timedelta(days=3)
_TIMEOUT_S: Final = 0.9
FINISH_DELAY_S: Final = 0.002
"""How long finished events wait for the next claim of their sender; other replicas see them in flight."""
UNMARKED: Final = "cannot mark events as accepted; a repeated delivery would publish them again"
_MAX_MARKED: Final = 500
_UNAVAILABLE: Final = "the receiver cannot check for duplicates now; send the delivery again"


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
        """Mark the event ids as accepted, after their events were published; at once for further claims."""
        ...

    async def release(self, claims: Sequence[Claim], *, with_nonce: bool) -> None:
        """Release the claims, so that the same events can be delivered again.

        Args:
            with_nonce: nothing of the delivery was accepted, so the same bytes may come again.
        """
        ...


class _FinishedEvent(NamedTuple):
    key: str
    token: str
    digest: str


class RedisClaims:
    """Claims in Redis, shared by all replicas; the keys of one sender share a hash slot. A context manager.

    What is finished is marked with the sender's next claim, or after FINISH_DELAY_S. A process that is killed
    in between has published events whose claims expire: a repeated delivery publishes them again.

    Args:
        busy_for: how long events stay claimed after their receiver crashed; longer than the publish timeout.
        on_unmarked: called with the number of published events that could not be marked.
    """

    def __init__(
        self,
        client: Redis,
        *,
        busy_for: timedelta = BUSY_FOR,
        on_unmarked: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._busy_for = busy_for
        self._on_unmarked = on_unmarked
        self._claim = client.register_script(CLAIM)
        self._finish = client.register_script(FINISH)
        self._release = client.register_script(RELEASE)
        self._finished: dict[str, list[_FinishedEvent]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._flushes: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Mark what is finished."""
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(self.flush(), *self._flushes)

    async def claim(self, proof: Proof, runs: Sequence[Sequence[Entry]]) -> list[Claim | Conflict]:
        token = secrets.token_hex(8)
        kept = [[entry for entry in run if entry.kind is not EventKind.PROGRESS] for run in runs]
        nonce_key, event_keys = keys_of(proof, [entry for run in kept for entry in run])
        finished = self._take_finished(_slot_of(nonce_key))
        arguments: list[str | int] = [
            token,
            _seconds(NONCE_KEPT),
            _seconds(self._busy_for),
            _seconds(DONE_FOR),
            len(kept),
            *(len(run) for run in kept),
            *(entry.digest for run in kept for entry in run),
            *_tokens_and_digests(finished),
        ]
        keys = [nonce_key, *event_keys, *(event.key for event in finished)]
        try:
            status, *results = await _run(self._claim, keys, arguments)
        except BaseException:
            self._add_finished(finished)
            raise
        if status != b"claimed":
            raise conflict_of(status)
        claims: list[Claim | Conflict] = []
        for run, claimable, result in zip(runs, kept, results, strict=True):
            own_keys, event_keys = event_keys[: len(claimable)], event_keys[len(claimable) :]
            if isinstance(result, bytes):
                claims.append(conflict_of(result))
            else:
                claims.append(claim_of(token, nonce_key, run, [(own_keys[n], claimable[n]) for n in result]))
        return claims

    async def finish(self, claims: Sequence[Claim]) -> None:
        self._add_finished(
            [
                _FinishedEvent(key, claim.token, digest)
                for claim in claims
                for key, digest in zip(claim.event_keys, claim.digests, strict=True)
            ]
        )

    async def flush(self) -> None:
        """Mark now what is finished; what cannot be marked is logged, and its claims expire."""
        finished, self._finished = self._finished, {}
        for events in finished.values():
            for start in range(0, len(events), _MAX_MARKED):
                part = events[start : start + _MAX_MARKED]
                arguments: list[str | int] = [_seconds(DONE_FOR), *_tokens_and_digests(part)]
                try:
                    await _run(self._finish, [event.key for event in part], arguments)
                except (Unavailable, RedisError) as error:
                    # Also what is no outage, such as a refused command: the marks of other senders follow.
                    self._on_unmarked(len(part))
                    log.warning(UNMARKED, extra={"events": len(part), "reason": str(error)[:300]})

    def _take_finished(self, slot: str) -> list[_FinishedEvent]:
        """Remove and return as many as one script may mark; the timer's flush marks what is left."""
        waiting = self._finished.pop(slot, [])
        finished, left = waiting[:_MAX_MARKED], waiting[_MAX_MARKED:]
        if left:
            self._finished[slot] = left
        if self._timer is not None and not self._finished:
            self._timer.cancel()
            self._timer = None
        return finished

    def _add_finished(self, events: Sequence[_FinishedEvent]) -> None:
        for event in events:
            self._finished.setdefault(_slot_of(event.key), []).append(event)
        if events and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FINISH_DELAY_S, self._start_flush)

    def _start_flush(self) -> None:
        self._timer = None
        flush = asyncio.get_running_loop().create_task(self.flush())
        self._flushes.add(flush)
        flush.add_done_callback(self._flushes.discard)

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


def _slot_of(key: str) -> str:
    """Return the part of a key that all keys of a sender share."""
    return key.partition("}")[0]


def _tokens_and_digests(events: Sequence[_FinishedEvent]) -> list[str]:
    return [part for event in events for part in (event.token, event.digest)]


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
