"""The decision log: records in a Redis stream per queue, the newest kept, and chunks of all of them in the object store.

The leader writes. Chunks are made from the stream behind a cursor, so a crash between two steps repeats a chunk and loses none.
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
from redis.typing import EncodableT

from signalbox_autoscaler.model import DecisionRecord
from signalbox_core.errors import SignalboxError
from signalbox_core.objects import ObjectRef, ObjectStore
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.scaling.decisions import QUEUES, RECORD, VIEW, ScalingDecisionView, stream_key

_logger = logging.getLogger(__name__)

KEPT: Final = 2_000
"""Entries of a queue in Redis: almost three hours of a busy queue."""
CHUNK: Final = 500
CURSORS: Final = "signalbox:decisions-archived"
"""A hash: queue → the last entry that is in the object store."""
MEDIA_TYPE: Final = "application/x-ndjson+gzip"
_WRITTEN_WITHIN_MS: Final = 60_000
_LATER: Final = 100
_decoder: Final = msgspec.json.Decoder(DecisionRecord)
_Entries = Sequence[tuple[bytes, Mapping[bytes, bytes]]]


class DecisionLog:
    """Writes and reads the log.

    Args:
        objects: where chunks go; None keeps only what Redis holds.

    Raises:
        Unavailable: from every method, when Redis (or the object store) is away.
    """

    def __init__(self, client: Redis, objects: ObjectStore | None = None, *, kept: int = KEPT) -> None:
        self._redis = client
        self._objects = objects
        self._kept = kept

    async def append(self, records: Sequence[DecisionRecord]) -> None:
        """One round trip for the records of a tick."""
        if not records:
            return
        with map_redis_errors("decision log"):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.sadd(QUEUES, *{record.queue for record in records})
                for record in records:
                    pipe.xadd(stream_key(record.queue), _fields(record), maxlen=self._kept, approximate=True)
                await pipe.execute()

    async def newest(self, queue: str, *, limit: int) -> list[DecisionRecord]:
        """Newest first."""
        with map_redis_errors("decision log"):
            entries = cast("_Entries", await self._redis.xrevrange(stream_key(queue), count=limit))
        return [_decoder.decode(fields[RECORD]) for _, fields in entries]

    async def before(self, queue: str, when: datetime, *, limit: int) -> list[DecisionRecord]:
        """The last decisions at or before `when`, newest first, as far as Redis reaches."""
        with map_redis_errors("decision log"):
            # Entries are stamped with the time of their writing, a little after that of the decision.
            until = max(0, int(when.timestamp() * 1000)) + _WRITTEN_WITHIN_MS
            entries = cast(
                "_Entries",
                await self._redis.xrevrange(stream_key(queue), max=str(until), count=limit + _LATER),
            )
        records = (_decoder.decode(fields[RECORD]) for _, fields in entries)
        return [record for record in records if record.at <= when][:limit]

    async def queues(self) -> list[str]:
        with map_redis_errors("decision log"):
            return sorted(name.decode() for name in cast("set[bytes]", await self._redis.smembers(QUEUES)))

    async def archive(self, queue: str, *, at_least: int = CHUNK) -> ObjectRef | None:
        """Write the next chunk once `at_least` entries wait for it: NDJSON, one record a line, gzipped.

        Idempotent by the ids of its first and last entry.
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


def _fields(record: DecisionRecord) -> dict[EncodableT, EncodableT]:
    return {VIEW: msgspec.json.encode(view_of(record)), RECORD: msgspec.json.encode(record)}


def view_of(record: DecisionRecord) -> ScalingDecisionView:
    """What the console shows of a record."""
    terms, policy = record.terms, record.policy
    return ScalingDecisionView(
        at=record.at,
        queue=record.queue,
        action=record.action.value,
        binding=record.binding.value,
        sentence=record.sentence,
        backlog=terms.backlog,
        hint=terms.hint,
        oldest_s=round(record.snapshot.oldest_s, 1),
        capacity=terms.capacity,
        used=terms.used,
        pending=terms.pending,
        workers=terms.workers,
        launched=sum(launch.workers for launch in record.launches),
        retired=len(record.retire),
        cancelled=len(record.cancel),
        service_s=round(terms.service_s, 3),
        rate_per_s=round(terms.rate_per_s, 2),
        target_s=round(terms.target_s, 1),
        predicted_drain_s=None if record.predicted_drain_s is None else round(record.predicted_drain_s, 1),
        spent_hour="" if record.spent_hour is None else str(record.spent_hour),
        spent_day="" if record.spent_day is None else str(record.spent_day),
        budget_hour="" if policy.budget_per_hour is None else str(policy.budget_per_hour),
        budget_day="" if policy.budget_per_day is None else str(policy.budget_per_day),
        currency=policy.currency,
        dry_run=record.dry_run,
    )


class Archive:
    """Brings the log into the object store while this process leads.

    Args:
        leads: whether it does.
    """

    def __init__(self, log: DecisionLog, leads: Callable[[], bool]) -> None:
        self._log = log
        self._leads = leads

    async def run(self, *, every_s: float = 60.0) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            if self._leads():
                await self.once()

    async def once(self) -> None:
        """Every queue's full chunks; what cannot be written now is written later."""
        try:
            for queue in await self._log.queues():
                while await self._log.archive(queue) is not None:
                    pass
        except SignalboxError as error:
            _logger.warning("decisions not archived", extra={"detail": error.detail})
