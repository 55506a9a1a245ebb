"""An answer that no event can hold is refused before it changes its question."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from temporalio.client import Client, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from signalbox_core.pipeline.contract.messages import MAX_ANSWER_BYTES, Decision
from signalbox_core.subjects import Subject
from signalbox_core.temporal.names import MEMO_TENANT
from signalbox_core.testing.pipeline import pipeline_under_test, replay
from support.assertions.eventually import eventually
from support.sample.contract import SPEC, Pick, SampleInput

ASK = SampleInput(items=3, ask=True)
PADDED = b'{"number": 1' + b" " * 300_000 + b"}"


def decision(answer: bytes, decision_id: str) -> Decision:
    return Decision(
        approval_id="pick",
        decision_id=decision_id,
        answer=msgspec.Raw(answer),
        decided_by="lan",
        decider=Subject(subject="key:tester", kind="service"),
    )


@pytest.mark.parametrize(
    "answer",
    [PADDED, msgspec.json.encode(Pick(number=1, note="x" * MAX_ANSWER_BYTES))],
    ids=["padded", "long"],
)
async def test_a_large_answer_leaves_the_question_open_for_another(
    client: Client, sample_activities: list[Callable[..., Any]], answer: bytes
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval("pick")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(decision(answer, "large"))
        await run.handle.signal("decide", decision(answer, "large-signal"))
        await eventually(lambda: "approval.vote_refused" in run.event_names(), within_s=60)
        record = await run.send(decision(b'{"number":2}', "small"))

        assert (await run.result()).picked == 2
        await replay(SPEC, WorkflowHistory.from_json(run.handle.id, await run.history()))
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "answer_too_large"
    assert str(MAX_ANSWER_BYTES) in refused.value.cause.message
    assert record.decision_id == "small"
    assert run.event_names()[-2:] == ["approval.decided", "run.completed"]


async def test_a_large_answer_before_the_question_is_refused_too(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        handle = await client.start_workflow(
            "sample",
            ASK,
            id=f"early-{pipeline.task_queue}",
            task_queue=pipeline.task_queue,
            memo={MEMO_TENANT: "acme"},
            start_signal="decide",
            start_signal_args=[decision(PADDED, "large")],
        )

        def names() -> list[str]:
            return [event.name for event in pipeline.emitter.milestones if event.runid == handle.id]

        await eventually(lambda: "approval.requested" in names(), within_s=60)
        await handle.execute_update("decide", decision(b'{"number":2}', "small"))
        result = await handle.result()

    assert result["picked"] == 2
    assert "approval.vote_refused" in names()
    assert names()[-2:] == ["approval.decided", "run.completed"]
