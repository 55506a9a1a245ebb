"""The decision log on a real Redis and a real object store."""

import asyncio
import gzip
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from signalbox_autoscaler.audit.decision_log import CHUNK, CURSORS, DecisionArchiver, DecisionLog
from signalbox_autoscaler.audit.records import Evaluation, build_record
from signalbox_autoscaler.model import QueueSnapshot, ScalingDecisionRecord, ScalingPolicy, SizingState
from signalbox_autoscaler.sizing import decide
from signalbox_core.errors import Unavailable
from signalbox_core.objects import open_object_store
from signalbox_core.redis.client import open_redis
from signalbox_core.scaling.decisions import ScalingDecisionStream
from support.assertions.eventually import eventually
from support.servers.backends import free_port


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        yield client


@pytest.fixture
def queue() -> str:
    return f"queue/{uuid.uuid4().hex[:8]}"


def records(queue: str, count: int, *, begin: datetime) -> list[ScalingDecisionRecord]:
    made = []
    for number in range(count):
        snapshot = QueueSnapshot(
            queue=queue, taken_at=begin + timedelta(seconds=5 * number), activities=number
        )
        decision = decide(ScalingPolicy(), SizingState(), snapshot, snapshot.taken_at)
        made.append(
            build_record(
                Evaluation(
                    policy=ScalingPolicy(), state=SizingState(), snapshot=snapshot, decision=decision, epoch=1
                ),
                with_state=True,
            )
        )
    return made


def chunks(folder: Path) -> list[bytes]:
    """The decompressed chunks, oldest first."""
    return [
        gzip.decompress(path.read_bytes()) for path in sorted((folder / "decisions").rglob("*.ndjson.gz"))
    ]


async def test_records_are_read_newest_first_and_by_time(redis: Redis, queue: str) -> None:
    log, now = DecisionLog(redis), datetime.now(UTC)
    written = records(queue, 5, begin=now - timedelta(seconds=20))
    await log.append(written)

    assert await log.newest(queue, limit=2) == [written[4], written[3]]
    assert await log.before(queue, now - timedelta(seconds=8), limit=2) == [written[2], written[1]]
    assert await log.before(queue, now - timedelta(hours=1), limit=2) == []
    assert queue in await log.queues()


async def test_the_decision_feed_returns_each_decision_once(redis: Redis, queue: str) -> None:
    log, feed = DecisionLog(redis), ScalingDecisionStream(redis)
    await log.append(records(queue, 3, begin=datetime.now(UTC)))
    first = await feed.after(queue, "")
    await log.append(records(queue, 2, begin=datetime.now(UTC)))
    later = await feed.after(queue, first[-1].id)

    assert [len(first), len(later)] == [3, 2]
    assert (await feed.newest(queue, limit=1)) == [later[-1]]
    assert (
        first[2].sentence == "launched 1 probe worker: 2 tasks left, possibly tasks of terminated workflows: "
        "no activity runs or completed lately"
    )
    assert queue in await feed.queues()


async def test_archived_chunks_contain_every_record_once(redis: Redis, queue: str, tmp_path: Path) -> None:
    log = DecisionLog(redis, open_object_store(tmp_path.as_uri()))
    written = records(queue, 7, begin=datetime.now(UTC))
    await log.append(written[:4])
    assert await log.archive(queue, at_least=5) is None
    await log.archive(queue, at_least=1)
    await log.append(written[4:])
    await log.archive(queue, at_least=1)
    assert await log.archive(queue, at_least=1) is None

    lines = [line for chunk in chunks(tmp_path) for line in chunk.splitlines()]
    assert [msgspec.json.decode(line, type=ScalingDecisionRecord) for line in lines] == written


async def test_a_crash_between_chunk_and_cursor_stores_the_same_chunk(
    redis: Redis, queue: str, tmp_path: Path
) -> None:
    log = DecisionLog(redis, open_object_store(tmp_path.as_uri()))
    await log.append(records(queue, 3, begin=datetime.now(UTC)))
    first = await log.archive(queue, at_least=1)
    await redis.hdel(CURSORS, queue)

    assert await log.archive(queue, at_least=1) == first


async def test_only_the_leader_archives_full_chunks(redis: Redis, queue: str, tmp_path: Path) -> None:
    log = DecisionLog(redis, open_object_store(tmp_path.as_uri()))
    await log.append(records(queue, CHUNK + 10, begin=datetime.now(UTC)))
    leads = [False]
    checks = [0]

    def is_leader() -> bool:
        checks[0] += 1
        return leads[0]

    archiver = asyncio.create_task(DecisionArchiver(log, is_leader).run(every_s=0.001))
    await eventually(lambda: checks[0] > 2)
    before = chunks(tmp_path)
    leads[0] = True
    await eventually(lambda: chunks(tmp_path))
    archiver.cancel()

    assert before == []
    assert len(chunks(tmp_path)[0].splitlines()) == CHUNK


async def test_redis_keeps_only_the_newest_records(redis: Redis, queue: str) -> None:
    log = DecisionLog(redis, kept=100)
    for _ in range(5):
        await log.append(records(queue, 100, begin=datetime.now(UTC)))

    assert len(await log.newest(queue, limit=1_000)) <= 300  # trimmed in whole nodes of about a hundred


async def test_the_log_is_unavailable_without_redis() -> None:
    async with open_redis(f"redis://127.0.0.1:{free_port()}/0") as unreachable:
        with pytest.raises(Unavailable, match="decision log"):
            await DecisionLog(unreachable).append(records("any", 1, begin=datetime.now(UTC)))
