"""The pace of calls to a remote that limits its callers, shared by all workers through Redis.

Scripts in Redis grant permits: spacing and concurrency hold over all processes. The pace slows down when the
remote limits or fails, recovers with successful calls, and rests behind a circuit breaker. The data may be
lost at any time; the pace then starts over.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from importlib.resources import files
from typing import Final, Literal
from weakref import WeakValueDictionary

from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.errors import RateLimited, Rejected, Unavailable
from signalbox_core.redis.client import map_redis_errors

CallOutcome = Literal["ok", "limited", "slow", "other"]

MAX_WAIT_S: Final = 1.0
"""Shorter waits are spent in the activity; a longer one ends it, which frees the worker's slot."""
MAX_FULL_WAIT_S: Final = 4.0
"""The same when all permits are taken: the calls in flight are few and end soon."""
SPACING_MARGIN: Final = 1.04
"""Calls are spaced a little wider than configured, because network jitter brings them closer together."""
MAX_SPACING_MS: Final = 15_000
RECOVERY: Final = 0.5 ** (1 / 20)
"""Factor on the spacing after a successful call: 20 of them halve it."""
BREAKER_THRESHOLD: Final = 6
"""Failed calls in a row that open the circuit breaker; after a rest a single call probes the remote."""
BREAKER_REST_MS: Final = 30_000
MAX_BREAKER_REST_MS: Final = 300_000
_KEEP_MS: Final = 3_600_000
_WHAT: Final = "pacing"
_REASONS: Final = {
    "space": "spacing",
    "cool": "it asked to slow down",
    "broken": "it keeps failing; the circuit breaker is open",
    "full": "as many calls as it allows",
}
"""From the verdict of `pace_acquire.lua` to the end of "… is busy (…)"."""


class Pace(Struct, frozen=True, kw_only=True):
    """The limits of one kind of call.

    Attributes:
        spacing: minimum time between two starts.
        in_flight: maximum number of calls at once, over all workers.
        lease: longer than any call takes; a permit that is not returned by then belonged to a worker that
            died.
    """

    spacing: timedelta = timedelta()
    in_flight: int = 1
    lease: timedelta = timedelta(minutes=1)

    @property
    def spacing_ms(self) -> float:
        return self.spacing / timedelta(milliseconds=1)

    @property
    def min_spacing_ms(self) -> float:
        return self.spacing_ms * SPACING_MARGIN

    @property
    def lease_ms(self) -> int:
        return round(self.lease / timedelta(milliseconds=1))


class CallPermit(Struct, frozen=True):
    """The permission to start one call now. `started_ms` is the time of the Redis server."""

    permit: str
    started_ms: int
    granted_at: float


def outcome_of(error: BaseException | None) -> tuple[CallOutcome, float]:
    """Classify how a call ended, and how long the remote asks to wait, in ms.

    `RateLimited` and `Unavailable` slow the pace down. A `Rejected` was answered, so the remote is well.
    """
    if isinstance(error, RateLimited):
        return "limited", error.retry_after_s * 1_000
    if isinstance(error, Unavailable):
        return "slow", 0.0
    return ("ok" if error is None or isinstance(error, Rejected) else "other"), 0.0


class Pacing:
    """Grants permits to call one remote; one instance per worker process.

    Args:
        name: of the remote, in keys and messages; the same in all workers.
        outcome: how the error of a call counts.
        delayed: makes the error of a wait that is too long, from the wait in seconds and the reason.
        keys: the Redis keys of a `key`: the pace and the calls in flight, in one hash slot.
    """

    def __init__(
        self,
        redis: Redis,
        name: str,
        pace: Pace,
        *,
        outcome: Callable[[BaseException | None], tuple[CallOutcome, float]] = outcome_of,
        delayed: Callable[[float, str], RateLimited] | None = None,
        keys: Callable[[str], Sequence[str]] | None = None,
    ) -> None:
        self.name = name
        self.pace = pace
        self._outcome = outcome
        self._delayed = delayed or self._busy
        self._keys = keys or self._own_keys
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        package = files("signalbox_core.redis")
        self._acquire, self._release, self._mark_sent = (
            redis.register_script(package.joinpath(f"pace_{script}.lua").read_text("utf-8"))
            for script in ("acquire", "release", "mark_sent")
        )

    @asynccontextmanager
    async def permit(self, key: str = "", *, max_wait_s: float = MAX_WAIT_S) -> AsyncIterator[CallPermit]:
        """Wait for a permit and hold it for one call.

        The block makes exactly one call; the error it raises decides the pace of later calls.

        Args:
            key: whose limit it is, such as the account at the remote; each key has a pace of its own.

        Raises:
            RateLimited: the wait is longer than `max_wait_s`; the activity is retried after it.
            Unavailable: Redis does not respond; without it the remote is not called.
        """
        permit = await self._wait(key, max_wait_s)
        try:
            yield permit
        except BaseException as error:
            await self._return(key, permit, error)
            raise
        await self._return(key, permit, None)

    async def report_sent(self, key: str, permit: CallPermit) -> None:
        """Report that the request of a permit leaves now, if that is later than half the margin.

        Optional. A busy process may send a request long after its permit was granted, and so too close to
        the next one.
        """
        late_ms = (time.monotonic() - permit.granted_at) * 1_000
        if late_ms > max(1.0, self.pace.spacing_ms * (SPACING_MARGIN - 1) / 2):
            with suppress(Unavailable), map_redis_errors(_WHAT):
                await self._mark_sent(
                    keys=self._keys(key)[:1], args=[self.pace.min_spacing_ms, SPACING_MARGIN]
                )

    async def _wait(self, key: str, max_wait_s: float) -> CallPermit:
        # First come, first served within the process, and one request to Redis at a time.
        queue = self._queues.setdefault(key, asyncio.Lock())
        async with queue:
            full_s = 0.0
            while True:
                permit = secrets.token_hex(8)
                try:
                    verdict, wait_ms, now_ms = await self._try_acquire(key, permit)
                except asyncio.CancelledError as error:
                    # Redis may have granted it, and its lease would keep others waiting.
                    await self._return(key, CallPermit(permit, 0, 0.0), error)
                    raise
                if verdict == "go":
                    return CallPermit(permit, now_ms, time.monotonic())
                wait_s = max(1, wait_ms) / 1_000
                is_full = verdict == "full"
                full_s += wait_s if is_full else 0.0
                if wait_s > max_wait_s or full_s > MAX_FULL_WAIT_S:
                    raise self._delayed(max(wait_s, 0.5) if is_full else wait_s, _REASONS[verdict])
                await asyncio.sleep(wait_s)

    async def _try_acquire(self, key: str, permit: str) -> tuple[str, int, int]:
        args: list[str | int | float] = [
            permit,
            self.pace.min_spacing_ms,
            self.pace.in_flight,
            self.pace.lease_ms,
            BREAKER_THRESHOLD,
            _KEEP_MS,
            SPACING_MARGIN,
        ]
        with map_redis_errors(_WHAT):
            verdict, wait_ms, _, now_ms = await self._acquire(keys=self._keys(key), args=args)
        return verdict.decode(), int(wait_ms), int(now_ms)

    async def _return(self, key: str, permit: CallPermit, error: BaseException | None) -> None:
        outcome, wait_ms = self._outcome(error)
        args: list[str | int | float] = [
            permit.permit,
            outcome,
            permit.started_ms,
            self.pace.min_spacing_ms,
            MAX_SPACING_MS,
            wait_ms,
            BREAKER_THRESHOLD,
            BREAKER_REST_MS,
            MAX_BREAKER_REST_MS,
            RECOVERY,
            _KEEP_MS,
        ]
        # The call succeeded even if Redis fails now; a permit that is not returned expires with its lease.
        with suppress(Unavailable), map_redis_errors(_WHAT):
            await self._release(keys=self._keys(key), args=args)

    def _own_keys(self, key: str) -> Sequence[str]:
        return f"signalbox:pace:{{{self.name}:{key}}}", f"signalbox:flight:{{{self.name}:{key}}}"

    def _busy(self, wait_s: float, why: str) -> RateLimited:
        return RateLimited(
            f"{self.name} is busy ({why}); the next try is in {wait_s:.0f} s", retry_after_s=wait_s, why=why
        )
