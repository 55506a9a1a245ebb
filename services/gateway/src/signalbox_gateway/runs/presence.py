"""Who has which question open: display names in Redis that expire, announced on the tenant's channel.

Presence is a hint for people. It locks nothing, and a lost report costs at most one interval between two.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, cast

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.redis.client import map_redis_errors
from signalbox_core.streams import PRESENCE_CHANGED, tenant_channel
from signalbox_core.streams.keys import RunKeys, presence_key
from signalbox_core.streams.record import Record, pack_message
from signalbox_core.subjects import Subject

PRESENCE_TTL: Final = timedelta(seconds=40)
"""Longer than two intervals between reports of a browser, which are 15 s."""
MAX_PRESENT: Final = 200
"""How many people and questions a tenant has at once; beyond it, a new report is not kept."""

PresenceState = Literal["viewing", "deciding", "left"]


class Viewer(Struct, frozen=True, kw_only=True):
    """A person who has a question open. `deciding`: they have entered something."""

    name: str
    deciding: bool


class QuestionPresence(Struct, frozen=True, kw_only=True):
    """The viewers of one question, sorted by name; empty when nobody has it open any more."""

    run_id: str
    approval_id: str
    viewers: tuple[Viewer, ...]


class PresenceEntry(Struct, frozen=True, kw_only=True):
    """What is stored of one person at one question."""

    run_id: str
    approval_id: str
    name: str
    deciding: bool
    expires_at: datetime


class PresenceChange(Struct, frozen=True, kw_only=True):
    """The effect of a report.

    Attributes:
        entries: all entries afterwards.
        removed: the fields of entries that have expired or left.
        changed: the questions whose viewers are others than before.
    """

    entries: Mapping[str, PresenceEntry]
    removed: tuple[str, ...]
    changed: tuple[QuestionPresence, ...]


def apply_report(
    entries: Mapping[str, PresenceEntry], field: str, entry: PresenceEntry | None, now: datetime
) -> PresenceChange:
    """Apply the report of one person about one question, and drop what has expired.

    Args:
        field: that of the person and the question.
        entry: None when the person has left the question.
    """
    kept = {name: item for name, item in entries.items() if item.expires_at > now}
    if entry is None:
        kept.pop(field, None)
    elif field in kept or len(kept) < MAX_PRESENT:
        kept[field] = entry
    before, after = group_by_question(entries), group_by_question(kept)
    changed = [
        after.get(question) or QuestionPresence(run_id=question[0], approval_id=question[1], viewers=())
        for question in dict.fromkeys([*before, *after])
        if before.get(question) != after.get(question)
    ]
    return PresenceChange(
        entries=kept, removed=tuple(name for name in entries if name not in kept), changed=tuple(changed)
    )


def group_by_question(entries: Mapping[str, PresenceEntry]) -> dict[tuple[str, str], QuestionPresence]:
    """Group entries by run and approval. A person with the same name counts once."""
    found: dict[tuple[str, str], dict[str, bool]] = {}
    for entry in entries.values():
        names = found.setdefault((entry.run_id, entry.approval_id), {})
        names[entry.name] = names.get(entry.name, False) or entry.deciding
    return {
        question: QuestionPresence(
            run_id=question[0],
            approval_id=question[1],
            viewers=tuple(Viewer(name=name, deciding=names[name]) for name in sorted(names)),
        )
        for question, names in sorted(found.items())
    }


class PresenceStore:
    """Keeps the presence of a tenant's people. All methods raise Unavailable when Redis does not respond."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def report(
        self, tenant: str, subject: Subject, name: str, *, run_id: str, approval_id: str, state: PresenceState
    ) -> tuple[QuestionPresence, ...]:
        """Record what a person has open, and announce the questions whose viewers have changed.

        Returns:
            The presence at all questions of the tenant.
        """
        now = datetime.now(UTC)
        field = f"{run_id}/{approval_id}/{_digest(subject.subject)}"
        entry = PresenceEntry(
            run_id=run_id,
            approval_id=approval_id,
            name=name,
            deciding=state == "deciding",
            expires_at=now + PRESENCE_TTL,
        )
        change = apply_report(await self._entries(tenant), field, None if state == "left" else entry, now)
        await self._write(tenant, field, change)
        return tuple(group_by_question(change.entries).values())

    async def present(self, tenant: str) -> tuple[QuestionPresence, ...]:
        """Return the presence at all questions of the tenant."""
        entries, now = await self._entries(tenant), datetime.now(UTC)
        current = {field: entry for field, entry in entries.items() if entry.expires_at > now}
        return tuple(group_by_question(current).values())

    async def _entries(self, tenant: str) -> dict[str, PresenceEntry]:
        key = presence_key(tenant)
        with map_redis_errors(key):
            found = cast(Mapping[bytes, bytes], await self._redis.hgetall(key))
        return {
            field.decode(): msgspec.json.decode(value, type=PresenceEntry) for field, value in found.items()
        }

    async def _write(self, tenant: str, field: str, change: PresenceChange) -> None:
        key, channel = presence_key(tenant), RunKeys(tenant_channel(tenant)).channel
        with map_redis_errors(key):
            async with self._redis.pipeline(transaction=True) as pipe:
                if change.removed:
                    pipe.hdel(key, *change.removed)
                if field in change.entries:
                    pipe.hset(key, field, msgspec.json.encode(change.entries[field]))
                    pipe.pexpire(key, PRESENCE_TTL)
                for question in change.changed:
                    data = msgspec.json.encode(question).decode()
                    record = Record(sequence=0, name=PRESENCE_CHANGED, data=data)
                    pipe.publish(channel, pack_message("-", record))
                await pipe.execute()


def _digest(subject: str) -> str:
    return hashlib.blake2b(subject.encode(), digest_size=12).hexdigest()
