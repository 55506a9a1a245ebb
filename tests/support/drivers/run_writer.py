"""Writes the streams of runs into a stack's Redis, event by event, as the projector would."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count

import msgspec
from msgspec.structs import replace

from signalbox_core.events import CloudEvent
from signalbox_core.events.catalogue import (
    ArtifactCreated,
    RunCompleted,
    RunStarted,
    StepProgress,
    StepStarted,
)
from signalbox_core.redis.client import open_redis
from signalbox_core.streams import RedisRunStream
from support.fakes.events import make_event

MAX_EVENTS = 6_000
# A round of events; a browser on a busy machine keeps up with it.
INTERVAL_S = 0.03
# What a worker sends of a longer text.
TEXT_BYTES = 32_000

Write = Callable[[RedisRunStream, int], Awaitable[None]]


class PageRead(msgspec.Struct, frozen=True):
    """An event of a pipeline's own."""

    title: str


class RunWriter:
    """Runs of the embedded stack's tenant that exist only as streams.

    Args:
        with_files: the events between start and end are files, which the run's page shows as pictures; else
            events of the pipeline's own, which no snapshot contains.

    Attributes:
        top: the sequence of each run's newest event.
    """

    def __init__(self, redis_url: str, tenant: str = "demo", *, with_files: bool = True) -> None:
        self._redis_url = redis_url
        self._tenant = tenant
        self._with_files = with_files
        self.top: dict[str, int] = {}

    def start(self, *run_ids: str) -> None:
        self._wait(self._append([self._event(run_id, "run.started", STARTED) for run_id in run_ids]))

    def add(self, run_id: str, count: int = 1) -> None:
        """Append events to a run."""
        self._wait(self._append([self._next(run_id) for _ in range(count)]))

    def end(self, *run_ids: str) -> None:
        self._wait(self._append([self._event(run_id, "run.completed", COMPLETED) for run_id in run_ids]))

    @contextmanager
    def writing(self, run_ids: Sequence[str]) -> Iterator[None]:
        """Append to the runs in turn, for as long as the block runs, at most `MAX_EVENTS` each.

        That many take three minutes, longer than a block may run, so there is always a next event.
        """

        async def write(streams: RedisRunStream, _number: int) -> None:
            for run_id in run_ids:
                await streams.append(self._next(run_id))

        with self._repeating(write, MAX_EVENTS):
            yield

    @contextmanager
    def writing_text(self, run_id: str, text_bytes: int) -> Iterator[None]:
        """Send the growing text of a step of this length again and again, for as long as the block runs.

        As a worker sends it: the last `TEXT_BYTES` of it. The step makes progress, so no event is kept.
        """
        started = self._event(run_id, "step.started", StepStarted(step="write", title="Write"))
        self._wait(self._append([started]))
        text = "A line of a long text.\n" * (text_bytes // 23 + 1)

        async def write(streams: RedisRunStream, number: int) -> None:
            end = 2_000 * (number % (text_bytes // 2_000) + 1)
            offset = max(0, end - TEXT_BYTES)
            data = StepProgress(step="write", text=text[offset:end], offset=offset)
            progress = make_event("step.progress", data, run_id=run_id, tenant=self._tenant)
            await streams.progress(replace(progress, time=datetime.now(UTC), attempt=1))

        with self._repeating(write, None):
            yield

    @contextmanager
    def _repeating(self, write: Write, times: int | None) -> Iterator[None]:
        is_over = threading.Event()

        async def repeat() -> None:
            async with open_redis(self._redis_url) as redis:
                streams = RedisRunStream(redis)
                for number in range(times) if times else count():
                    if is_over.is_set():
                        return
                    await write(streams, number)
                    await asyncio.sleep(INTERVAL_S)

        with ThreadPoolExecutor(1) as thread:
            written = thread.submit(lambda: asyncio.run(repeat()))
            try:
                yield
            finally:
                is_over.set()
            written.result()

    def _next(self, run_id: str) -> CloudEvent:
        if not self._with_files:
            return self._event(run_id, "page.read", PageRead(title=f"Page {self.top[run_id]}"))
        name = f"{self.top[run_id]}.png"
        created = ArtifactCreated(name=name, media_type="image/png", size_bytes=3, key=f"kit/{name}")
        return self._event(run_id, "artifact.created", created)

    def _event(self, run_id: str, name: str, data: msgspec.Struct) -> CloudEvent:
        self.top[run_id] = self.top.get(run_id, 0) + 1
        event = make_event(name, data, sequence=self.top[run_id], run_id=run_id, tenant=self._tenant)
        return replace(event, time=datetime.now(UTC))

    async def _append(self, events: Sequence[CloudEvent]) -> None:
        async with open_redis(self._redis_url) as redis:
            await RedisRunStream(redis).append_many(events)

    @staticmethod
    def _wait(work: Coroutine[object, object, None]) -> None:
        # Playwright's own loop runs in the thread of the test.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(work)).result()


STARTED = RunStarted(pipeline="echo", title="Echo", started_by="lan")
COMPLETED = RunCompleted(result=msgspec.Raw(b"{}"))
