"""A plain workflow that leaves the worker's cache: the SDK interrupts its code, which did not happen."""

import msgspec
import pytest
from temporalio.client import WorkflowFailureError

from signalbox_core.events import catalogue
from signalbox_core.events.envelope import decode_data
from support.assertions.eventually import eventually
from support.drivers.plain_worker import PlainWorker
from support.plain.orders import GreetingWorkflow, ReturnWorkflow, ShopWorkflow

WITHIN_S = 40.0


async def evict_others(worker: PlainWorker) -> None:
    """Run another workflow, for which the cache of one makes room."""
    await worker.client.execute_workflow(
        GreetingWorkflow.run, "Lan", id="other", task_queue=worker.task_queue
    )
    await eventually(lambda: worker.events("other") == ["run.started", "run.completed"], within_s=WITHIN_S)


async def until(worker: PlainWorker, run_id: str, names: list[str]) -> None:
    await eventually(lambda: worker.events(run_id) == names, within_s=WITHIN_S)


async def test_what_an_evicted_workflow_returns_is_not_its_result(plain_worker: PlainWorker) -> None:
    async with plain_worker.running(max_cached=1):
        handle = await plain_worker.client.start_workflow(
            ShopWorkflow.run, id="shop", task_queue=plain_worker.task_queue
        )
        await until(plain_worker, "shop", ["run.started"])
        await evict_others(plain_worker)
        await handle.signal(ShopWorkflow.close)
        assert await handle.result() == "closed"
        await until(plain_worker, "shop", ["run.started", "run.completed"])

    completed = decode_data(plain_worker.milestones("shop")[-1], catalogue.RunCompleted)
    assert msgspec.json.decode(completed.result) == "closed"


async def test_an_eviction_does_not_end_a_workflow_that_is_being_cancelled(plain_worker: PlainWorker) -> None:
    async with plain_worker.running(max_cached=1):
        handle = await plain_worker.client.start_workflow(
            ReturnWorkflow.run, id="return", task_queue=plain_worker.task_queue
        )
        await until(plain_worker, "return", ["run.started"])
        await handle.cancel()
        await eventually(lambda: handle.query(ReturnWorkflow.is_cancelled), within_s=WITHIN_S)
        await evict_others(plain_worker)
        await handle.signal(ReturnWorkflow.receive_item)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        await until(
            plain_worker, "return", ["run.started", "step.started", "step.completed", "run.cancelled"]
        )
