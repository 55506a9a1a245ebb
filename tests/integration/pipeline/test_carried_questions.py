"""A question that a run carries over continue-as-new stays the same question: asked once, decided once."""

import asyncio
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest
from temporalio.client import Client, WorkflowUpdateFailedError

from signalbox_core.pipeline.contract.messages import (
    SIGNAL_DECIDE,
    UPDATE_ASSIGN,
    Assignment,
    AssignmentAction,
    AssignmentRecord,
    Decision,
)
from signalbox_core.subjects import Subject
from signalbox_core.temporal.updates import send_update
from signalbox_core.testing.emitter import FakeEmitter
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test
from support.assertions.continued import continued
from support.assertions.eventually import eventually
from support.assertions.replays import replay_when_idle
from support.fakes.carry_pipeline import REMOVED, SPEC, CarryAnswer, CarryInput, CarryResult

WITHIN_S: Final = 60
AN, LAN = Subject(subject="key:an", name="An"), Subject(subject="key:lan", name="Lan")


def decision(approval_id: str, digest: str, by: Subject, *, text: str = "") -> Decision:
    return Decision(
        approval_id=approval_id,
        decision_id=f"{by.subject}-{text}",
        answer=msgspec.Raw(msgspec.json.encode(CarryAnswer(publish=True, text=text))),
        decided_by=by.name or by.subject,
        decider=by,
        digest=digest,
    )


async def ended_events(run: RunUnderTest) -> list[str]:
    """The names of the events of the question, once the run's last event has arrived, in sequence."""
    await eventually(lambda: "run.completed" in run.event_names(), within_s=WITHIN_S)
    events = sorted(run.events(), key=lambda event: event.sequence or 0)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    return [event.name for event in events if event.name.startswith("approval.")]


async def replay_executions(client: Client, run: RunUnderTest, *execution_ids: str | None) -> None:
    for execution_id in execution_ids:
        handle = client.get_workflow_handle(run.handle.id, run_id=execution_id)
        await replay_when_idle(SPEC, await handle.fetch_history())


async def assign(
    run: RunUnderTest, action: AssignmentAction, by: Subject, to: str | None = None
) -> AssignmentRecord:
    given = Assignment(approval_id="review", request_id=uuid.uuid4().hex, action=action, by=by, to=to)
    return await send_update(
        run.handle, UPDATE_ASSIGN, given, update_id=given.request_id, result_type=AssignmentRecord
    )


async def test_what_people_see_of_a_carried_question_stays(client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=[], client=client) as pipeline:
        run = await pipeline.start(CarryInput(ask="review"))
        digest = (await run.approval("review", within_s=WITHIN_S)).digest
        first = (await run.handle.describe()).run_id
        counted = await run.send(decision("review", digest, AN))
        await assign(run, "delegate", AN, to=LAN.subject)
        await assign(run, "claim", LAN)
        before = await run.approval("review")
        await run.handle.signal("go_on")
        await continued(run, within_s=WITHIN_S)

        assert await run.approval("review", within_s=WITHIN_S) == before
        assert before.claim is not None
        assert (before.status, before.claim.by) == ("pending", LAN)
        assert [vote.voted_by for vote in before.votes] == [AN]
        # A vote that is sent again has the reply that it had in the first execution.
        assert await run.send(decision("review", digest, AN)) == counted
        assert (await assign(run, "release", LAN)).delegated_to == LAN.subject
        await run.send(decision("review", digest, LAN))

        assert await run.result() == CarryResult(published=True)
        assert await ended_events(run) == [
            "approval.requested",
            "approval.voted",
            "approval.delegated",
            "approval.claimed",
            "approval.released",
            "approval.voted",
            "approval.decided",
        ]
        await replay_executions(client, run, first, None)


@pytest.mark.parametrize("by_signal", [True, False], ids=["signal", "update"])
async def test_a_decision_between_two_executions_is_not_lost(client: Client, *, by_signal: bool) -> None:
    """No worker has begun the next execution when the decision is sent; another worker runs it."""
    emitter, next_queue = FakeEmitter(), f"carry-{uuid.uuid4().hex[:8]}"
    async with pipeline_under_test(SPEC, activities=[], client=client, emitter=emitter) as pipeline:
        run = await pipeline.start(CarryInput(next_queue=next_queue))
        digest = (await run.approval("publish", within_s=WITHIN_S)).digest
        first = (await run.handle.describe()).run_id
        await run.handle.signal("go_on")
        await continued(run, within_s=WITHIN_S)

    sending = None
    if by_signal:
        await run.handle.signal(SIGNAL_DECIDE, decision("publish", digest, AN, text="good"))
    else:
        sending = asyncio.create_task(run.send(decision("publish", digest, AN, text="good")))
    async with pipeline_under_test(
        SPEC, activities=[], client=client, emitter=emitter, task_queue=next_queue
    ):
        assert await run.result() == CarryResult(published=True, text="good")
        if sending is not None:
            assert (await sending).decided_by == "An"
        assert await ended_events(run) == ["approval.requested", "approval.decided"]
        await replay_executions(client, run, first, None)


async def test_a_decision_between_two_executions_is_validated_by_the_check(client: Client) -> None:
    emitter, next_queue = FakeEmitter(), f"carry-{uuid.uuid4().hex[:8]}"
    async with pipeline_under_test(SPEC, activities=[], client=client, emitter=emitter) as pipeline:
        run = await pipeline.start(CarryInput(next_queue=next_queue))
        digest = (await run.approval("publish", within_s=WITHIN_S)).digest
        await run.handle.signal("go_on")
        await continued(run, within_s=WITHIN_S)

    await run.handle.signal(SIGNAL_DECIDE, decision("publish", digest, AN, text="misleading"))
    async with pipeline_under_test(
        SPEC, activities=[], client=client, emitter=emitter, task_queue=next_queue
    ):
        await eventually(lambda: "approval.vote_refused" in run.event_names(), within_s=WITHIN_S)
        (state,) = (await run.snapshot()).approvals
        assert state.status == "pending"
        assert [refused.code for refused in state.refused] == ["invalid_answer"]
        await run.send(decision("publish", digest, LAN, text="good"))

        assert await run.result() == CarryResult(published=True, text="good")
        assert await ended_events(run) == [
            "approval.requested",
            "approval.vote_refused",
            "approval.decided",
        ]
        await replay_executions(client, run, None)


@pytest.mark.parametrize("by_signal", [True, False], ids=["signal", "update"])
async def test_a_decision_that_arrives_with_the_continuation_is_the_outcome(
    client: Client, *, by_signal: bool
) -> None:
    async with pipeline_under_test(SPEC, activities=[], client=client) as pipeline:
        run = await pipeline.start(CarryInput())
        digest = (await run.approval("publish", within_s=WITHIN_S)).digest
        first = (await run.handle.describe()).run_id
        sending = None
        async with pipeline.without_worker():
            await run.handle.signal("go_on")
            if by_signal:
                await run.handle.signal(SIGNAL_DECIDE, decision("publish", digest, AN, text="good"))
            else:
                sending = asyncio.create_task(run.send(decision("publish", digest, AN, text="good")))

        assert await run.result() == CarryResult(published=True, text="good")
        if sending is not None:
            assert (await sending).decided_by == "An"
        assert await ended_events(run) == ["approval.requested", "approval.decided"]
        await replay_executions(client, run, first, None)


@pytest.mark.parametrize("pauses_first", [True, False], ids=["before", "between"])
async def test_a_question_of_a_paused_run_is_carried_until_it_is_resumed(
    client: Client, *, pauses_first: bool
) -> None:
    """The question belongs to a step, which the next execution enters only once the run is resumed."""
    emitter, next_queue = FakeEmitter(), f"carry-{uuid.uuid4().hex[:8]}"
    async with pipeline_under_test(SPEC, activities=[], client=client, emitter=emitter) as pipeline:
        run = await pipeline.start(CarryInput(in_step=True, next_queue=next_queue))
        digest = (await run.approval("publish", within_s=WITHIN_S)).digest
        first = (await run.handle.describe()).run_id
        if pauses_first:
            await run.pause()
        await run.handle.signal("go_on")
        await continued(run, within_s=WITHIN_S)

    if not pauses_first:
        await run.pause()
    async with pipeline_under_test(
        SPEC, activities=[], client=client, emitter=emitter, task_queue=next_queue
    ):
        snapshot = await run.snapshot()
        await run.handle.signal(SIGNAL_DECIDE, decision("publish", digest, AN, text="misleading"))
        await run.handle.signal(SIGNAL_DECIDE, decision("publish", digest, AN, text="good"))
        await run.resume()

        assert await run.result() == CarryResult(published=True, text="good")
        assert snapshot.status == "paused"
        assert [item.status for item in snapshot.approvals] == ["pending"]
        assert await ended_events(run) == [
            "approval.requested",
            "approval.vote_refused",
            "approval.decided",
        ]
        assert Counter(run.event_names())["step.started"] == 1
        await replay_executions(client, run, first, None)


async def test_a_carried_question_survives_evictions_and_a_lost_worker(client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=[], client=client, max_cached_workflows=1) as pipeline:
        runs = [await pipeline.start(CarryInput(rounds=2)) for _ in range(3)]
        for run in runs:
            await run.approval("publish", within_s=WITHIN_S)
            await run.handle.signal("go_on")
        second = [await continued(run, within_s=WITHIN_S) for run in runs]
        async with pipeline.without_worker():
            for run in runs:
                await run.handle.signal("go_on")
        for run, execution_id in zip(runs, second, strict=True):
            await continued(run, since=execution_id, within_s=WITHIN_S)
        for run in runs:
            digest = (await run.approval("publish", within_s=WITHIN_S)).digest
            await run.send(decision("publish", digest, LAN, text="good"))

        for run in runs:
            assert await run.result() == CarryResult(published=True, text="good")
            assert await ended_events(run) == ["approval.requested", "approval.decided"]
            await replay_executions(client, run, None)


async def test_a_question_that_is_not_asked_again_is_withdrawn(client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=[], client=client) as pipeline:
        run = await pipeline.start(CarryInput(asks_again=False))
        digest = (await run.approval("publish", within_s=WITHIN_S)).digest
        await run.handle.signal("go_on")
        await continued(run, within_s=WITHIN_S)
        await eventually(lambda: "approval.withdrawn" in run.event_names(), within_s=WITHIN_S)

        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(decision("publish", digest, AN))
        await run.handle.signal("go_on")

        assert await run.result() == CarryResult(published=False)
        cause: Any = refused.value.cause
        assert cause.type == "withdrawn"
        assert await ended_events(run) == ["approval.requested", "approval.withdrawn"]
        await replay_executions(client, run, None)


async def test_a_question_whose_approval_was_removed_is_withdrawn(client: Client) -> None:
    emitter, next_queue = FakeEmitter(), f"carry-{uuid.uuid4().hex[:8]}"
    async with pipeline_under_test(SPEC, activities=[], client=client, emitter=emitter) as pipeline:
        run = await pipeline.start(CarryInput(next_queue=next_queue))
        digest = (await run.approval("publish", within_s=WITHIN_S)).digest
        await run.handle.signal("go_on")
        await continued(run, within_s=WITHIN_S)

    await run.handle.signal(SIGNAL_DECIDE, decision("publish", digest, AN))
    async with pipeline_under_test(
        REMOVED, activities=[], client=client, emitter=emitter, task_queue=next_queue
    ):
        await eventually(lambda: "approval.withdrawn" in run.event_names(), within_s=WITHIN_S)
        await run.handle.signal("go_on")

        assert await run.result() == CarryResult(published=False)
        assert (await ended_events(run))[:2] == ["approval.requested", "approval.withdrawn"]
        history = await client.get_workflow_handle(run.handle.id).fetch_history()
        await replay_when_idle(REMOVED, history)


@pytest.mark.parametrize(
    ("ask", "days", "rungs"),
    [
        pytest.param(
            "climb",
            [0, 1, 3, 5, 9, 14],
            ["reminded", "reminded", "delegated", "escalated"],
            id="ladder",
        ),
        pytest.param("publish", [0, 7, 14], ["reminded"], id="one reminder"),
    ],
)
async def test_a_carried_ladder_takes_each_rung_once_at_its_time(
    ask: str, days: list[int], rungs: list[str]
) -> None:
    async with pipeline_under_test(SPEC, activities=[], skip_time=True) as pipeline:
        run = await pipeline.start(CarryInput(ask=ask, after_s=timedelta(days=4).total_seconds()))
        assert await run.result() == CarryResult(published=False)
        names = await ended_events(run)
    assert names == [f"approval.{name}" for name in ("requested", *rungs, "expired")]
    events = sorted(run.events(), key=lambda event: event.sequence or 0)
    of_question = [event for event in events if event.name.startswith("approval.")]
    passed = [event.time - of_question[0].time for event in of_question]
    assert [round(time / timedelta(days=1)) for time in passed] == days
