"""The worker's composition: what runs on each task queue, opened and closed in order."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Worker

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.fetch import Fetcher
from signalbox_core.objects import open_object_store
from signalbox_core.pipeline import PipelineSpec, discover
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.pipeline.emitting import Emitter
from signalbox_core.pipeline.inbound import ActivityInterceptor
from signalbox_core.pipeline.interceptor import RunInterceptor
from signalbox_core.pipeline.loading import load_activities, load_workflows, sandbox
from signalbox_core.pipeline.outbox import DeliverActivities, OutboxWorkflow
from signalbox_core.redis_client import open_redis
from signalbox_core.signatures import Signer
from signalbox_core.temporal import connect, data_converter
from signalbox_worker.counters import Counters
from signalbox_worker.emitter import HttpEmitter
from signalbox_worker.posting import Poster, open_client
from signalbox_worker.runner import without_detour
from signalbox_worker.settings import Settings

log = logging.getLogger(__name__)

MAX_EAGER: Final = 25
"""Activities that a workflow task may bring straight back: a step of 25 starts without another round trip through the server."""
_HEARTBEAT: Final = timedelta(seconds=1)


@dataclass(kw_only=True)
class Parts:
    """What the running worker holds; `health` looks at it."""

    client: Client
    workers: Sequence[Worker]
    emitter: HttpEmitter
    poster: Poster
    counters: Counters


def choose(specs: Mapping[str, PipelineSpec], wanted: frozenset[str]) -> list[PipelineSpec]:
    """The pipelines this worker serves; a wanted one brings its children.

    Raises:
        InvalidInput: a wanted one is not installed, or none is.
    """
    unknown = sorted(wanted - set(specs))
    if unknown:
        installed = ", ".join(sorted(specs)) or "none"
        raise InvalidInput(f"SIGNALBOX_WORKER_PIPELINES: no pipeline {unknown[0]!r}; installed: {installed}", field="pipelines")
    wanted |= {child.name for name in wanted for child in specs[name].children}
    chosen = [spec for name, spec in sorted(specs.items()) if not wanted or name in wanted]
    if not chosen:
        raise InvalidInput("no pipeline is installed: install a package with the entry point group `signalbox.pipelines`")
    return chosen


def by_queue(specs: Sequence[PipelineSpec]) -> dict[str, list[PipelineSpec]]:
    queues: dict[str, list[PipelineSpec]] = {}
    for spec in specs:
        queues.setdefault(spec.task_queue, []).append(spec)
    return queues


@contextlib.asynccontextmanager
async def open_parts(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Parts]:
    """Connect and build; nothing polls yet.

    Raises:
        InvalidInput: a setting or the key file is wrong.
        Unavailable: Temporal does not answer.
    """
    specs = choose(discover(), settings.pipelines)
    signer = Signer.from_file(settings.keyid, settings.private_key_file)
    counters = Counters()
    runtime = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=_HEARTBEAT)
    client = await connect(settings.temporal_address, settings.temporal_namespace, runtime=runtime)
    async with contextlib.AsyncExitStack() as stack:
        redis = open_redis(settings.redis_url.reveal()) if settings.redis_url else None
        if redis is not None:
            stack.push_async_callback(redis.aclose)
        deps = ActivityDeps(
            objects=open_object_store(settings.objects_url), fetcher=Fetcher(settings.fetch_allow), environ=environ, redis=redis
        )
        poster = Poster(await stack.enter_async_context(open_client()), settings.receiver_url, signer, counters)
        emitter = HttpEmitter(poster, counters)
        threads = stack.enter_context(ThreadPoolExecutor(settings.max_activities, thread_name_prefix="activity"))
        build = Builder(client=client, emitter=emitter, deps=deps, threads=threads, settings=settings)
        workers = [build.worker(queue, served) for queue, served in by_queue(specs).items()]
        yield Parts(client=client, workers=workers, emitter=emitter, poster=poster, counters=counters)


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Makes one Temporal worker a task queue; all share client, runtime, emitter and threads."""

    client: Client
    emitter: Emitter
    deps: ActivityDeps
    threads: ThreadPoolExecutor
    settings: Settings

    def worker(self, task_queue: str, specs: Sequence[PipelineSpec]) -> Worker:
        activities = [activity for spec in specs for activity in load_activities(spec, self.deps)]
        return Worker(
            self.client,
            task_queue=task_queue,
            workflows=[*(found for spec in specs for found in load_workflows(spec)), OutboxWorkflow],
            activities=[*activities, DeliverActivities(self.emitter).deliver],
            activity_executor=self.threads,
            workflow_runner=without_detour(sandbox(specs), data_converter),
            interceptors=[RunInterceptor(self.emitter.offer), ActivityInterceptor(self.emitter)],
            max_concurrent_activities=self.settings.max_activities,
            max_cached_workflows=self.settings.max_cached_workflows,
            max_eager_activity_reservations_per_workflow_task=MAX_EAGER,
            graceful_shutdown_timeout=timedelta(seconds=self.settings.graceful_shutdown_s),
        )


async def run(parts: Parts, stop: asyncio.Event) -> None:
    """Poll until `stop`; then finish what is under way (within the graceful time) and return.

    Raises:
        Unavailable: a worker lost its server for good.
    """
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(parts.emitter.run())
        polling = [group.create_task(_poll(worker)) for worker in parts.workers]
        log.info("worker runs", extra={"task_queues": [worker.task_queue for worker in parts.workers]})
        await stop.wait()
        log.info("worker drains")
        await asyncio.gather(*(worker.shutdown() for worker in parts.workers))
        await asyncio.gather(*polling)
        await parts.emitter.flush()
        sending.cancel()


async def _poll(worker: Worker) -> None:
    try:
        await worker.run()
    except RuntimeError as error:
        raise Unavailable(f"the worker of task queue {worker.task_queue} stopped: {error}") from error
