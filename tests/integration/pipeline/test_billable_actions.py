"""What Temporal Cloud bills of five steps and an approval, with Signalbox and without it."""

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Worker

from signalbox_core.ids import new_run_id, run_key
from signalbox_core.pipeline.activity.loader import sandbox
from signalbox_core.pipeline.contract.stated_patches import stated_patches
from signalbox_core.temporal import data_converter
from signalbox_core.temporal.names import MEMO_PATCHES, MEMO_TENANT
from signalbox_core.testing.pipeline import PipelineUnderTest, RunUnderTest, pipeline_under_test, replay
from support.assertions.billable_actions import billable_actions
from support.assertions.eventually import eventually
from support.whole.chain.activities import nothing
from support.whole.chain.contract import SPEC, Agreed, ChainInput, ChainResult
from support.whole.chain.workflow import Plain

ACTIVITY_COMPLETED = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
GIVEN = ChainInput(steps=5, asks=True)


async def completed(run: RunUnderTest) -> WorkflowHistory:
    # Before that an answer is accepted too, but its event may need a delivery of its own.
    await eventually(lambda: question_is_recorded(run), within_s=30)
    await run.decide("go", Agreed(yes=True))
    assert await run.result() == ChainResult(done=5)
    return await run.handle.fetch_history()


async def question_is_recorded(run: RunUnderTest) -> bool:
    """Whether a workflow task has taken in the result of the activity that records the question."""
    history = await run.handle.fetch_history()
    types = [event.event_type for event in history.events]
    recorded = [place for place, kind in enumerate(types) if kind == ACTIVITY_COMPLETED]
    return len(recorded) == 6 and EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED in types[recorded[-1] :]


async def start_without_statement(pipeline: PipelineUnderTest) -> RunUnderTest:
    """Start a run as its own code does, or a gateway of an earlier release."""
    handle = await pipeline.client.start_workflow(
        SPEC.name,
        GIVEN,
        id=run_key("acme", new_run_id("chain")),
        task_queue=pipeline.task_queue,
        memo={MEMO_TENANT: "acme"},
        result_type=ChainResult,
    )
    return RunUnderTest(handle, pipeline.emitter)


async def test_a_run_of_five_steps_and_an_approval_costs_ten_actions(client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=[nothing], client=client) as pipeline:
        history = await completed(await pipeline.start(GIVEN))

    # The sixth activity records the question and delivers its event; the marker is the last delivery.
    assert billable_actions(history.events) == {
        "start": 1,
        "activity": 6,
        "timer": 1,
        "update": 1,
        "markers": 1,
    }
    await replay(SPEC, history)


async def test_a_start_that_states_no_patches_costs_a_marker_more(client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=[nothing], client=client) as pipeline:
        history = await completed(await start_without_statement(pipeline))

    assert billable_actions(history.events)["markers"] == 2
    await replay(SPEC, history)


async def test_a_marker_of_an_earlier_worker_replays_beside_the_statement(client: Client) -> None:
    """A worker that reads no statement took the first task of a run whose start states the patch."""
    async with pipeline_under_test(SPEC, activities=[nothing], client=client) as pipeline:
        history = await completed(await start_without_statement(pipeline))

    (stated,) = data_converter.payload_converter.to_payloads([stated_patches(SPEC)])
    started = history.events[0].workflow_execution_started_event_attributes
    started.memo.fields[MEMO_PATCHES].CopyFrom(stated)
    await replay(SPEC, history)


async def test_the_same_work_on_plain_temporal_costs_seven_actions(client: Client) -> None:
    queue = new_run_id("plain")
    worker = Worker(
        client, task_queue=queue, workflows=[Plain], activities=[nothing], workflow_runner=sandbox([SPEC])
    )
    async with worker:
        handle = await client.start_workflow("plain", GIVEN, id=queue, task_queue=queue)
        await handle.execute_update("answer", True)
        await handle.result()
        history = await handle.fetch_history()

    assert billable_actions(history.events) == {"start": 1, "activity": 5, "update": 1}
