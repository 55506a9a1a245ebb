"""The worker's composition: what runs on each task queue, opened and closed in order."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker, WorkerDeploymentConfig

from signalbox_core.crypto.sealing import open_key_ring
from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.http.fetch import Fetcher
from signalbox_core.objects import open_object_store
from signalbox_core.pipeline import PipelineSpec, discover
from signalbox_core.pipeline.activity.interceptor import ActivityInterceptor
from signalbox_core.pipeline.activity.loader import load_activities, load_workflows, sandbox
from signalbox_core.pipeline.contract.emitter import Emitter
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.pipeline.workflow.interceptor import RunInterceptor
from signalbox_core.pipeline.workflow.outbox import DeliverActivities, OutboxWorkflow
from signalbox_core.pipeline.workflow.recorded import record_question
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.redis.client import open_redis
from signalbox_core.scaling.burst import burst_identity
from signalbox_core.signatures import Signer
from signalbox_core.temporal import connect
from signalbox_worker.burst import index_of
from signalbox_worker.counters import Counters
from signalbox_worker.emitter import HttpEmitter
from signalbox_worker.posting import Poster, open_client
from signalbox_worker.runner import without_detour
from signalbox_worker.settings import Settings
from signalbox_worker.slots import Slots
from signalbox_worker.versions import deployment_of

log = logging.getLogger(__name__)

LAST_POLLS_WITHIN_S: Final = 3.0
MIN_POLLERS, MAX_POLLERS, SLOTS_PER_POLLER = 5, 20, 50
MAX_HEARTBEAT_INTERVAL: Final = timedelta(seconds=2)
"""The SDK otherwise sends a heartbeat only after four fifths of its timeout; a short stall would then cost the attempt."""
MAX_EAGER: Final = 25
"""Activities that a workflow task may bring straight back: a step of 25 starts without another round trip through the server."""


@dataclass(kw_only=True)
class Parts:
    """What the running worker holds; `health` looks at it."""

    client: Client
    workers: Sequence[Worker]
    emitter: HttpEmitter
    poster: Poster
    counters: Counters
    slots: Slots | None = None
    redis: Redis | None = None
    version: WorkerDeploymentVersion | None = None


def choose(specs: Mapping[str, PipelineSpec], wanted: frozenset[str]) -> list[PipelineSpec]:
    """The pipelines this worker serves; a wanted one brings its children.

    Raises:
        InvalidInput: a wanted one is not installed, or none is.
    """
    unknown = sorted(wanted - set(specs))
    if unknown:
        installed = ", ".join(sorted(specs)) or "none"
        raise InvalidInput(
            f"SIGNALBOX_WORKER_PIPELINES: no pipeline {unknown[0]!r}; installed: {installed}",
            field="pipelines",
        )
    wanted |= {child.name for name in wanted for child in specs[name].children}
    chosen = [spec for name, spec in sorted(specs.items()) if not wanted or name in wanted]
    if not chosen:
        raise InvalidInput(
            "no pipeline is installed: install a package with the entry point group `signalbox.pipelines`"
        )
    return chosen


def by_queue(
    specs: Sequence[PipelineSpec], wanted: frozenset[str] = frozenset()
) -> dict[str, list[PipelineSpec]]:
    """The pipelines of each task queue, of the wanted queues only if any is named.

    Raises:
        InvalidInput: no pipeline uses a wanted queue.
    """
    queues: dict[str, list[PipelineSpec]] = {}
    for spec in specs:
        queues.setdefault(spec.task_queue, []).append(spec)
    unknown = sorted(wanted - set(queues))
    if unknown:
        raise InvalidInput(
            f"SIGNALBOX_WORKER_TASK_QUEUES: no pipeline uses {unknown[0]!r}; there are: {', '.join(sorted(queues))}",
            field="task_queues",
        )
    return {queue: served for queue, served in queues.items() if not wanted or queue in wanted}


@contextlib.asynccontextmanager
async def open_parts(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Parts]:
    """Connect and build; nothing polls yet.

    Raises:
        InvalidInput: a setting or a key file is wrong.
        Unavailable: Temporal does not answer.
    """
    queues = by_queue(choose(discover(), settings.pipelines), settings.task_queues)
    deployment = deployment_of(settings)
    signer = Signer.from_file(settings.keyid, settings.private_key_file)
    counters = Counters()
    runtime = Runtime(
        telemetry=TelemetryConfig(), worker_heartbeat_interval=timedelta(seconds=settings.heartbeat_s)
    )
    keys, identity = open_key_ring(settings.payload_keys_file), identity_of(settings, environ)
    client = await connect(
        settings.temporal_address, settings.temporal_namespace, keys=keys, identity=identity, runtime=runtime
    )
    slots = Slots(settings.max_activities, max_memory=settings.max_memory) if settings.burst_launch else None
    async with contextlib.AsyncExitStack() as stack:
        redis = open_redis(settings.redis_url.reveal()) if settings.redis_url else None
        if redis is not None:
            stack.push_async_callback(redis.aclose)
        deps = ActivityDeps(
            objects=open_object_store(settings.objects_url),
            fetcher=Fetcher(settings.fetch_allow),
            environ=environ,
            redis=redis,
            keys=keys,
        )
        poster = Poster(
            await stack.enter_async_context(open_client()), settings.receiver_url, signer, counters
        )
        emitter = HttpEmitter(poster, counters)
        threads = stack.enter_context(
            ThreadPoolExecutor(settings.max_activities, thread_name_prefix="activity")
        )
        build = Builder(
            client=client,
            emitter=emitter,
            deps=deps,
            threads=threads,
            settings=settings,
            slots=slots,
            deployment=deployment,
        )
        yield Parts(
            client=client,
            workers=[build.worker(queue, served) for queue, served in queues.items()],
            emitter=emitter,
            poster=poster,
            counters=counters,
            slots=slots,
            redis=redis,
            version=deployment.version if deployment else None,
        )


def identity_of(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """A burst worker's identity names its launch; another worker has Temporal's default.

    Raises:
        InvalidInput: the provider's index is no number.
    """
    if settings.burst_launch is None:
        return None
    index = settings.burst_index if settings.burst_index is not None else index_of(environ)
    return burst_identity(settings.burst_launch, index)


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Makes one Temporal worker a task queue; all share client, runtime, emitter and threads."""

    client: Client
    emitter: Emitter
    deps: ActivityDeps
    threads: ThreadPoolExecutor
    settings: Settings
    slots: Slots | None = None
    deployment: WorkerDeploymentConfig | None = None

    def worker(self, task_queue: str, specs: Sequence[PipelineSpec]) -> Worker:
        activities = [activity for spec in specs for activity in load_activities(spec, self.deps)]
        workflows = [*(found for spec in specs for found in load_workflows(spec)), OutboxWorkflow]
        is_burst = self.slots is not None
        drain_s = self.settings.burst_drain_s if is_burst else self.settings.graceful_shutdown_s
        return Worker(
            self.client,
            task_queue=task_queue,
            workflows=workflows if self.settings.burst_workflows or not is_burst else [],
            activities=[*activities, DeliverActivities(self.emitter).deliver, record_question],
            activity_executor=self.threads,
            workflow_runner=without_detour(sandbox(specs), self.client.data_converter),
            interceptors=[RunInterceptor(self.emitter.offer), ActivityInterceptor(self.emitter)],
            max_concurrent_activities=None if is_burst else self.settings.max_activities,
            tuner=self.slots.tuner() if self.slots else None,
            activity_task_poller_behavior=PollerBehaviorSimpleMaximum(pollers(self.slots)),
            deployment_config=self.deployment,
            max_cached_workflows=self.settings.max_cached_workflows,
            max_eager_activity_reservations_per_workflow_task=MAX_EAGER,
            graceful_shutdown_timeout=timedelta(seconds=drain_s),
            max_heartbeat_throttle_interval=MAX_HEARTBEAT_INTERVAL,
        )


def pollers(slots: Slots | None) -> int:
    """Polls at once: enough to fill a large burst worker, and a fixed number.

    Each poll that is open when the worker leaves may cost the task it brings, so there are few.
    """
    return (
        MIN_POLLERS if slots is None else min(MAX_POLLERS, max(MIN_POLLERS, slots.count // SLOTS_PER_POLLER))
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
        if parts.slots:
            await parts.slots.close(LAST_POLLS_WITHIN_S)
        await asyncio.gather(*(worker.shutdown() for worker in parts.workers))
        await asyncio.gather(*polling)
        await parts.emitter.flush()
        await cancel_and_wait(sending)


async def _poll(worker: Worker) -> None:
    try:
        await worker.run()
    except RuntimeError as error:
        raise Unavailable(f"the worker of task queue {worker.task_queue} stopped: {error}") from error
