"""The index of a tenant's pending approvals, ordered by when they were requested.

A hash holds the entries and a sorted set their order; a page costs the same however many are pending. As for
the other indexes, an entry too many is possible and every read checks the entries against the runs' marks.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.ids import run_id_of
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.streams.approval_marks import (
    Marks,
    claimer_of,
    described,
    is_open,
    mark_names,
    vote_mark,
)
from signalbox_core.streams.inbox_entries import requested_us
from signalbox_core.streams.keys import INBOX_TENANTS, RunKeys, inbox_key, inbox_order_key
from signalbox_core.streams.run_stream import InboxItem, InboxPage, InboxPosition

T = TypeVar("T")
_COMPARED_EVERY_S: Final = 5.0
_MAX_TENANTS: Final = 10_000
_MAX_PER_COMMAND: Final = 1_000


class _Slice(Struct, frozen=True, kw_only=True):
    """A part of the order: the fields after a position, and whether more follow."""

    fields: Sequence[tuple[str, int]]
    has_more: bool
    total: int


class InboxIndex:
    """Reads the index and repairs what it finds wrong."""

    def __init__(self, client: Redis) -> None:
        self._redis = client
        self._compared_at = BoundedDict[str, float](_MAX_TENANTS)

    async def page(
        self, tenant: str, after: InboxPosition | None, limit: int, voter: str | None
    ) -> InboxPage:
        """See `RunStream.inbox`."""
        with map_redis_errors("inbox of approvals"):
            await self._compare(tenant)
            items: list[InboxItem] = []
            position, has_more, total = after, True, 0
            while has_more and len(items) < limit:
                part = await self._slice(tenant, position, limit - len(items))
                has_more, total = part.has_more, part.total
                if part.fields:
                    items += await self._open_items(tenant, [field for field, _ in part.fields], voter)
                    field, score = part.fields[-1]
                    position = InboxPosition(requested_us=score, field=field)
        return InboxPage(
            items=tuple(replace(item, run_id=run_id_of(item.run_id)) for item in items),
            next=position if has_more else None,
            total=total,
        )

    async def tenants(self) -> list[str]:
        """See `RunStream.tenants_with_approvals`."""
        with map_redis_errors("inbox of approvals"):
            members = cast("set[bytes]", await self._redis.smembers(INBOX_TENANTS))
        return sorted(member.decode() for member in members)

    async def _slice(self, tenant: str, after: InboxPosition | None, count: int) -> _Slice:
        order = inbox_order_key(tenant)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zcard(order)
            if after is None:
                pipe.zrange(order, 0, count, withscores=True)
            else:
                score = after.requested_us
                pipe.zrangebyscore(order, score, score, withscores=True)
                pipe.zrangebyscore(order, f"({score}", "+inf", start=0, num=count + 1, withscores=True)
            total, *parts = await pipe.execute()
        found = [(member.decode(), int(score)) for part in parts for member, score in part]
        if after is not None:
            found = [
                (field, score) for field, score in found if (score, field) > (after.requested_us, after.field)
            ]
        return _Slice(fields=found[:count], has_more=len(found) > count, total=total)

    async def _open_items(self, tenant: str, fields: Sequence[str], voter: str | None) -> list[InboxItem]:
        values = cast("list[bytes | None]", await self._redis.hmget(inbox_key(tenant), list(fields)))
        known = [msgspec.json.decode(value, type=InboxItem) for value in values if value is not None]
        opened = await self._check(known, voter)
        valid = {entry_field(item) for item in opened}
        stale = [field for field in fields if field not in valid]
        if stale:
            async with self._redis.pipeline(transaction=False) as pipe:
                remove_entries(pipe, tenant, stale)
                await pipe.execute()
        return opened

    async def _check(self, items: Sequence[InboxItem], voter: str | None) -> list[InboxItem]:
        """Return the items that are pending according to the marks, with what these tell of them."""
        rows = await self._read_marks([(item, mark_names(item.approval_id, voter)) for item in items])
        opened = [(item, marks) for item, marks in zip(items, rows, strict=True) if is_open(item, marks)]
        claimed = [
            (item, (vote_mark(item.approval_id, claimer),))
            for item, marks in opened
            if (claimer := claimer_of(item, marks)) is not None
        ]
        votes = {
            entry_field(item): next(iter(marks.values()))
            for (item, _), marks in zip(claimed, await self._read_marks(claimed), strict=True)
        }
        return [
            described(item, marks, voter=voter, claimer_vote=votes.get(entry_field(item)))
            for item, marks in opened
        ]

    async def _read_marks(self, wanted: Sequence[tuple[InboxItem, Sequence[str]]]) -> list[Marks]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for item, names in wanted:
                pipe.hmget(RunKeys(item.run_id).meta, *names)
            rows = await pipe.execute() if wanted else []
        return [dict(zip(names, row, strict=True)) for (_, names), row in zip(wanted, rows, strict=True)]

    async def _compare(self, tenant: str) -> None:
        """Now and then, repair the order if it does not have as many entries as the hash, and the tenants.

        An earlier release wrote neither, and a process that dies may have written only one of the two.
        """
        if time.monotonic() - self._compared_at.get(tenant, float("-inf")) < _COMPARED_EVERY_S:
            return
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hlen(inbox_key(tenant))
            pipe.zcard(inbox_order_key(tenant))
            entries, ordered = await pipe.execute()
        if entries:
            await self._redis.sadd(INBOX_TENANTS, tenant)
        if entries != ordered:
            await self._repair_order(tenant)
        self._compared_at[tenant] = time.monotonic()

    async def _repair_order(self, tenant: str) -> None:
        # The order is read first: an entry enters the hash first, so one that only the order has was removed.
        members = cast("list[bytes]", await self._redis.zrange(inbox_order_key(tenant), 0, -1))
        index = cast("Mapping[bytes, bytes]", await self._redis.hgetall(inbox_key(tenant)))
        items = [msgspec.json.decode(value, type=InboxItem) for value in index.values()]
        scores = {entry_field(item): requested_us(item) for item in items}
        surplus = [member for member in members if member.decode() not in scores]
        async with self._redis.pipeline(transaction=False) as pipe:
            for fields in _parts(list(scores)):
                pipe.zadd(inbox_order_key(tenant), {field: scores[field] for field in fields})
            for part in _parts(surplus):
                pipe.zrem(inbox_order_key(tenant), *part)
            await pipe.execute()


def add_entry(pipe: Pipeline, tenant: str, item: InboxItem) -> None:
    """Add an entry and its place in the order."""
    pipe.hset(inbox_key(tenant), entry_field(item), msgspec.json.encode(item))
    pipe.zadd(inbox_order_key(tenant), {entry_field(item): requested_us(item)})
    pipe.sadd(INBOX_TENANTS, tenant)


def remove_entries(pipe: Pipeline, tenant: str, fields: Sequence[str]) -> None:
    """Remove entries, if they exist."""
    pipe.hdel(inbox_key(tenant), *fields)
    pipe.zrem(inbox_order_key(tenant), *fields)


def entry_field(item: InboxItem) -> str:
    """The name of an entry."""
    return f"{item.run_id}/{item.approval_id}"


def _parts(values: Sequence[T]) -> list[Sequence[T]]:
    return [values[start : start + _MAX_PER_COMMAND] for start in range(0, len(values), _MAX_PER_COMMAND)]
