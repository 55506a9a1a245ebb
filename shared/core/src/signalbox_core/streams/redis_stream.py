"""RunStream in Redis (6.2 and later): one Lua script writes, pipelines read, `RunIndexes` spans the runs."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import Conflict
from signalbox_core.events import CloudEvent, Snapshot
from signalbox_core.events.catalogue import TERMINAL
from signalbox_core.events.snapshot import ENDED
from signalbox_core.ids import run_id_of, run_key
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.streams import record as records
from signalbox_core.streams.indexes import RunIndexes
from signalbox_core.streams.keys import RunKeys
from signalbox_core.streams.projection import project
from signalbox_core.streams.record import Record
from signalbox_core.streams.run_stream import (
    AppendOutcome,
    Cursor,
    Frame,
    Gap,
    History,
    InboxItem,
    ProjectedSnapshot,
)

RETENTION: Final = timedelta(days=7)
MAX_FRAMES: Final = 10_000
MAX_PARKED: Final = 1_000
_MAX_RECORDS_PER_CALL: Final = 500
_MAX_LOCATED: Final = 50_000


class _ScriptCall(Struct, kw_only=True):
    mode: str
    channel: str
    tenant: str
    epoch: str
    ttl_ms: int
    max_frames: int
    max_parked: int
    replaces: str | None = None
    top: int = 0
    base: str = ""
    marks: tuple[str, ...] = ()
    terminal: bool = False


class _ScriptResult(Struct, kw_only=True):
    status: str
    epoch: str
    has_gap: bool
    healed: bool
    outcomes: list[AppendOutcome]


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
        script = files("signalbox_core.streams").joinpath("append.lua").read_text("utf-8")
        self._script = client.register_script(script)
        self._indexes = RunIndexes(client)
        self._located = BoundedDict[str, None](_MAX_LOCATED)

    async def append(self, event: CloudEvent) -> AppendOutcome:
        return (await self.append_many([event]))[0]

    async def append_many(self, events: Sequence[CloudEvent]) -> list[AppendOutcome]:
        groups: dict[tuple[str, str], list[tuple[int, CloudEvent, Record]]] = {}
        for position, event in enumerate(events):
            groups.setdefault((event.runid, event.tenantid), []).append(
                (position, event, records.milestone_record(event))
            )
        outcomes: dict[int, AppendOutcome] = {}
        for (run_id, tenant), group in groups.items():
            key = await self.locate(tenant, run_id)
            for start in range(0, len(group), _MAX_RECORDS_PER_CALL):
                part = group[start : start + _MAX_RECORDS_PER_CALL]
                applied = await self._apply(
                    self._new_call("append", key, tenant), key, [item[2] for item in part]
                )
                await self._indexes.update(
                    key,
                    [item[1] for item in part],
                    applied.outcomes,
                    has_gap=applied.has_gap,
                    healed=applied.healed,
                )
                outcomes.update(zip((item[0] for item in part), applied.outcomes, strict=True))
        return [outcomes[position] for position in range(len(events))]

    async def progress(self, event: CloudEvent) -> None:
        await self._publish_live(event, records.live_record(event))

    async def announce(self, event: CloudEvent) -> None:
        await self._publish_live(event, records.transient_record(event))

    async def locate(self, tenant: str, run_id: str) -> str:
        key = run_key(tenant, run_id)
        if key in self._located:
            return key
        with map_redis_errors(f"stream of {run_id}"):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hexists(RunKeys(key).meta, "epoch")
                pipe.hget(RunKeys(run_id).meta, "tenant")
                exists, tenant_without_key = await pipe.execute()
        if exists:
            # Final, unlike the other outcomes: a stream under the run key always takes precedence.
            self._located[key] = None
        elif tenant_without_key == tenant.encode():
            return run_id
        return key

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
                pipe.hmget(keys.meta, "epoch", "top", "tenant")
                pipe.hgetall(keys.newest)
                (epoch, top, tenant), newest = await pipe.execute()
        if epoch is None or not newest:
            return None
        fields = {field.decode(): value for field, value in newest.items()}
        return ProjectedSnapshot(
            snapshot=project(run_id, tenant.decode(), fields, int(top)), epoch=epoch.decode()
        )

    async def inbox(self, tenant: str) -> list[InboxItem]:
        return await self._indexes.inbox(tenant)

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
        applied = await self._apply(call, key, [])
        if applied.status == "other_epoch":
            return None
        await self._indexes.update_after_rebuild(key, snapshot, has_gap=applied.has_gap)
        return applied.epoch

    async def discard(self, key: str) -> None:
        await self._indexes.discard(key)

    def _new_call(self, mode: str, key: str, tenant: str) -> _ScriptCall:
        return _ScriptCall(
            mode=mode,
            channel=RunKeys(key).channel,
            tenant=tenant,
            epoch=secrets.token_hex(4),
            ttl_ms=self._retention_ms,
            max_frames=self._max_frames,
            max_parked=MAX_PARKED,
        )

    async def _apply(self, call: _ScriptCall, key: str, batch: Sequence[Record]) -> _ScriptResult:
        run_id = run_id_of(key)
        packed = [msgspec.msgpack.encode(call), *(msgspec.msgpack.encode(item) for item in batch)]
        with map_redis_errors(f"stream of {run_id}"):
            status, epoch, _, has_gap, healed, *outcomes = await self._script(
                keys=RunKeys(key).all, args=packed
            )
        if status == b"other_tenant":
            # Only when a gateway of an earlier release created the stream of another tenant just now.
            raise Conflict(
                f"run {run_id} belongs to another tenant; choose another run id",
                code="foreign_run",
                field="runid",
            )
        return _ScriptResult(
            status=status.decode(),
            epoch=epoch.decode(),
            has_gap=bool(has_gap),
            healed=bool(healed),
            outcomes=[AppendOutcome(outcome.decode()) for outcome in outcomes],
        )

    async def _publish_live(self, event: CloudEvent, record: Record) -> None:
        key = await self.locate(event.tenantid, event.runid)
        await self._apply(self._new_call("live", key, event.tenantid), key, [record])


def _sequence(entry: tuple[bytes, object]) -> int:
    return int(entry[0].partition(b"-")[0])


def _frame(epoch: str, entry: tuple[bytes, dict[bytes, bytes]]) -> Frame:
    name = entry[1][b"n"].decode()
    return Frame(
        epoch=epoch, sequence=_sequence(entry), name=name, data=entry[1][b"d"], terminal=name in TERMINAL
    )
