"""For pipeline authors: run a workflow with real or fake activities on a local Temporal server.

async with pipeline_under_test(SPEC, activities=[fake_extract, fake_render]) as pipeline:
    run = await pipeline.start(AdInput(url="https://shop.example/"))
    await run.decide("variants", VariantDecisions(...))
    assert (await run.result()).approved == (...)
    assert run.event_names()[-1] == "run.completed"
"""

import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from msgspec import Struct
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Replayer, Worker, WorkflowRunner

from signalbox_core.ids import run_key
from signalbox_core.pipeline.activity.interceptor import ActivityInterceptor
from signalbox_core.pipeline.activity.loader import Activity, load_workflows, sandbox
from signalbox_core.pipeline.contract.external_event import (
    ExternalEvent,
    InboundEventRecord,
    MailboxAddress,
)
from signalbox_core.pipeline.contract.spec import PipelineSpec
from signalbox_core.pipeline.contract.stated_patches import stated_patches
from signalbox_core.pipeline.workflow.delivery import DeliverActivities
from signalbox_core.pipeline.workflow.external.mailbox import MailboxWorkflow
from signalbox_core.pipeline.workflow.external.mailbox_activities import MailboxActivities
from signalbox_core.pipeline.workflow.interceptor import RunInterceptor
from signalbox_core.pipeline.workflow.outbox import OutboxWorkflow
from signalbox_core.pipeline.workflow.recorded import QuestionActivities
from signalbox_core.pipeline.workflow.scheduled_start import ScheduledStartWorkflow
from signalbox_core.subjects import Subject
from signalbox_core.temporal import data_converter
from signalbox_core.temporal.claim_check import max_value_bytes
from signalbox_core.temporal.names import MEMO_PATCHES, MEMO_STARTED_BY, MEMO_STARTER, MEMO_TENANT
from signalbox_core.temporal.sealed_messages import mark_unsealed_messages
from signalbox_core.testing.emitter import FakeEmitter
from signalbox_core.testing.external_events import inbound_event, send_by_key
from signalbox_core.testing.histories import history_json
from signalbox_core.testing.run_under_test import RunUnderTest
from signalbox_core.testing.temporal_server import local_temporal, temporal_binary
from signalbox_core.traces import Tracing

__all__ = [
    "FakeEmitter",
    "PipelineUnderTest",
    "RunUnderTest",
    "history_json",
    "local_temporal",
    "pipeline_under_test",
    "replay",
    "temporal_binary",
]


class PipelineUnderTest:
    """A worker for one pipeline on its own task queue."""

    def __init__(
        self,
        spec: PipelineSpec,
        client: Client,
        task_queue: str,
        emitter: FakeEmitter,
        new_worker: Callable[[], Worker],
    ) -> None:
        self.client = client
        self.emitter = emitter
        self.task_queue = task_queue
        self._spec = spec
        self._new_worker = new_worker
        self._worker: Worker | None = None

    async def start(
        self,
        value: Struct,
        *,
        run_id: str | None = None,
        tenant: str = "acme",
        starter: Subject | None = None,
    ) -> RunUnderTest:
        """Start a run as the gateway does: its workflow id is the run key."""
        memo: dict[str, object] = {MEMO_TENANT: tenant, MEMO_STARTED_BY: "tester"}
        if patches := stated_patches(self._spec):
            memo[MEMO_PATCHES] = patches
        if starter is not None:
            memo[MEMO_STARTER] = starter
        handle: WorkflowHandle[Any, Any] = await self.client.start_workflow(
            self._spec.name,
            value,
            id=run_key(tenant, run_id or f"{self._spec.name.replace('_', '-')}-{uuid.uuid4().hex[:12]}"),
            task_queue=self.task_queue,
            memo=memo,
            result_type=self._spec.result,
        )
        return RunUnderTest(handle, self.emitter, converter=self.client.data_converter)

    async def send_event(
        self,
        event: ExternalEvent[Any],
        data: Struct,
        *,
        key: str,
        event_id: str | None = None,
        tenant: str = "acme",
    ) -> InboundEventRecord | None:
        """Send an external event to the run that waits, or will wait, for its key."""
        keep_s = event.keep.total_seconds()
        address = MailboxAddress(
            tenant=tenant, pipeline=self._spec.name, name=event.name, key=key, keep_s=keep_s
        )
        sent = inbound_event(event, data, key=key, event_id=event_id)
        return await send_by_key(self.client, self.task_queue, address, sent)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Poll for tasks while the block runs."""
        await self._start_worker()
        try:
            yield
        finally:
            await self._stop_worker()

    @contextlib.asynccontextmanager
    async def without_worker(self) -> AsyncIterator[None]:
        """Stop the worker for the block; messages sent meanwhile arrive in one workflow task."""
        await self._stop_worker()
        try:
            yield
        finally:
            await self._start_worker()

    async def _start_worker(self) -> None:
        self._worker = self._new_worker()
        await self._worker.__aenter__()

    async def _stop_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.__aexit__(None, None, None)


@contextlib.asynccontextmanager
async def pipeline_under_test(  # noqa: PLR0913 - each is one aspect of a test
    spec: PipelineSpec,
    *,
    activities: Sequence[Activity],
    client: Client | None = None,
    emitter: FakeEmitter | None = None,
    skip_time: bool = False,
    max_cached_workflows: int = 1_000,
    task_queue: str | None = None,
    calls: Sequence[PipelineSpec] = (),
    tracing: Tracing | None = None,
    wrap_runner: Callable[[WorkflowRunner], WorkflowRunner] | None = None,
) -> AsyncIterator[PipelineUnderTest]:
    """Run `spec`'s workflow with these activities, and the workflows of its children on the same task queue.

    Args:
        activities: real or fake; a fake has the real one's name in `@activity.defn(name=...)`.
        client: of a running server; by default a local one is started.
        skip_time: timers fire at once, so a deadline of days takes a second; for approvals that
            expire undecided.
        max_cached_workflows: with 1, runs are evicted and replayed all the time.
        task_queue: that of an earlier call, whose runs this one's worker continues; by default a new one.
        calls: the pipelines that the workflow calls with `Run.call` or `Run.start_child`. To fake one, pass
            its contract with the `workflow` replaced.
        tracing: records the spans of workflows and activities.
        wrap_runner: wraps the runner of the workflow code, for example to measure its workflow tasks.
    """
    async with contextlib.AsyncExitStack() as stack:
        if client is None:
            client = await stack.enter_async_context(local_temporal(skip_time=skip_time))
        task_queue = task_queue or f"{spec.task_queue}-{uuid.uuid4().hex[:8]}"
        emitter = emitter or FakeEmitter()
        specs = [spec, *spec.children, *calls]
        runner = mark_unsealed_messages(sandbox(specs), client.data_converter)
        executor = stack.enter_context(ThreadPoolExecutor(4))
        new_worker = partial(
            Worker,
            client,
            task_queue=task_queue,
            workflows=[*_workflows(specs), OutboxWorkflow, MailboxWorkflow, ScheduledStartWorkflow],
            activities=[
                *activities,
                DeliverActivities(emitter).deliver,
                QuestionActivities(emitter).record,
                MailboxActivities(client).open_wait,
            ],
            activity_executor=executor,
            workflow_runner=wrap_runner(runner) if wrap_runner is not None else runner,
            interceptors=[
                RunInterceptor(
                    emitter.offer,
                    task_queues=dict.fromkeys((item.task_queue for item in specs), task_queue),
                    tracing=tracing,
                ),
                ActivityInterceptor(
                    emitter,
                    max_result_bytes=max_value_bytes(client.data_converter.payload_codec),
                    tracing=tracing,
                ),
            ],
            max_cached_workflows=max_cached_workflows,
            max_concurrent_workflow_tasks=4,
            # A bug in a workflow fails the test at once instead of retrying the workflow task.
            workflow_failure_exception_types=[Exception],
        )
        pipeline = PipelineUnderTest(spec, client, task_queue, emitter, new_worker)
        await stack.enter_async_context(pipeline.running())
        yield pipeline


async def replay(spec: PipelineSpec, history: WorkflowHistory, *, tracing: Tracing | None = None) -> None:
    """Replay a recorded history, of a run or of a mailbox, against the current code.

    Raises:
        workflow.NondeterminismError: the code no longer matches the history; guard the change with
            `workflow.patched`.
    """
    replayer = Replayer(
        workflows=[
            *_workflows([spec, *spec.children]),
            OutboxWorkflow,
            MailboxWorkflow,
            ScheduledStartWorkflow,
        ],
        data_converter=data_converter,
        workflow_runner=sandbox([spec, *spec.children]),
        interceptors=[RunInterceptor(FakeEmitter().offer, tracing=tracing)],
    )
    await replayer.replay_workflow(history)


def _workflows(specs: Iterable[PipelineSpec]) -> list[type]:
    return [found for item in specs for found in load_workflows(item)]
