"""The peers' workflows: one read by query, one with Temporal's Workflow Streams.

`python -m support.bench.polled_workflows ADDRESS QUEUE` is their worker.
"""

import asyncio
import sys

from temporalio import workflow
from temporalio.contrib.workflow_streams import WorkflowStream
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from signalbox_core.temporal import connect


@workflow.defn(name="bench_polled")
class PolledWorkflow:
    def __init__(self) -> None:
        self._latest = 0

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def tell(self, stamp: int) -> None:
        self._latest = stamp

    @workflow.query
    def latest(self) -> int:
        return self._latest


@workflow.defn(name="bench_streamed")
class StreamedWorkflow:
    @workflow.init
    def __init__(self) -> None:
        self._stream = WorkflowStream()

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


async def work(address: str, queue: str) -> None:
    client = await connect(address, "default")
    workflows = [PolledWorkflow, StreamedWorkflow]
    async with Worker(
        client, task_queue=queue, workflows=workflows, workflow_runner=UnsandboxedWorkflowRunner()
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2]))
