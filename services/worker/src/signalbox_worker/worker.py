"""The worker's composition root: what runs on each task queue, opened and closed in order."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker, WorkerDeploymentConfig

from signalbox_core.crypto.sealing import open_key_ring
from signalbox_core.errors import Unavailable
from signalbox_core.http.fetch import Fetcher
from signalbox_core.objects import open_object_store
from signalbox_core.pipeline import PipelineSpec
from signalbox_core.pipeline.activity.interceptor import ActivityInterceptor
from signalbox_core.pipeline.contract.discovery import InstalledPipelines, find_installed
from signalbox_core.pipeline.contract.emitter import Emitter
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.pipeline.workflow.delivery import DeliverActivities
from signalbox_core.pipeline.workflow.external.mailbox import MailboxWorkflow
from signalbox_core.pipeline.workflow.external.mailbox_activities import MailboxActivities
from signalbox_core.pipeline.workflow.interceptor import RunInterceptor
from signalbox_core.pipeline.workflow.outbox import OutboxWorkflow
from signalbox_core.pipeline.workflow.recorded import QuestionActivities
from signalbox_core.pipeline.workflow.scheduled_start import ScheduledStartWorkflow
from signalbox_core.process.cpu_pool import CpuPool
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.redis.client import open_redis
from signalbox_core.scaling.burst import burst_identity
from signalbox_core.signatures import Signer
from signalbox_core.temporal import connect
from signalbox_core.temporal.claim_check import max_value_bytes
from signalbox_core.temporal.sdk_metrics import SdkMetrics, open_sdk_metrics
from signalbox_core.traces import Tracing
from signalbox_worker.activity_slots import ActivitySlots
from signalbox_worker.burst_exit import worker_index
from signalbox_worker.deployment import deployment_config, warn_if_not_pinned
from signalbox_worker.emitter import HttpEmitter
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.pipelines import PipelineCode, PipelineLoader, group_by_queue, select_pipelines
from signalbox_worker.post_client import open_post_client
from signalbox_worker.receiver_client import ReceiverClient
from signalbox_worker.settings import Settings
from signalbox_worker.workflow_runner import workflow_runner

log = logging.getLogger(__name__)

LAST_POLLS_TIMEOUT_S: Final = 3.0
MIN_POLLERS, MAX_POLLERS, SLOTS_PER_POLLER = 5, 20, 50
MAX_HEARTBEAT_INTERVAL: Final = timedelta(seconds=2)
"""By default the SDK sends one per 80 % of the timeout; a short stall would then fail the attempt."""
STICKY_TIMEOUT: Final = timedelta(seconds=5)
"""Workflow tasks that wait for a lost worker go to another one after this time; the SDK's default is 10 s."""
MAX_EAGER_ACTIVITIES: Final = 25
"""Activities that a workflow task may start eagerly, without another round trip to the server."""


@dataclass(kw_only=True)
class WorkerParts:
    """The components of a running worker.

    Attributes:
        problems: why installed pipelines are not served.
    """

    client: Client
    workers: Sequence[Worker]
    emitter: HttpEmitter
    receiver: ReceiverClient
    metrics: WorkerMetrics
    sdk_metrics: SdkMetrics
    cpu: CpuPool
    slots: ActivitySlots | None = None
    redis: Redis | None = None
    version: WorkerDeploymentVersion | None = None
    problems: Sequence[str] = ()


@contextlib.asynccontextmanager
async def open_parts(
    settings: Settings, environ: Mapping[str, str], tracing: Tracing | None = None
) -> AsyncIterator[WorkerParts]:
    """Connect the clients and build the workers; nothing polls yet.

    Raises:
        InvalidInput: a setting or a key file is invalid.
        Unavailable: Temporal does not respond.
    """
    tracing = tracing or Tracing()
    installed = find_installed()
    loader = PipelineLoader(installed)
    codes = loader.load_workflows(_served(installed, settings))
    deployment = deployment_config(settings)
    warn_if_not_pinned([code.spec for code in codes], deployment)
    signer = Signer.from_file(settings.keyid, settings.private_key_file)
    metrics = WorkerMetrics()
    sdk_metrics = open_sdk_metrics(timedelta(seconds=settings.heartbeat_s))
    keys, identity = open_key_ring(settings.payload_keys_file), worker_identity(settings, environ)
    objects = open_object_store(settings.objects_url)
    client = await connect(
        settings.temporal_address,
        settings.temporal_namespace,
        keys=keys,
        objects=objects,
        identity=identity,
        runtime=sdk_metrics.runtime,
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
        cpu = await stack.enter_async_context(open_cpu_pool(settings, [code.spec for code in codes]))
        metrics.observe_cpu(cpu)
        deps = ActivityDeps(
            objects=objects,
            fetcher=Fetcher(settings.fetch_allow),
            environ=environ,
            redis=redis,
            keys=keys,
            callback_origin=settings.callback_origin,
            cpu=cpu,
        )
        codes = loader.load_activities(codes, deps)
        posts = await stack.enter_async_context(open_post_client(settings.receiver_url))
        receiver = ReceiverClient(posts, settings.receiver_url, signer, metrics)
        emitter = HttpEmitter(receiver, metrics, tracing)
        threads = stack.enter_context(
            ThreadPoolExecutor(settings.max_activities, thread_name_prefix="activity")
        )
        builder = WorkerBuilder(
            client=client,
            emitter=emitter,
            threads=threads,
            settings=settings,
            slots=slots,
            deployment=deployment,
            tracing=tracing,
        )
        yield WorkerParts(
            client=client,
            workers=[builder.worker(queue, served) for queue, served in _by_queue(codes).items()],
            problems=tuple(loader.problems),
            emitter=emitter,
            receiver=receiver,
            metrics=metrics,
            sdk_metrics=sdk_metrics,
            cpu=cpu,
            slots=slots,
            redis=redis,
            version=deployment.version if deployment else None,
        )


def _served(installed: InstalledPipelines, settings: Settings) -> list[PipelineSpec]:
    """Return the pipelines that the settings select.

    Raises:
        InvalidInput: a setting names a pipeline or task queue that does not exist, or nothing is installed.
    """
    chosen = select_pipelines(installed.pipelines, settings.pipelines, installed.problems)
    queues = group_by_queue(chosen, settings.task_queues)
    return [spec for served in queues.values() for spec in served]


def _by_queue(codes: Sequence[PipelineCode]) -> dict[str, list[PipelineCode]]:
    queues: dict[str, list[PipelineCode]] = {}
    for code in codes:
        queues.setdefault(code.spec.task_queue, []).append(code)
    return queues


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
    threads: ThreadPoolExecutor
    settings: Settings
    slots: ActivitySlots | None = None
    deployment: WorkerDeploymentConfig | None = None
    tracing: Tracing = field(default_factory=Tracing)

    def worker(self, task_queue: str, codes: Sequence[PipelineCode]) -> Worker:
        activities = [activity for code in codes for activity in code.activities]
        workflows = [
            *(found for code in codes for found in code.workflows),
            OutboxWorkflow,
            MailboxWorkflow,
            ScheduledStartWorkflow,
        ]
        is_burst, converter = self.slots is not None, self.client.data_converter
        max_bytes, accepts_plain = (
            max_value_bytes(converter.payload_codec),
            self.settings.accept_plain_messages,
        )
        drain_s = self.settings.burst_drain_s if is_burst else self.settings.graceful_shutdown_s
        return Worker(
            self.client,
            task_queue=task_queue,
            workflows=workflows if self.settings.burst_workflows or not is_burst else [],
            activities=[
                *activities,
                DeliverActivities(self.emitter).deliver,
                QuestionActivities(self.emitter).record,
                MailboxActivities(self.client).open_wait,
            ],
            activity_executor=self.threads,
            workflow_runner=workflow_runner(codes, converter, self.deployment),
            interceptors=[
                RunInterceptor(self.emitter.offer, accepts_plain=accepts_plain, tracing=self.tracing),
                ActivityInterceptor(self.emitter, max_result_bytes=max_bytes, tracing=self.tracing),
            ],
            max_concurrent_activities=None if is_burst else self.settings.max_activities,
            tuner=self.slots.tuner() if self.slots else None,
            activity_task_poller_behavior=PollerBehaviorSimpleMaximum(poller_count(self.slots)),
            deployment_config=self.deployment,
            max_cached_workflows=self.settings.max_cached_workflows,
            max_eager_activity_reservations_per_workflow_task=MAX_EAGER_ACTIVITIES,
            graceful_shutdown_timeout=timedelta(seconds=drain_s),
            max_heartbeat_throttle_interval=MAX_HEARTBEAT_INTERVAL,
            sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
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
