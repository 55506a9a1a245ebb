"""The worker's composition root: what runs on each task queue, opened and closed in order."""

import asyncio
import contextlib
import logging
import os
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
from signalbox_core.pipeline.workflow.recorded import QuestionActivities
from signalbox_core.process.cpu_pool import CpuPool
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.redis.client import open_redis
from signalbox_core.scaling.burst import burst_identity
from signalbox_core.signatures import Signer
from signalbox_core.temporal import connect
from signalbox_core.temporal.sealed_messages import mark_unsealed_messages
from signalbox_worker.activity_slots import ActivitySlots
from signalbox_worker.burst_exit import worker_index
from signalbox_worker.deployment import deployment_config
from signalbox_worker.emitter import HttpEmitter
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.post_client import open_post_client
from signalbox_worker.receiver_client import ReceiverClient
from signalbox_worker.sandbox_shortcut import skip_context_lookups
from signalbox_worker.settings import Settings

log = logging.getLogger(__name__)

LAST_POLLS_TIMEOUT_S: Final = 3.0
MIN_POLLERS, MAX_POLLERS, SLOTS_PER_POLLER = 5, 20, 50
MAX_HEARTBEAT_INTERVAL: Final = timedelta(seconds=2)
"""By default the SDK sends one per 80 % of the timeout; a short stall would then fail the attempt."""
MAX_EAGER_ACTIVITIES: Final = 25
"""Activities that a workflow task may start eagerly, without another round trip to the server."""


@dataclass(kw_only=True)
class WorkerParts:
    """The components of a running worker."""

    client: Client
    workers: Sequence[Worker]
    emitter: HttpEmitter
    receiver: ReceiverClient
    metrics: WorkerMetrics
    cpu: CpuPool
    slots: ActivitySlots | None = None
    redis: Redis | None = None
    version: WorkerDeploymentVersion | None = None


def select_pipelines(specs: Mapping[str, PipelineSpec], requested: frozenset[str]) -> list[PipelineSpec]:
    """Return the pipelines that this worker serves: the requested ones and their children, or all.

    Raises:
        InvalidInput: a requested pipeline is not installed, or none is installed.
    """
    unknown = sorted(requested - set(specs))
    if unknown:
        installed = ", ".join(sorted(specs)) or "none"
        raise InvalidInput(
            f"SIGNALBOX_WORKER_PIPELINES: no pipeline {unknown[0]!r}; installed: {installed}",
            field="pipelines",
        )
    requested |= {child.name for name in requested for child in specs[name].children}
    chosen = [spec for name, spec in sorted(specs.items()) if not requested or name in requested]
    if not chosen:
        raise InvalidInput(
            "no pipeline is installed: install a package with the entry point group `signalbox.pipelines`"
        )
    return chosen


def group_by_queue(
    specs: Sequence[PipelineSpec], requested: frozenset[str] = frozenset()
) -> dict[str, list[PipelineSpec]]:
    """Group pipelines by task queue; only the requested queues, if any are given.

    Raises:
        InvalidInput: no pipeline uses a requested queue.
    """
    queues: dict[str, list[PipelineSpec]] = {}
    for spec in specs:
        queues.setdefault(spec.task_queue, []).append(spec)
    unknown = sorted(requested - set(queues))
    if unknown:
        raise InvalidInput(
            f"SIGNALBOX_WORKER_TASK_QUEUES: no pipeline uses task queue {unknown[0]!r}; "
            f"available: {', '.join(sorted(queues))}",
            field="task_queues",
        )
    return {queue: served for queue, served in queues.items() if not requested or queue in requested}


@contextlib.asynccontextmanager
async def open_parts(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[WorkerParts]:
    """Connect the clients and build the workers; nothing polls yet.

    Raises:
        InvalidInput: a setting or a key file is invalid.
        Unavailable: Temporal does not respond.
    """
    specs = select_pipelines(discover(), settings.pipelines)
    queues = group_by_queue(specs, settings.task_queues)
    deployment = deployment_config(settings)
    signer = Signer.from_file(settings.keyid, settings.private_key_file)
    metrics = WorkerMetrics()
    runtime = Runtime(
        telemetry=TelemetryConfig(), worker_heartbeat_interval=timedelta(seconds=settings.heartbeat_s)
    )
    keys, identity = open_key_ring(settings.payload_keys_file), worker_identity(settings, environ)
    client = await connect(
        settings.temporal_address, settings.temporal_namespace, keys=keys, identity=identity, runtime=runtime
    )
    slots = (
        ActivitySlots(settings.max_activities, max_memory=settings.max_memory)
        if settings.burst_launch
        else None
    )
    async with contextlib.AsyncExitStack() as stack:
        redis = open_redis(settings.redis_url.reveal()) if settings.redis_url else None
        if redis is not None:
            stack.push_async_callback(redis.aclose)
        cpu = await stack.enter_async_context(open_cpu_pool(settings, specs))
        metrics.observe_cpu(cpu)
        deps = ActivityDeps(
            objects=open_object_store(settings.objects_url),
            fetcher=Fetcher(settings.fetch_allow),
            environ=environ,
            redis=redis,
            keys=keys,
            cpu=cpu,
        )
        posts = await stack.enter_async_context(open_post_client(settings.receiver_url))
        receiver = ReceiverClient(posts, settings.receiver_url, signer, metrics)
        emitter = HttpEmitter(receiver, metrics)
        threads = stack.enter_context(
            ThreadPoolExecutor(settings.max_activities, thread_name_prefix="activity")
        )
        builder = WorkerBuilder(
            client=client,
            emitter=emitter,
            deps=deps,
            threads=threads,
            settings=settings,
            slots=slots,
            deployment=deployment,
        )
        yield WorkerParts(
            client=client,
            workers=[builder.worker(queue, served) for queue, served in queues.items()],
            emitter=emitter,
            receiver=receiver,
            metrics=metrics,
            cpu=cpu,
            slots=slots,
            redis=redis,
            version=deployment.version if deployment else None,
        )


def open_cpu_pool(settings: Settings, specs: Sequence[PipelineSpec]) -> CpuPool:
    """Create the pool for CPU-heavy steps; its processes start with the modules of all activities loaded."""
    return CpuPool(
        processes=settings.cpu_processes or min(2, os.cpu_count() or 1),
        memory_bytes=settings.cpu_memory_mb * 1_000_000,
        preload=sorted({spec.activities.partition(":")[0] for spec in specs}),
    )


def worker_identity(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """Return a burst worker's identity, which names its launch; None for Temporal's default.

    Raises:
        InvalidInput: the provider's index is not a number.
    """
    if settings.burst_launch is None:
        return None
    index = settings.burst_index if settings.burst_index is not None else worker_index(environ)
    return burst_identity(settings.burst_launch, index)


@dataclass(frozen=True, kw_only=True)
class WorkerBuilder:
    """Builds one Temporal worker per task queue; all share client, runtime, emitter and threads."""

    client: Client
    emitter: Emitter
    deps: ActivityDeps
    threads: ThreadPoolExecutor
    settings: Settings
    slots: ActivitySlots | None = None
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
            activities=[
                *activities,
                DeliverActivities(self.emitter).deliver,
                QuestionActivities(self.emitter).record,
            ],
            activity_executor=self.threads,
            workflow_runner=mark_unsealed_messages(
                skip_context_lookups(sandbox(specs), self.client.data_converter), self.client.data_converter
            ),
            interceptors=[
                RunInterceptor(self.emitter.offer, accepts_plain=self.settings.accept_plain_messages),
                ActivityInterceptor(self.emitter),
            ],
            max_concurrent_activities=None if is_burst else self.settings.max_activities,
            tuner=self.slots.tuner() if self.slots else None,
            activity_task_poller_behavior=PollerBehaviorSimpleMaximum(poller_count(self.slots)),
            deployment_config=self.deployment,
            max_cached_workflows=self.settings.max_cached_workflows,
            max_eager_activity_reservations_per_workflow_task=MAX_EAGER_ACTIVITIES,
            graceful_shutdown_timeout=timedelta(seconds=drain_s),
            max_heartbeat_throttle_interval=MAX_HEARTBEAT_INTERVAL,
        )


def poller_count(slots: ActivitySlots | None) -> int:
    """Return the number of concurrent polls: enough to fill a large burst worker, and otherwise few.

    A poll that is open when the worker exits may lose the task it receives.
    """
    return (
        MIN_POLLERS if slots is None else min(MAX_POLLERS, max(MIN_POLLERS, slots.count // SLOTS_PER_POLLER))
    )


async def run(parts: WorkerParts, stop: asyncio.Event) -> None:
    """Poll until `stop`; then finish running tasks within the graceful shutdown timeout.

    Raises:
        Unavailable: a worker stopped because of a fatal error.
    """
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(parts.emitter.run())
        polling = [group.create_task(_poll(worker)) for worker in parts.workers]
        log.info("worker started", extra={"task_queues": [worker.task_queue for worker in parts.workers]})
        await stop.wait()
        log.info("worker is draining")
        if parts.slots:
            await parts.slots.close(LAST_POLLS_TIMEOUT_S)
        await asyncio.gather(*(worker.shutdown() for worker in parts.workers))
        await asyncio.gather(*polling)
        await parts.emitter.flush()
        await cancel_and_wait(sending)


async def _poll(worker: Worker) -> None:
    try:
        await worker.run()
    except RuntimeError as error:
        raise Unavailable(f"the worker of task queue {worker.task_queue} stopped: {error}") from error
