"""With payload keys a run's history in Temporal has no plain text, and runs work as without keys."""

from pathlib import Path

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from signalbox_admin.cli import main as admin
from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.temporal import connect
from signalbox_core.temporal.decrypted_history import open_history
from signalbox_core.temporal.names import MEMO_STARTED_BY, MEMO_TENANT
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test, replay
from support.fakes.payload_keys import payload_keys_file
from support.sample.activities import prepare, undo
from support.sample.contract import PICK, SPEC, Made, Pick, SampleInput

PLANTED = "planted-8f1c0f"


@activity.defn(name="sample.make")
async def make_planted(number: int) -> Made:
    if number == 13:
        raise ApplicationError(
            f"thirteen is refused: {PLANTED}", f"detail {PLANTED}", type="refused", non_retryable=True
        )
    return Made(number=number, label=PLANTED)


ACTIVITIES = [prepare, make_planted, undo]


@pytest.fixture
async def sealing_client(temporal_address: str, tmp_path: Path) -> Client:
    return await connect(temporal_address, "default", keys=KeyRing(payload_keys_file(tmp_path)))


async def stored(run: RunUnderTest, temporal_address: str) -> bytes:
    """The history as Temporal keeps it, seen by a client without keys."""
    client = await connect(temporal_address, "default")
    history = await client.get_workflow_handle(run.handle.id).fetch_history()
    return b"".join(event.SerializeToString() for event in history.events)


async def test_input_results_events_questions_and_decisions_are_sealed(
    sealing_client: Client, temporal_address: str
) -> None:
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=sealing_client) as pipeline:
        # A run key contains the tenant, as the search attributes do; here only the memo does.
        handle = await sealing_client.start_workflow(
            SPEC.name,
            SampleInput(items=2, ask=True),
            id=f"sealed-{pipeline.task_queue}",
            task_queue=pipeline.task_queue,
            memo={MEMO_TENANT: f"tenant-{PLANTED}", MEMO_STARTED_BY: PLANTED},
            result_type=SPEC.result,
        )
        run = RunUnderTest(handle, pipeline.emitter)
        record = await run.decide(PICK.name, Pick(number=1, note=PLANTED), by=PLANTED)
        result = await run.result()
        history = await stored(run, temporal_address)
        names = run.event_names()

    assert (record.decided_by, result.picked) == (PLANTED, 1)
    assert names[-1] == "run.completed"
    assert PLANTED.encode() not in history
    assert history.count(b"binary/encrypted") > 10


async def test_failure_details_are_sealed_and_still_reported(
    sealing_client: Client, temporal_address: str
) -> None:
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=sealing_client) as pipeline:
        run = await pipeline.start(SampleInput(items=14))
        with pytest.raises(WorkflowFailureError) as caught:
            await run.result()
        history = await stored(run, temporal_address)
        failed = run.events()[-1]

    assert PLANTED in str(caught.value.cause.__cause__)
    assert PLANTED.encode() in bytes(failed.data)
    assert PLANTED.encode() not in history
    assert b"Traceback" not in history


async def test_a_refused_decision_shows_the_reason(sealing_client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=sealing_client) as pipeline:
        run = await pipeline.start(SampleInput(items=1, ask=True))
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await run.decide(PICK.name, Pick(number=99))
        await run.decide(PICK.name, Pick(number=0))
        await run.result()

    assert isinstance(caught.value.cause, ApplicationError)
    assert (caught.value.cause.type, "no number 99" in str(caught.value.cause)) == ("invalid_answer", True)


async def test_a_rotation_in_the_middle_of_a_run_loses_nothing(temporal_address: str, tmp_path: Path) -> None:
    """Separate key rings read the rotated file, as new processes do; the old key still decrypts."""
    path = payload_keys_file(tmp_path)
    before = await connect(temporal_address, "default", keys=KeyRing(path))
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=before) as pipeline:
        run = await pipeline.start(SampleInput(items=2, ask=True))
        await run.approval(PICK.name)
        assert admin(["payload-keys", "rotate", "--file", str(path)]) == 0
        after = await connect(temporal_address, "default", keys=KeyRing(path))
        later = RunUnderTest(
            after.get_workflow_handle(run.handle.id, result_type=SPEC.result), pipeline.emitter
        )
        await later.decide(PICK.name, Pick(number=1))
        assert (await later.result()).picked == 1


async def test_an_opened_history_replays_and_a_run_from_before_the_keys_is_read(
    sealing_client: Client, temporal_address: str, tmp_path: Path
) -> None:
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=sealing_client) as pipeline:
        run = await pipeline.start(SampleInput(items=1))
        await run.result()
        await replay(
            SPEC, await open_history(await run.handle.fetch_history(), sealing_client.data_converter)
        )
    plain = await connect(temporal_address, "default")
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=plain) as pipeline:
        old = await pipeline.start(SampleInput(items=1))
        await old.result()

    assert (
        await sealing_client.get_workflow_handle(old.handle.id, result_type=SPEC.result).result()
    ).made == [0]
