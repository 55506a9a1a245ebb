"""What the plugin runs alongside one worker: the delivery of its events, and the catch-up at its start."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.signatures import Signer
from signalbox_worker.emitter import HttpEmitter
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.plugin.catch_up import catch_up
from signalbox_worker.plugin.committed_events import CommittedEvents
from signalbox_worker.post_client import PostClient
from signalbox_worker.receiver_client import ReceiverClient

log = logging.getLogger(__name__)


class PluginDelivery:
    """Created with the worker; connects when the worker runs."""

    def __init__(self, client: Client, receiver_url: str, signer: Signer) -> None:
        self._client = client
        self._posts = PostClient(receiver_url)
        metrics = WorkerMetrics()
        self.emitter = HttpEmitter(ReceiverClient(self._posts, receiver_url, signer, metrics), metrics)
        self.committed = CommittedEvents(client, self.emitter.try_forward)

    @asynccontextmanager
    async def running(self, task_queue: str, *, catch_up_limit: int) -> AsyncIterator[None]:
        """Deliver events while the block runs, and for a few seconds after it what is left."""
        sending = asyncio.create_task(self.emitter.run(), name="signalbox delivery")
        sending.add_done_callback(_log_failure)
        self.committed.open()
        showing = asyncio.create_task(catch_up(self._client, task_queue, limit=catch_up_limit))
        showing.add_done_callback(_log_failure)
        try:
            yield
        finally:
            await cancel_and_wait(showing)
            await self.committed.close()
            await self.emitter.flush()
            await cancel_and_wait(sending)
            self._posts.close()


def _log_failure(task: "asyncio.Task[None]") -> None:
    """Log an unexpected error: the worker itself must never stop because of the plugin."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("workflows are not shown any further", exc_info=error)
