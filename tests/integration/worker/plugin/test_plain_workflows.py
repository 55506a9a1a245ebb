"""Plain workflows as runs: what a worker with the plugin publishes, with nothing else changed."""

import msgspec
import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.worker import Replayer

from signalbox_core.events import Snapshot, catalogue, fold
from signalbox_core.events.envelope import decode_data
from support.assertions.eventually import eventually
from support.drivers.plain_worker import PlainWorker
from support.plain.one_file import TASK_QUEUE, OneFileWorkflow, create_worker
from support.plain.orders import WORKFLOWS, BatchWorkflow, DeliveryWorkflow, Order, OrderWorkflow, Receipt

WITHIN_S = 40.0
ORDER = Order(customer="Lan", items=["tea", "cup", "pot"])
UP_TO_SIGNAL = ["run.started", *["step.started", "step.completed"] * 2]


async def start(
    worker: PlainWorker, order: Order = ORDER, workflow_id: str = "order-1"
) -> WorkflowHandle[OrderWorkflow, Receipt]:
    return await worker.client.start_workflow(
        OrderWorkflow.run, order, id=workflow_id, task_queue=worker.task_queue
    )


async def finish(handle: WorkflowHandle[OrderWorkflow, Receipt]) -> Receipt:
    await handle.signal(OrderWorkflow.set_address, "Hà Nội")
    return await handle.result()


def snapshot_of(worker: PlainWorker, run_id: str) -> Snapshot:
    snapshot = Snapshot(run_id=run_id, tenant="acme")
    for event in worker.milestones(run_id):
        snapshot = fold(snapshot, event)
    return snapshot


async def until(worker: PlainWorker, run_id: str, names: list[str]) -> None:
    await eventually(lambda: worker.events(run_id) == names, within_s=WITHIN_S)


async def test_a_plain_workflow_is_a_run_with_its_activities_as_steps(plain_worker: PlainWorker) -> None:
    async with plain_worker.running():
        handle = await start(plain_worker)
        await until(plain_worker, "order-1", UP_TO_SIGNAL)
        assert await finish(handle) == Receipt(customer="Lan", parcels=3)
        await until(plain_worker, "order-1", [*UP_TO_SIGNAL, "run.completed"])

    snapshot = snapshot_of(plain_worker, "order-1")
    assert (snapshot.pipeline, snapshot.title, snapshot.plain) == ("OrderWorkflow", "Order workflow", True)
    assert [(step.name, step.title, step.status) for step in snapshot.steps] == [
        ("reserve_stock", "Reserve stock", "completed"),
        ("packItem", "Pack item", "completed"),
    ]
    assert snapshot.steps[1].message == "3 calls"
    assert msgspec.json.decode(snapshot.result) == {"customer": "Lan", "parcels": 3}
    sequences = [event.sequence or 0 for event in plain_worker.milestones("order-1")]
    assert sequences == list(range(sequences[0], sequences[0] + 6))


async def test_a_failed_activity_fails_its_step_and_the_run(plain_worker: PlainWorker) -> None:
    async with plain_worker.running():
        handle = await start(plain_worker, Order(customer="Lan", items=["broken"]))
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        names = ["run.started", "step.started", "step.completed", "step.started", "step.failed", "run.failed"]
        await until(plain_worker, "order-1", names)

    error = snapshot_of(plain_worker, "order-1").error
    assert error is not None
    assert (error.step, error.message) == ("packItem", "BrokenItem: the item is broken")


async def test_heartbeats_are_progress_and_a_cancel_is_shown(plain_worker: PlainWorker) -> None:
    async with plain_worker.running():
        handle = await plain_worker.client.start_workflow(
            DeliveryWorkflow.run, ORDER, id="parcel/1", task_queue=plain_worker.task_queue
        )
        await eventually(lambda: plain_worker.progress("parcel~2F1"), within_s=WITHIN_S)
        await handle.cancel(reason="the customer moved")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        await eventually(lambda: "run.cancelled" in plain_worker.events("parcel~2F1"), within_s=WITHIN_S)

    shown = plain_worker.progress("parcel~2F1")[0]
    assert (shown.step, shown.percent, shown.message) == ("wait_for_carrier", 40.0, "parcel of Lan")
    cancelled = plain_worker.milestones("parcel~2F1")[-1]
    assert decode_data(cancelled, catalogue.RunCancelled).reason == "the customer moved"


async def test_a_loop_is_one_step_and_a_run_survives_continue_as_new(plain_worker: PlainWorker) -> None:
    async with plain_worker.running():
        handle = await plain_worker.client.start_workflow(
            BatchWorkflow.run, 1, id="batch", task_queue=plain_worker.task_queue
        )
        assert await handle.result() == 0
        await eventually(lambda: "run.completed" in plain_worker.events("batch"), within_s=WITHIN_S)
        await eventually(lambda: "run.completed" in plain_worker.events("batch~2Fchild"), within_s=WITHIN_S)

    names = plain_worker.events("batch")
    assert names.count("run.started") == 1
    assert names[-3:] == ["child.ended", "step.completed", "run.completed"]
    snapshot = snapshot_of(plain_worker, "batch")
    assert [(step.name, step.status) for step in snapshot.steps] == [("packItem", "completed")]
    assert [(child.run_id, child.status) for child in snapshot.children] == [("batch~2Fchild", "completed")]
    assert snapshot_of(plain_worker, "batch~2Fchild").parent == "batch"
    # 60 calls: 25 attempts are recorded, then the step stays open until the execution ends.
    assert names.count("step.started") < 30


async def test_a_workflow_id_that_is_used_again_begins_a_run_with_greater_numbers(
    plain_worker: PlainWorker,
) -> None:
    async with plain_worker.running():
        for count in (1, 2):
            assert (await finish(await start(plain_worker))).parcels == 3
            await until(plain_worker, "order-1", [*UP_TO_SIGNAL, "run.completed"] * count)

    assert plain_worker.events("order-1") == [*UP_TO_SIGNAL, "run.completed"] * 2


async def test_a_waiting_workflow_is_shown_when_the_plugin_is_added_and_goes_on_without_it(
    plain_worker: PlainWorker,
) -> None:
    async with plain_worker.running(shown=False):
        handle = await start(plain_worker)
        await eventually(lambda: has_waited(handle), within_s=WITHIN_S)
    before = await handle.fetch_history()

    async with plain_worker.running():
        await until(plain_worker, "order-1", UP_TO_SIGNAL)

    after = await handle.fetch_history()
    assert [event.event_type for event in after.events] == [event.event_type for event in before.events]
    async with plain_worker.running(shown=False):
        assert (await finish(handle)).parcels == 3
    assert plain_worker.events("order-1") == UP_TO_SIGNAL


async def has_waited(handle: WorkflowHandle[OrderWorkflow, Receipt]) -> bool:
    """Whether all activities have ended, and the workflow task after them, too."""
    ended = [
        event
        for event in (await handle.fetch_history()).events
        if event.HasField("activity_task_completed_event_attributes")
    ]
    found = (await handle.describe()).raw_description
    return len(ended) == 4 and not found.HasField("pending_workflow_task")


@pytest.mark.parametrize("shown", [True, False], ids=["recorded with", "recorded without"])
async def test_a_history_replays_with_and_without_the_plugin(
    plain_worker: PlainWorker, *, shown: bool
) -> None:
    async with plain_worker.running(shown=shown):
        order = await start(plain_worker)
        await finish(order)
        batch = await plain_worker.client.start_workflow(
            BatchWorkflow.run, 0, id="batch", task_queue=plain_worker.task_queue
        )
        await batch.result()
        parcel = await plain_worker.client.start_workflow(
            DeliveryWorkflow.run, ORDER, id="parcel", task_queue=plain_worker.task_queue
        )
        await eventually(lambda: has_started_activity(parcel), within_s=WITHIN_S)
        await parcel.cancel()
        with pytest.raises(WorkflowFailureError):
            await parcel.result()

    for plugins in ([plain_worker.plugin], []):
        replayer = Replayer(workflows=WORKFLOWS, plugins=plugins)
        for handle in (order, batch, parcel):
            await replayer.replay_workflow(await handle.fetch_history())


async def has_started_activity(handle: WorkflowHandle[DeliveryWorkflow, None]) -> bool:
    return bool((await handle.describe()).raw_description.pending_activities)


async def test_a_workflow_may_be_in_the_file_that_imports_the_plugin(plain_worker: PlainWorker) -> None:
    async with create_worker(plain_worker.client, plain_worker.plugin):
        result = await plain_worker.client.execute_workflow(
            OneFileWorkflow.run, "Lan", id="one-file", task_queue=TASK_QUEUE
        )
        await until(plain_worker, "one-file", ["run.started", "run.completed"])

    assert result == "Hello, Lan!"
