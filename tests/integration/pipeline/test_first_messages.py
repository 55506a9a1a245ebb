"""Messages that arrive before a run's first workflow task are handled in one order, also by a replay."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from temporalio.client import Client, WorkflowUpdateFailedError

from signalbox_core.pipeline.contract.messages import SIGNAL_DECIDE, Decision
from signalbox_core.subjects import Subject
from signalbox_core.testing.pipeline import pipeline_under_test
from support.assertions.replays import replay_when_idle
from support.sample.contract import SPEC, Pick, SampleInput


def decision(decision_id: str) -> Decision:
    return Decision(
        approval_id="pick",
        decision_id=decision_id,
        answer=msgspec.Raw(msgspec.json.encode(Pick(number=1))),
        decided_by="An",
        decider=Subject(subject="key:an", name="An"),
    )


@pytest.mark.parametrize("is_same", [True, False], ids=["same decision", "another decision"])
async def test_a_signal_and_an_update_before_the_first_workflow_task_replay(
    client: Client, sample_activities: list[Callable[..., Any]], *, is_same: bool
) -> None:
    """As when no worker responds to the gateway in time: it sends the decision by signal too."""
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        async with pipeline.without_worker():
            run = await pipeline.start(SampleInput(ask=True))
            await run.handle.signal(SIGNAL_DECIDE, decision("first"))
            sending = asyncio.create_task(run.send(decision("first" if is_same else "second")))
        try:
            answer = (await sending).decision_id
        except WorkflowUpdateFailedError as refused:
            answer = str(getattr(refused.cause, "type", None))

        assert (await run.result()).picked == 1
        assert answer == ("first" if is_same else "already_decided")
        await replay_when_idle(SPEC, await run.handle.fetch_history())
