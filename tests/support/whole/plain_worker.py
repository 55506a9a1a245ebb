"""`python -m support.whole.plain_worker ADDRESS`: a plain SDK worker with the reservations of ours."""

import asyncio
import sys

from temporalio.worker import Worker

from signalbox_core.pipeline.activity.loader import sandbox
from signalbox_core.temporal import connect
from signalbox_worker.worker import MAX_EAGER_ACTIVITIES
from support.whole.chain.activities import nothing
from support.whole.chain.contract import SPEC
from support.whole.chain.workflow import Plain


async def work(address: str) -> None:
    async with Worker(
        await connect(address, "default"),
        task_queue="plain",
        workflows=[Plain],
        activities=[nothing],
        workflow_runner=sandbox([SPEC]),
        max_concurrent_activities=200,
        max_eager_activity_reservations_per_workflow_task=MAX_EAGER_ACTIVITIES,
    ):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


asyncio.run(work(sys.argv[1]))
