"""RunStream in Redis (6.2 and later): one Lua script writes, pipelines read, `RunIndexes` spans the runs."""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import Conflict, SignalboxError
from signalbox_core.events import CloudEvent, Snapshot
from signalbox_core.events.catalogue import TERMINAL
from signalbox_core.events.snapshot import ENDED
from signalbox_core.ids import run_id_of, run_key
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.streams import record as records
from signalbox_core.streams.append_script import AppendScript, RunCall, ScriptCall, ScriptResult
from signalbox_core.streams.decided_index import DecidedIndex
from signalbox_core.streams.grouped_writes import GroupedWrite, PreparedEvent, group_by_run, prepare_event
from signalbox_core.streams.inbox_index import InboxIndex
from signalbox_core.streams.indexes import RunAppend, RunIndexes, updates_indexes
from signalbox_core.streams.keys import RunKeys
from signalbox_core.streams.projection import project, running_children, with_ends_of_children
from signalbox_core.streams.record import Record
from signalbox_core.streams.run_stream import (
    AppendOutcome,
    Cursor,
    DecidedItem,
    Frame,
    Gap,
    History,
    InboxPage,
    InboxPosition,
    ProjectedSnapshot,
)

RETENTION: Final = timedelta(days=7)
MAX_FRAMES: Final = 10_000
MAX_PARKED: Final = 1_000
_MAX_LOCATED: Final = 50_000


class RedisRunStream:
    """The RunStream of production.

    Args:
        client: must return bytes (`decode_responses=False`).
        retention: how long a run's stream is retained after its terminal event.
        max_frames: the most frames in a stream (approximate); older ones are trimmed, and a cursor before
            them is lost.
    """

    def __init__(
        self, client: Redis, *, retention: timedelta = RETENTION, max_frames: int = MAX_FRAMES
    ) -> None:
        if client.connection_pool.connection_kwargs.get("decode_responses"):
            raise ValueError("RedisRunStream needs a client with decode_responses=False")
        self._redis = client
        self._retention_ms = int(retention / timedelta(milliseconds=1))
        self._max_frames = max_frames
        self._script = AppendScript(client)
        self._indexes = RunIndexes(client)
        self._inbox = InboxIndex(client)
        self._decided = DecidedIndex(client)
        self._located = BoundedDict[str, None](_MAX_LOCATED)

    async def append(self, event: CloudEvent) -> AppendOutcome:
        return (await self.append_many([event]))[0]

    async def append_many(self, events: Sequence[CloudEvent]) -> list[AppendOutcome]:
        results = await self._write([(event, records.milestone_record(event)) for event in events])
        failure = next((result for result in results if isinstance(result, SignalboxError)), None)
        if failure is not None:
            raise failure
        return [result for result in results if isinstance(result, AppendOutcome)]

    async def write_batch(self, events: Sequence[CloudEvent]) -> list[AppendOutcome | SignalboxError]:
        return await self._write([prepare_event(event) for event in events])

    async def append_missing(self, events: Sequence[CloudEvent]) -> list[AppendOutcome | SignalboxError]:
        compared = [event for event in events if event.sequence is not None and not updates_indexes(event)]
        tops = await self._tops({(event.tenantid, event.runid) for event in compared})
        results: list[AppendOutcome | SignalboxError] = [AppendOutcome.DROPPED] * len(events)
        missing = [
            place
            for place, event in enumerate(events)
            if event.sequence is None
            or updates_indexes(event)
            or event.sequence > tops[event.tenantid, event.runid]
        ]
        written = await self._write([prepare_event(events[place]) for place in missing])
        for place, result in zip(missing, written, strict=True):
            results[place] = result
        return results

    async def progress(self, event: CloudEvent) -> None:
        await self._publish_live(event, records.live_record(event))

    async def announce(self, event: CloudEvent) -> None:
        await self._publish_live(event, records.transient_record(event))

    async def locate(self, tenant: str, run_id: str) -> str:
        return (await self._locate([(tenant, run_id)]))[0]

    async def read(self, key: str, after: Cursor | None, limit: int = 500) -> History:
        keys = RunKeys(key)
        start = after.sequence if after else 0
        with map_redis_errors(f"stream of {run_id_of(key)}"):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hmget(keys.meta, "epoch", "top", "terminal")
                pipe.xrange(keys.log, f"({start}-0", "+", limit)
                pipe.xrange(keys.log, "-", "+", 1)
                (epoch, top, terminal), entries, oldest = await pipe.execute()
        newest = int(top or 0)
        name = (epoch or b"").decode()
        first = _sequence(oldest[0]) if oldest else newest + 1
        lost = start > newest or start < first - 1 or (after is not None and after.epoch != name)
        frames = () if lost else tuple(_frame(name, entry) for entry in entries)
        return History(epoch=name, top=newest, ended=bool(terminal), frames=frames, lost=lost)

    async def snapshot(self, key: str) -> ProjectedSnapshot | None:
        keys, run_id = RunKeys(key), run_id_of(key)
        with map_redis_errors(f"stream of {run_id}"):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hmget(keys.meta, "epoch", "top", "tenant", "retried_as")
                pipe.hgetall(keys.newest)
                (epoch, top, tenant, retried_as), newest = await pipe.execute()
        if epoch is None or not newest:
            return None
        fields = {field.decode(): value for field, value in newest.items()}
        snapshot = project(run_id, tenant.decode(), fields, int(top))
        if retried_as is not None:
            snapshot = replace(snapshot, retried_as=retried_as.decode())
        ends = await self._ends(tenant.decode(), running_children(snapshot))
        return ProjectedSnapshot(snapshot=with_ends_of_children(snapshot, ends), epoch=epoch.decode())

    async def _ends(self, tenant: str, run_ids: Sequence[str]) -> list[str | None]:
        """The terminal events of runs; None for one that has none, or no stream."""
        if not run_ids:
            return []
        with map_redis_errors("streams of child runs"):
            async with self._redis.pipeline(transaction=False) as pipe:
                for run_id in run_ids:
                    pipe.hget(RunKeys(run_key(tenant, run_id)).meta, "terminal")
                found: list[bytes | None] = await pipe.execute()
        return [name.decode() if name is not None else None for name in found]

    async def inbox(
        self,
        tenant: str,
        *,
        after: InboxPosition | None = None,
        limit: int = 200,
        voter: str | None = None,
    ) -> InboxPage:
        return await self._inbox.page(tenant, after, limit, voter)

    async def decided(self, tenant: str, limit: int) -> tuple[DecidedItem, ...]:
        return await self._decided.newest(tenant, limit)

    async def tenants_with_approvals(self) -> list[str]:
        return await self._inbox.tenants()

    async def open_runs(self, tenant: str, limit: int) -> list[str]:
        return await self._indexes.open_runs(tenant, limit)

    async def ended_runs(self, tenant: str, limit: int) -> dict[str, datetime]:
        return await self._indexes.ended_runs(tenant, limit)

    async def gaps(self, *, older_than: timedelta) -> list[Gap]:
        return await self._indexes.gaps(older_than=older_than)

    async def rebuild(self, snapshot: Snapshot, *, replaces: str | None = None) -> str | None:
        key = await self.locate(snapshot.tenant, snapshot.run_id)
        call = self._new_call("rebuild", key, snapshot.tenant)
        call.replaces = replaces
        call.top = snapshot.sequence
        call.base = msgspec.json.encode(snapshot).decode()
        call.marks = records.snapshot_marks(snapshot)
        call.terminal = snapshot.status in ENDED
        applied = await self._script.run(RunCall(key=key, call=call))
        if applied.status == "other_epoch":
            return None
        await self._indexes.update_after_rebuild(key, snapshot, has_gap=applied.has_gap)
        return applied.epoch

    async def link_retry(self, key: str, retried_as: str) -> None:
        meta = RunKeys(key).meta
        with map_redis_errors(f"stream of {run_id_of(key)}"):
            # Without a stream nothing would ever delete the field.
            if await self._redis.hexists(meta, "epoch"):
                await self._redis.hset(meta, "retried_as", retried_as)

    async def discard(self, key: str) -> None:
        await self._indexes.discard(key)

    def _new_call(self, mode: str, key: str, tenant: str) -> ScriptCall:
        return ScriptCall(
            mode=mode,
            channel=RunKeys(key).channel,
            tenant=tenant,
            epoch=secrets.token_hex(4),
            ttl_ms=self._retention_ms,
            max_frames=self._max_frames,
            max_parked=MAX_PARKED,
        )

    async def _write(self, prepared: Sequence[PreparedEvent]) -> list[AppendOutcome | SignalboxError]:
        """Write the records of any number of runs in one round trip, each run's in their order."""
        results: list[AppendOutcome | SignalboxError] = [
            item if isinstance(item, SignalboxError) else AppendOutcome.DROPPED for item in prepared
        ]
        writes = group_by_run(prepared)
        if not writes:
            return results
        keys = await self._locate([(write.events[0].tenantid, write.events[0].runid) for write in writes])
        appended: list[RunAppend] = []
        for write, key, result in zip(writes, keys, await self._run_script(writes, keys), strict=True):
            outcomes: Sequence[AppendOutcome | SignalboxError] = (
                result.outcomes if isinstance(result, ScriptResult) else [result] * len(write.positions)
            )
            for position, outcome in zip(write.positions, outcomes, strict=True):
                results[position] = outcome
            if write.mode == "append" and isinstance(result, ScriptResult):
                appended.append(
                    RunAppend(
                        key=key,
                        events=write.events,
                        outcomes=result.outcomes,
                        has_gap=result.has_gap,
                        healed=result.healed,
                    )
                )
        await self._indexes.update(appended)
        return results

    async def _run_script(
        self, writes: Sequence[GroupedWrite], keys: Sequence[str]
    ) -> list[ScriptResult | Conflict]:
        calls = []
        for write, key in zip(writes, keys, strict=True):
            call = self._new_call(write.mode, key, write.events[0].tenantid)
            calls.append(RunCall(key=key, call=call, records=write.records))
        return await self._script.run_all(calls)

    async def _tops(self, runs: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Return the newest sequence of each run's stream; 0 when it has none, or another tenant's."""
        keys = await self._locate(list(runs))
        with map_redis_errors("streams of runs"):
            async with self._redis.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.hmget(RunKeys(key).meta, "top", "tenant")
                found = await pipe.execute() if runs else []
        return {
            (tenant, run_id): int(top) if top is not None and owner == tenant.encode() else 0
            for (tenant, run_id), (top, owner) in zip(runs, found, strict=True)
        }

    async def _locate(self, runs: Sequence[tuple[str, str]]) -> list[str]:
        """Return the keys of the streams of tenants' runs, in one round trip at most; see `locate`."""
        keys = [run_key(tenant, run_id) for tenant, run_id in runs]
        unknown = [place for place, key in enumerate(keys) if key not in self._located]
        if not unknown:
            return keys
        with map_redis_errors("streams of runs"):
            async with self._redis.pipeline(transaction=False) as pipe:
                for place in unknown:
                    pipe.hexists(RunKeys(keys[place]).meta, "epoch")
                    pipe.hget(RunKeys(runs[place][1]).meta, "tenant")
                found = await pipe.execute()
        for place, exists, tenant_without_key in zip(unknown, found[::2], found[1::2], strict=True):
            tenant, run_id = runs[place]
            if exists:
                # Final, unlike the other outcomes: a stream under the run key always takes precedence.
                self._located[keys[place]] = None
            elif tenant_without_key == tenant.encode():
                keys[place] = run_id
        return keys

    async def _publish_live(self, event: CloudEvent, record: Record) -> None:
        key = await self.locate(event.tenantid, event.runid)
        call = self._new_call("live", key, event.tenantid)
        await self._script.run(RunCall(key=key, call=call, records=[record]))


def _sequence(entry: tuple[bytes, object]) -> int:
    return int(entry[0].partition(b"-")[0])


def _frame(epoch: str, entry: tuple[bytes, dict[bytes, bytes]]) -> Frame:
    name = entry[1][b"n"].decode()
    return Frame(
        epoch=epoch, sequence=_sequence(entry), name=name, data=entry[1][b"d"], terminal=name in TERMINAL
    )
