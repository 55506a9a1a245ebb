"""The decision log: the newest records of each queue in a Redis stream, all of them in the object store.

Only the leader writes. A chunk is stored before the cursor advances, so a crash in between stores it again.
"""

import asyncio
import gzip
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, cast
from urllib.parse import quote

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from redis.typing import EncodableT

from signalbox_autoscaler.model import ScalingDecisionRecord
from signalbox_core.errors import SignalboxError
from signalbox_core.objects import ObjectRef, ObjectStore
from signalbox_core.redis.client import map_redis_errors, refusal
from signalbox_core.scaling.decisions import QUEUES, RECORD, VIEW, ScalingDecisionView, stream_key

_logger = logging.getLogger(__name__)

KEPT: Final = 2_000
"""Records per queue in Redis: almost three hours of a busy queue."""
CHUNK: Final = 500
CURSORS: Final = "signalbox:decisions-archived"
"""A hash: queue → id of the last entry that is in the object store."""
MEDIA_TYPE: Final = "application/x-ndjson+gzip"
_MAX_WRITE_DELAY_MS: Final = 60_000
_EXTRA_ENTRIES: Final = 100
_decoder: Final = msgspec.json.Decoder(ScalingDecisionRecord)
_Entries = Sequence[tuple[bytes, Mapping[bytes, bytes]]]


class DecisionLog:
    """Writes and reads the log. Every method raises `Unavailable` when Redis or the object store is
    unavailable.

    Args:
        objects: the store of chunks; None: nothing is archived.
        kept: records per queue in Redis.
    """

    def __init__(self, client: Redis, objects: ObjectStore | None = None, *, kept: int = KEPT) -> None:
        self._redis = client
        self._objects = objects
        self._kept = kept

    async def append(self, records: Sequence[ScalingDecisionRecord]) -> None:
        """Append the records of a tick, in one round trip."""
        if not records:
            return
        with map_redis_errors("decision log"):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.sadd(QUEUES, *{record.queue for record in records})
                for record in records:
                    pipe.xadd(stream_key(record.queue), _fields(record), maxlen=self._kept, approximate=True)
                await pipe.execute()

    async def newest(self, queue: str, *, limit: int) -> list[ScalingDecisionRecord]:
        """The newest records of a queue, newest first."""
        with map_redis_errors("decision log"):
            entries = cast("_Entries", await self._redis.xrevrange(stream_key(queue), count=limit))
        return [_decoder.decode(fields[RECORD]) for _, fields in entries]

    async def before(self, queue: str, when: datetime, *, limit: int) -> list[ScalingDecisionRecord]:
        """The last records at or before `when`, newest first, as far as Redis has them."""
        with map_redis_errors("decision log"):
            # The id of an entry is the time it was written, a little later than the decision.
            until = max(0, int(when.timestamp() * 1000)) + _MAX_WRITE_DELAY_MS
            entries = cast(
                "_Entries",
                await self._redis.xrevrange(stream_key(queue), max=str(until), count=limit + _EXTRA_ENTRIES),
            )
        records = (_decoder.decode(fields[RECORD]) for _, fields in entries)
        return [record for record in records if record.at <= when][:limit]

    async def queues(self) -> list[str]:
        with map_redis_errors("decision log"):
            return sorted(name.decode() for name in cast("set[bytes]", await self._redis.smembers(QUEUES)))

    async def archive(self, queue: str, *, at_least: int = CHUNK) -> ObjectRef | None:
        """Store the next chunk (gzipped NDJSON) once at least `at_least` entries are not archived yet.

        Idempotent: the key consists of the ids of the first and last entry.

        Returns:
            The stored object; None: there were too few entries, or there is no object store.
        """
        if self._objects is None:
            return None
        with map_redis_errors("decision log"):
            cursor = cast("bytes | None", await self._redis.hget(CURSORS, queue))
            begin = f"({cursor.decode()}" if cursor else "-"
            entries = cast("_Entries", await self._redis.xrange(stream_key(queue), min=begin, count=CHUNK))
        if not entries or len(entries) < at_least:
            return None
        first, last = entries[0][0].decode(), entries[-1][0].decode()
        lines = b"\n".join(fields[RECORD] for _, fields in entries) + b"\n"
        key = f"decisions/{quote(queue, safe='')}/{first}_{last}.ndjson.gz"
        stored = await self._objects.put_new(key, gzip.compress(lines, mtime=0), MEDIA_TYPE)
        with map_redis_errors("decision log"):
            await self._redis.hset(CURSORS, queue, last)
        return stored


def _fields(record: ScalingDecisionRecord) -> dict[EncodableT, EncodableT]:
    return {VIEW: msgspec.json.encode(build_view(record)), RECORD: msgspec.json.encode(record)}


def build_view(record: ScalingDecisionRecord) -> ScalingDecisionView:
    """The part of a record that the console shows."""
    inputs, policy = record.terms, record.policy
    return ScalingDecisionView(
        at=record.at,
        queue=record.queue,
        action=record.action.value,
        binding=record.binding.value,
        sentence=record.sentence,
        backlog=inputs.backlog,
        hint=inputs.hint,
        oldest_s=round(record.snapshot.oldest_s, 1),
        capacity=inputs.capacity,
        used=inputs.used,
        pending=inputs.pending,
        workers=inputs.workers,
        launched=sum(launch.workers for launch in record.launches),
        retired=len(record.retire),
        cancelled=len(record.cancel),
        service_s=round(inputs.service_s, 3),
        rate_per_s=round(inputs.rate_per_s, 2),
        target_s=round(inputs.target_s, 1),
        predicted_drain_s=None if record.predicted_drain_s is None else round(record.predicted_drain_s, 1),
        spent_hour="" if record.spent_hour is None else str(record.spent_hour),
        spent_day="" if record.spent_day is None else str(record.spent_day),
        budget_hour="" if policy.budget_per_hour is None else str(policy.budget_per_hour),
        budget_day="" if policy.budget_per_day is None else str(policy.budget_per_day),
        currency=policy.currency,
        dry_run=record.dry_run,
    )


class DecisionArchiver:
    """Archives the log while this process leads."""

    def __init__(self, log: DecisionLog, is_leader: Callable[[], bool]) -> None:
        self._log = log
        self._is_leader = is_leader

    async def run(self, *, every_s: float = 60.0) -> None:
        """Archive at intervals until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            if self._is_leader():
                await self.archive_all()

    async def archive_all(self) -> None:
        """Store the full chunks of every queue; what cannot be stored now is stored in a later round."""
        try:
            for queue in await self._log.queues():
                while await self._log.archive(queue) is not None:
                    pass
        except SignalboxError as error:
            _logger.warning("decisions not archived", extra={"detail": error.detail})
        except ResponseError as error:
            _logger.error("decisions not archived", extra={"detail": refusal(error)})
