"""What spans runs: the tenant's inbox of open approvals, its open runs, its news, and the runs with a gap.

They live on other nodes than the runs, so they follow the script in a second step. That step is idempotent, errs towards
too many entries, and every read checks the entries against the runs' own marks.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_core.events import CloudEvent, Snapshot
from signalbox_core.events.catalogue import TERMINAL
from signalbox_core.events.snapshot import ENDED
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.streams.keys import GAPS, RunKeys, inbox_key, open_runs_key, tenant_news
from signalbox_core.streams.record import CLOSED_APPROVAL, closed_approval, inbox_item, inbox_items, pack_news
from signalbox_core.streams.run_stream import INBOX_CHANGED, RUN_APPEARED, Gap, InboxItem, Outcome

_ORPHAN_TTL: Final = timedelta(hours=1)


class _Standing(Struct, frozen=True, kw_only=True):
    """How an inbox entry stands by its run's marks."""

    item: InboxItem
    is_open: bool
    pipeline: str


class _Seen(Struct, frozen=True, kw_only=True):
    """What a write says of the run as a whole."""

    is_open: bool
    is_new: bool
    has_ended: bool


class RunIndexes:
    """Keeps and reads the indexes."""

    def __init__(self, client: Redis) -> None:
        self._redis = client

    async def follow(
        self, events: Sequence[CloudEvent], outcomes: Sequence[Outcome], *, has_gap: bool, healed: bool
    ) -> None:
        """Bring the indexes after an append to one run; whatever its outcomes, so that a repetition mends what a crash left out."""
        run_id, tenant = events[0].runid, events[0].tenantid
        asked = [inbox_item(event) for event in events if event.name == "approval.requested"]
        closed = [approval for event in events if (approval := closed_approval(event))]
        ended = any(event.name in TERMINAL for event in events)
        first = next(
            (outcome for event, outcome in zip(events, outcomes, strict=True) if event.sequence == 1), None
        )
        if not (asked or closed or ended or has_gap or healed or first):
            return
        with map_redis_errors(f"stream of {run_id}"):
            closed += await self._asked_so_far(run_id) if ended else []
            # Of a repetition listeners have heard; they must not hear of a run again that has ended since.
            seen = _Seen(
                is_open=first is not None and not ended, is_new=first is Outcome.APPENDED, has_ended=ended
            )
            await self._write(run_id, tenant, [] if ended else asked, closed, seen, has_gap=has_gap)

    async def follow_rebuild(self, snapshot: Snapshot, *, has_gap: bool) -> None:
        with map_redis_errors(f"stream of {snapshot.run_id}"):
            is_open = snapshot.status not in ENDED
            seen = _Seen(is_open=is_open, is_new=is_open, has_ended=not is_open)
            await self._write(
                snapshot.run_id, snapshot.tenant, inbox_items(snapshot), [], seen, has_gap=has_gap
            )

    async def inbox(self, tenant: str) -> list[InboxItem]:
        with map_redis_errors("inbox of approvals"):
            index = cast("Mapping[bytes, bytes]", await self._redis.hgetall(inbox_key(tenant)))
            standings = await self._standings(
                [msgspec.json.decode(value, type=InboxItem) for value in index.values()]
            )
            over = [_field(standing.item) for standing in standings if not standing.is_open]
            if over:
                await self._redis.hdel(inbox_key(tenant), *over)
        items = [
            replace(standing.item, pipeline=standing.pipeline or standing.item.pipeline)
            for standing in standings
            if standing.is_open
        ]
        return sorted(items, key=lambda item: (item.requested_at, item.run_id, item.approval_id))

    async def open_runs(self, tenant: str, limit: int) -> list[str]:
        key = open_runs_key(tenant)
        with map_redis_errors("open runs"):
            runs = cast("list[bytes]", await self._redis.zrevrange(key, 0, limit - 1))
            async with self._redis.pipeline(transaction=False) as pipe:
                for run in runs:
                    pipe.hmget(RunKeys(run.decode()).meta, "epoch", "terminal")
                rows = await pipe.execute() if runs else []
            over = [
                run
                for run, (epoch, terminal) in zip(runs, rows, strict=True)
                if epoch is None or terminal is not None
            ]
            if over:
                await self._redis.zrem(key, *over)
        return [run.decode() for run in runs if run not in over]

    async def gaps(self, *, older_than: timedelta) -> list[Gap]:
        with map_redis_errors("gaps of streams"):
            runs = sorted(cast("set[bytes]", await self._redis.smembers(GAPS)))
            async with self._redis.pipeline(transaction=False) as pipe:
                for run in runs:
                    pipe.hmget(RunKeys(run.decode()).meta, "epoch", "top", "gap_since")
                pipe.time()
                *states, now = await pipe.execute()
            over = [run for run, state in zip(runs, states, strict=True) if state[2] is None]
            if over:
                await self._redis.srem(GAPS, *over)
        until_ms = now[0] * 1000 + now[1] // 1000 - int(older_than / timedelta(milliseconds=1))
        return [
            Gap(
                run_id=run.decode(),
                epoch=epoch.decode(),
                top=int(top),
                since=datetime.fromtimestamp(int(since) / 1000, UTC),
            )
            for run, (epoch, top, since) in zip(runs, states, strict=True)
            if since is not None and int(since) <= until_ms
        ]

    async def discard(self, run_id: str) -> None:
        with map_redis_errors(f"stream of {run_id}"):
            async with self._redis.pipeline(transaction=False) as pipe:
                for key in RunKeys(run_id).all:
                    pipe.pexpire(key, _ORPHAN_TTL)
                pipe.hdel(RunKeys(run_id).meta, "gap_since")
                pipe.srem(GAPS, run_id)
                await pipe.execute()

    async def _write(
        self,
        run_id: str,
        tenant: str,
        opened: Sequence[InboxItem],
        closed: Sequence[str],
        seen: "_Seen",
        *,
        has_gap: bool,
    ) -> None:
        news = RunKeys(tenant_news(tenant)).channel
        async with self._redis.pipeline(transaction=False) as pipe:
            for item in opened:
                pipe.hset(inbox_key(tenant), _field(item), msgspec.json.encode(item))
            if closed:
                pipe.hdel(inbox_key(tenant), *(f"{run_id}/{approval}" for approval in closed))
            if has_gap:
                pipe.sadd(GAPS, run_id)
            else:
                pipe.srem(GAPS, run_id)
            if seen.is_open:
                pipe.zadd(open_runs_key(tenant), {run_id: time.time()}, nx=True)
            if seen.has_ended:
                pipe.zrem(open_runs_key(tenant), run_id)
            if seen.is_new:
                pipe.publish(news, pack_news(RUN_APPEARED, run_id))
            if opened or closed:
                pipe.publish(news, pack_news(INBOX_CHANGED))
            await pipe.execute()

    async def _asked_so_far(self, run_id: str) -> list[str]:
        marks = cast("Mapping[bytes, bytes]", await self._redis.hgetall(RunKeys(run_id).meta))
        return [name.decode().removeprefix("approval:") for name in marks if name.startswith(b"approval:")]

    async def _standings(self, items: Sequence[InboxItem]) -> list[_Standing]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for item in items:
                pipe.hmget(
                    RunKeys(item.run_id).meta, "epoch", "terminal", f"approval:{item.approval_id}", "pipeline"
                )
            rows = await pipe.execute() if items else []
        return [
            _Standing(
                item=item,
                is_open=epoch is not None and terminal is None and mark != CLOSED_APPROVAL.encode(),
                pipeline=(pipeline or b"").decode(),
            )
            for item, (epoch, terminal, mark, pipeline) in zip(items, rows, strict=True)
        ]


def _field(item: InboxItem) -> str:
    return f"{item.run_id}/{item.approval_id}"
