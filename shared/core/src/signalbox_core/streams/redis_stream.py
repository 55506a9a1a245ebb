"""RunStream in Redis (6.2 and later): one Lua script writes, pipelines read, two small indexes follow the runs."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from importlib.resources import files
from typing import Final, cast

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.errors import Conflict
from signalbox_core.events import CloudEvent, Snapshot
from signalbox_core.events.catalogue import TERMINAL
from signalbox_core.events.snapshot import ENDED
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.streams import record as records
from signalbox_core.streams.indexes import RunIndexes
from signalbox_core.streams.keys import RunKeys
from signalbox_core.streams.projection import project
from signalbox_core.streams.record import Record
from signalbox_core.streams.run_stream import Cursor, Frame, Gap, History, InboxItem, Outcome, Projected

RETENTION: Final = timedelta(days=7)
MAX_FRAMES: Final = 10_000
MAX_PARKED: Final = 1_000
_MAX_RECORDS: Final = 500


class _Call(Struct, kw_only=True):
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


class _Applied(Struct, kw_only=True):
    verdict: str
    epoch: str
    has_gap: bool
    healed: bool
    outcomes: list[Outcome]


class RedisRunStream:
    """The real RunStream.

    Args:
        client: must give bytes (`decode_responses=False`).
        retention: how long a run's stream stays after its terminal event.
        max_frames: how many frames a stream keeps; older ones are trimmed, and a cursor before them is lost.
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

    async def append(self, event: CloudEvent) -> Outcome:
        return (await self.append_many([event]))[0]

    async def append_many(self, events: Sequence[CloudEvent]) -> list[Outcome]:
        groups: dict[tuple[str, str], list[tuple[int, CloudEvent, Record]]] = {}
        for place, event in enumerate(events):
            groups.setdefault((event.runid, event.tenantid), []).append(
                (place, event, records.milestone_record(event))
            )
        outcomes: dict[int, Outcome] = {}
        for (run_id, tenant), group in groups.items():
            for start in range(0, len(group), _MAX_RECORDS):
                part = group[start : start + _MAX_RECORDS]
                applied = await self._apply(
                    self._call("append", run_id, tenant), run_id, [item[2] for item in part]
                )
                await self._indexes.follow(
                    [item[1] for item in part],
                    applied.outcomes,
                    has_gap=applied.has_gap,
                    healed=applied.healed,
                )
                outcomes.update(zip((item[0] for item in part), applied.outcomes, strict=True))
        return [outcomes[place] for place in range(len(events))]

    async def progress(self, event: CloudEvent) -> None:
        await self._show(event, records.live_record(event))

    async def announce(self, event: CloudEvent) -> None:
        await self._show(event, records.announced_record(event))

    async def read(self, run_id: str, after: Cursor | None, limit: int = 500) -> History:
        keys = RunKeys(run_id)
        start = after.sequence if after else 0
        with map_redis_errors(f"stream of {run_id}"):
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

    async def snapshot(self, run_id: str) -> Projected | None:
        keys = RunKeys(run_id)
        with map_redis_errors(f"stream of {run_id}"):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hmget(keys.meta, "epoch", "top", "tenant")
                pipe.hgetall(keys.newest)
                (epoch, top, tenant), newest = await pipe.execute()
        if epoch is None or not newest:
            return None
        fields = {field.decode(): value for field, value in newest.items()}
        return Projected(snapshot=project(run_id, tenant.decode(), fields, int(top)), epoch=epoch.decode())

    async def tenant(self, run_id: str) -> str | None:
        with map_redis_errors(f"stream of {run_id}"):
            tenant = cast("bytes | None", await self._redis.hget(RunKeys(run_id).meta, "tenant"))
        return None if tenant is None else tenant.decode()

    async def inbox(self, tenant: str) -> list[InboxItem]:
        return await self._indexes.inbox(tenant)

    async def open_runs(self, tenant: str, limit: int) -> list[str]:
        return await self._indexes.open_runs(tenant, limit)

    async def gaps(self, *, older_than: timedelta) -> list[Gap]:
        return await self._indexes.gaps(older_than=older_than)

    async def rebuild(self, snapshot: Snapshot, *, replaces: str | None = None) -> str | None:
        call = self._call("rebuild", snapshot.run_id, snapshot.tenant)
        call.replaces = replaces
        call.top = snapshot.sequence
        call.base = msgspec.json.encode(snapshot).decode()
        call.marks = records.snapshot_marks(snapshot)
        call.terminal = snapshot.status in ENDED
        applied = await self._apply(call, snapshot.run_id, [])
        if applied.verdict == "other":
            return None
        await self._indexes.follow_rebuild(snapshot, has_gap=applied.has_gap)
        return applied.epoch

    async def discard(self, run_id: str) -> None:
        await self._indexes.discard(run_id)

    def _call(self, mode: str, run_id: str, tenant: str) -> _Call:
        return _Call(
            mode=mode,
            channel=RunKeys(run_id).channel,
            tenant=tenant,
            epoch=secrets.token_hex(4),
            ttl_ms=self._retention_ms,
            max_frames=self._max_frames,
            max_parked=MAX_PARKED,
        )

    async def _apply(self, call: _Call, run_id: str, batch: Sequence[Record]) -> _Applied:
        packed = [msgspec.msgpack.encode(call), *(msgspec.msgpack.encode(item) for item in batch)]
        with map_redis_errors(f"stream of {run_id}"):
            verdict, epoch, _, has_gap, healed, *outcomes = await self._script(
                keys=RunKeys(run_id).all, args=packed
            )
        if verdict == b"foreign":
            raise Conflict(
                f"run {run_id} belongs to another tenant; use a run id of your own",
                code="foreign_run",
                field="runid",
            )
        return _Applied(
            verdict=verdict.decode(),
            epoch=epoch.decode(),
            has_gap=bool(has_gap),
            healed=bool(healed),
            outcomes=[Outcome(outcome.decode()) for outcome in outcomes],
        )

    async def _show(self, event: CloudEvent, record: Record) -> None:
        await self._apply(self._call("show", event.runid, event.tenantid), event.runid, [record])


def _sequence(entry: tuple[bytes, object]) -> int:
    return int(entry[0].partition(b"-")[0])


def _frame(epoch: str, entry: tuple[bytes, dict[bytes, bytes]]) -> Frame:
    name = entry[1][b"n"].decode()
    return Frame(
        epoch=epoch, sequence=_sequence(entry), name=name, data=entry[1][b"d"], terminal=name in TERMINAL
    )
