"""A worker of plain workflows, with the plugin or without."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence

from temporalio.client import Client
from temporalio.worker import Worker

from signalbox_core.events import CloudEvent
from signalbox_core.events.catalogue import StepProgress
from signalbox_core.events.envelope import decode_data
from signalbox_worker.plugin import SignalboxPlugin
from support.fakes.stub_receiver import StubReceiver
from support.plain.orders import ACTIVITIES, WORKFLOWS


class PlainWorker:
    """Runs workers of one task queue, with the plugin or without."""

    def __init__(self, client: Client, plugin: SignalboxPlugin, receiver: StubReceiver) -> None:
        self.client = client
        self.plugin = plugin
        self.receiver = receiver
        self.task_queue = f"orders-{uuid.uuid4().hex[:8]}"

    @contextlib.asynccontextmanager
    async def running(self, *, shown: bool = True, max_cached: int = 1000) -> AsyncIterator[None]:
        plugins: Sequence[SignalboxPlugin] = [self.plugin] if shown else []
        async with Worker(
            self.client,
            task_queue=self.task_queue,
            workflows=WORKFLOWS,
            activities=ACTIVITIES,
            plugins=plugins,
            max_cached_workflows=max_cached,
        ):
            yield

    def milestones(self, run_id: str) -> list[CloudEvent]:
        """A run's milestones, by sequence number."""
        found = [event for event in self.receiver.milestones() if event.runid == run_id]
        return sorted(found, key=lambda event: event.sequence or 0)

    def events(self, run_id: str) -> list[str]:
        return [event.name for event in self.milestones(run_id)]

    def progress(self, run_id: str) -> list[StepProgress]:
        return [
            decode_data(event, StepProgress)
            for event in list(self.receiver.accepted)
            if event.runid == run_id and event.name == "step.progress"
        ]
