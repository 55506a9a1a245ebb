"""An in-process worker of the stages pipeline whose events go straight to the runs' streams."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from temporalio.client import Client
from temporalio.worker import Worker

from signalbox_core.events import CloudEvent
from signalbox_core.pipeline.activity.interceptor import ActivityInterceptor
from signalbox_core.pipeline.activity.loader import load_workflows, sandbox
from signalbox_core.pipeline.workflow.delivery import DeliverActivities
from signalbox_core.pipeline.workflow.interceptor import RunInterceptor
from signalbox_core.pipeline.workflow.outbox import OutboxWorkflow
from signalbox_core.pipeline.workflow.recorded import QuestionActivities
from signalbox_core.streams import RunStream
from signalbox_core.temporal.sealed_messages import mark_unsealed_messages
from support.staged.stages.activities import work
from support.staged.stages.contract import SPEC


class StreamEmitter:
    """Appends milestones to streams, each event id once, as the receiver does."""

    def __init__(self, streams: RunStream) -> None:
        self._streams = streams
        self._seen: set[str] = set()
        self.events: list[CloudEvent] = []

    async def deliver(self, events: Sequence[CloudEvent]) -> None:
        new = [event for event in events if event.id not in self._seen]
        if new:
            await self._streams.append_many(new)
        # Only now: a delivery can be cancelled, and its events come again.
        self.events += [event for event in new if event.id not in self._seen]
        self._seen.update(event.id for event in new)

    def forward(self, events: Sequence[CloudEvent]) -> None:
        """The separate delivery brings them."""

    async def announce(self, event: CloudEvent) -> None: ...

    def offer(self, event: CloudEvent, *, item: bool = False) -> None: ...


@asynccontextmanager
async def staged_worker(client: Client, streams: RunStream) -> AsyncIterator[StreamEmitter]:
    emitter = StreamEmitter(streams)
    async with Worker(
        client,
        task_queue=SPEC.task_queue,
        workflows=[*load_workflows(SPEC), OutboxWorkflow],
        activities=[work, DeliverActivities(emitter).deliver, QuestionActivities(emitter).record],
        interceptors=[ActivityInterceptor(emitter), RunInterceptor(emitter.offer)],
        workflow_runner=mark_unsealed_messages(sandbox([SPEC]), client.data_converter),
    ):
        yield emitter
