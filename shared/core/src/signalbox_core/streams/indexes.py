"""The indexes across runs: open and ended runs of a tenant, and runs with a gap; `inbox_index` is another.

They are on other cluster nodes than the runs, so a second step updates them after the script. That step is
idempotent and errs on the side of too many entries; every read checks the entries against the runs' own
marks.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from msgspec import Struct
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from signalbox_core.events import CloudEvent, Snapshot
from signalbox_core.events.catalogue import TERMINAL
from signalbox_core.events.snapshot import ENDED
from signalbox_core.ids import run_id_of
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.streams.decided_index import add_decisions
from signalbox_core.streams.inbox_entries import (
    closed_approval,
    decided_item,
    decided_items,
    inbox_item,
    inbox_items,
)
from signalbox_core.streams.inbox_index import add_entry, remove_entries
from signalbox_core.streams.keys import (
    GAPS,
    RunKeys,
    ended_runs_key,
    open_runs_key,
    tenant_channel,
)
from signalbox_core.streams.record import (
    APPROVAL_EVENTS,
    INBOX_FACT_EVENTS,
    is_first,
    pack_tenant_message,
)
from signalbox_core.streams.run_stream import (
    INBOX_CHANGED,
    RUN_APPEARED,
    AppendOutcome,
    DecidedItem,
    Gap,
    InboxItem,
)

_ORPHAN_TTL: Final = timedelta(hours=1)
_ENDED_TTL: Final = timedelta(hours=1)
_MAX_ENDED: Final = 1_000


class RunAppend(Struct, frozen=True, kw_only=True):
    """What one call of the script appended to the stream `key` of one run."""

    key: str
    events: Sequence[CloudEvent]
    outcomes: Sequence[AppendOutcome]
    has_gap: bool
    healed: bool


class _RunChange(Struct, frozen=True, kw_only=True):
    """What changes in the indexes for one run.

    Attributes:
        closed: the ids of approvals that are not open any more.
        is_inbox_changed: whether the inbox entry of an approval that stays open changes.
    """

    key: str
    tenant: str
    opened: tuple[InboxItem, ...] = ()
    closed: tuple[str, ...] = ()
    decided: tuple[DecidedItem, ...] = ()
    is_inbox_changed: bool = False
    is_open: bool
    is_new: bool
    ended_at: datetime | None
    has_gap: bool


def updates_indexes(event: CloudEvent) -> bool:
    """Whether an index depends on this event."""
    return is_first(event) or event.name in TERMINAL or event.name in APPROVAL_EVENTS


class RunIndexes:
    """Updates and reads the indexes."""

    def __init__(self, client: Redis) -> None:
        self._redis = client

    async def update(self, appends: Sequence[RunAppend]) -> None:
        """Update the indexes after appends to any number of runs, in one round trip.

        Done for every outcome, duplicates included, so that a redelivery repairs what a crash left undone.
        """
        changes = [change for append in appends if (change := _change(append)) is not None]
        if not changes:
            return
        with map_redis_errors("indexes of runs"):
            ended = await self._requested_approvals(
                [change for change in changes if change.ended_at is not None]
            )
            await self._write(
                [replace(change, closed=change.closed + ended.get(change.key, ())) for change in changes]
            )

    async def update_after_rebuild(self, key: str, snapshot: Snapshot, *, has_gap: bool) -> None:
        is_open = snapshot.status not in ENDED
        ended_at = None if is_open else snapshot.ended_at or datetime.now(UTC)
        change = _RunChange(
            key=key,
            tenant=snapshot.tenant,
            opened=inbox_items(snapshot),
            decided=decided_items(snapshot),
            is_open=is_open,
            is_new=is_open,
            ended_at=ended_at,
            has_gap=has_gap,
        )
        with map_redis_errors(f"stream of {snapshot.run_id}"):
            await self._write([change])

    async def open_runs(self, tenant: str, limit: int) -> list[str]:
        index = open_runs_key(tenant)
        with map_redis_errors("open runs"):
            runs = cast("list[bytes]", await self._redis.zrevrange(index, 0, limit - 1))
            async with self._redis.pipeline(transaction=False) as pipe:
                for run in runs:
                    pipe.hmget(RunKeys(run.decode()).meta, "epoch", "terminal")
                rows = await pipe.execute() if runs else []
            stale = [
                run
                for run, (epoch, terminal) in zip(runs, rows, strict=True)
                if epoch is None or terminal is not None
            ]
            if stale:
                await self._redis.zrem(index, *stale)
        return [run.decode() for run in runs if run not in stale]

    async def ended_runs(self, tenant: str, limit: int) -> dict[str, datetime]:
        since = (datetime.now(UTC) - _ENDED_TTL).timestamp()
        with map_redis_errors("ended runs"):
            rows = await self._redis.zrevrangebyscore(
                ended_runs_key(tenant), "+inf", since, start=0, num=limit, withscores=True
            )
        return {
            run.decode(): datetime.fromtimestamp(ended_at, UTC)
            for run, ended_at in cast("list[tuple[bytes, float]]", rows)
        }

    async def gaps(self, *, older_than: timedelta) -> list[Gap]:
        with map_redis_errors("gaps of streams"):
            runs = sorted(cast("set[bytes]", await self._redis.smembers(GAPS)))
            async with self._redis.pipeline(transaction=False) as pipe:
                for run in runs:
                    pipe.hmget(RunKeys(run.decode()).meta, "epoch", "top", "gap_since", "tenant")
                pipe.time()
                *states, now = await pipe.execute()
            stale = [run for run, state in zip(runs, states, strict=True) if state[2] is None]
            if stale:
                await self._redis.srem(GAPS, *stale)
        until_ms = now[0] * 1000 + now[1] // 1000 - int(older_than / timedelta(milliseconds=1))
        return [
            Gap(
                key=run.decode(),
                run_id=run_id_of(run.decode()),
                tenant=(tenant or b"").decode(),
                epoch=epoch.decode(),
                top=int(top),
                since=datetime.fromtimestamp(int(since) / 1000, UTC),
            )
            for run, (epoch, top, since, tenant) in zip(runs, states, strict=True)
            if since is not None and int(since) <= until_ms
        ]

    async def discard(self, key: str) -> None:
        with map_redis_errors(f"stream of {run_id_of(key)}"):
            async with self._redis.pipeline(transaction=False) as pipe:
                for stored in RunKeys(key).all:
                    pipe.pexpire(stored, _ORPHAN_TTL)
                pipe.hdel(RunKeys(key).meta, "gap_since")
                pipe.srem(GAPS, key)
                await pipe.execute()

    async def _write(self, changes: Sequence[_RunChange]) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            for change in changes:
                _add_commands(pipe, change)
            await pipe.execute()

    async def _requested_approvals(self, ended: Sequence[_RunChange]) -> dict[str, tuple[str, ...]]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for change in ended:
                pipe.hkeys(RunKeys(change.key).meta)
            found = cast("list[list[bytes]]", await pipe.execute() if ended else [])
        return {
            change.key: tuple(
                name.decode().removeprefix("approval:") for name in marks if name.startswith(b"approval:")
            )
            for change, marks in zip(ended, found, strict=True)
        }


def _change(append: RunAppend) -> _RunChange | None:
    """Return what an append changes in the indexes; None for nothing."""
    events = append.events
    requested = tuple(inbox_item(event) for event in events if event.name == "approval.requested")
    closed = tuple(approval for event in events if (approval := closed_approval(event)))
    decided = tuple(item for event in events if (item := decided_item(event)) is not None)
    is_inbox_changed = any(event.name in INBOX_FACT_EVENTS for event in events)
    ended_at = next((event.time for event in events if event.name in TERMINAL), None)
    ended = ended_at is not None
    first = next(
        (outcome for event, outcome in zip(events, append.outcomes, strict=True) if is_first(event)),
        None,
    )
    is_changed = requested or closed or is_inbox_changed or ended
    if not (is_changed or append.has_gap or append.healed or first):
        return None
    return _RunChange(
        key=append.key,
        tenant=events[0].tenantid,
        opened=() if ended else requested,
        closed=closed,
        decided=decided,
        is_inbox_changed=is_inbox_changed,
        # A duplicate of the first event must not announce a run again, which may have ended since.
        is_open=first is not None and not ended,
        is_new=first is AppendOutcome.APPENDED,
        ended_at=ended_at,
        has_gap=append.has_gap,
    )


def _add_commands(pipe: Pipeline, change: _RunChange) -> None:
    key, tenant = change.key, change.tenant
    channel = RunKeys(tenant_channel(tenant)).channel
    for item in change.opened:
        # Stored with the key of the stream, by which a reader checks whether the entry is still open.
        add_entry(pipe, tenant, replace(item, run_id=key))
    if change.closed:
        remove_entries(pipe, tenant, [f"{key}/{approval}" for approval in change.closed])
    add_decisions(pipe, tenant, [replace(item, run_id=key) for item in change.decided])
    if change.has_gap:
        pipe.sadd(GAPS, key)
    else:
        pipe.srem(GAPS, key)
    _add_run_commands(pipe, change)
    if change.is_new:
        pipe.publish(channel, pack_tenant_message(RUN_APPEARED, key))
    if change.opened or change.closed or change.is_inbox_changed:
        pipe.publish(channel, pack_tenant_message(INBOX_CHANGED))


def _add_run_commands(pipe: Pipeline, change: _RunChange) -> None:
    key, tenant = change.key, change.tenant
    if change.is_open:
        pipe.zadd(open_runs_key(tenant), {key: time.time()}, nx=True)
    if change.is_new:
        # A workflow id that is used again begins a run that has ended before.
        pipe.zrem(ended_runs_key(tenant), key)
    if change.ended_at is not None:
        pipe.zrem(open_runs_key(tenant), key)
        ended = ended_runs_key(tenant)
        pipe.zadd(ended, {key: change.ended_at.timestamp()}, nx=True)
        pipe.zremrangebyrank(ended, 0, -_MAX_ENDED - 1)
        pipe.expire(ended, _ENDED_TTL)
