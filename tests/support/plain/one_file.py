"""A workflow in the file that creates its worker, as in the samples of Temporal's SDK."""

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from signalbox_worker.plugin import SignalboxPlugin

TASK_QUEUE = "one-file"


@workflow.defn
class OneFileWorkflow:
    @workflow.run
    async def run(self, name: str) -> str:
        return f"Hello, {name}!"


def create_worker(client: Client, plugin: SignalboxPlugin) -> Worker:
    return Worker(client, task_queue=TASK_QUEUE, workflows=[OneFileWorkflow], plugins=[plugin])
