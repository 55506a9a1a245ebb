"""A step's scope whose coroutine is closed by the garbage collector, as that of an evicted run may be."""

from contextvars import copy_context
from datetime import UTC, datetime
from typing import cast

from signalbox_core.events.states import StepState
from signalbox_core.pipeline.contract.spec import Step
from signalbox_core.pipeline.contract.step_header import StepCall, current_call
from signalbox_core.pipeline.workflow.state import RunState
from signalbox_core.pipeline.workflow.steps import StepScope


class ResumedRun:
    """The part of a run's state that a scope reads when its step was running at continue-as-new."""

    tenant = "acme"

    async def until_resumed(self) -> None:
        """The run is not paused."""

    def take_running_step(self, step: str) -> StepState:
        return StepState(name=step, title="Draw", attempt=1, started_at=datetime(2026, 11, 30, tzinfo=UTC))


class Suspend:
    def __await__(self):  # type: ignore[no-untyped-def]  # a generator without a type
        yield


async def draw() -> None:
    async with StepScope(cast(RunState, ResumedRun()), Step("draw", "Draw")):
        await Suspend()


def test_an_abandoned_scope_leaves_the_call_of_the_run_that_closes_it() -> None:
    evicted = draw()
    copy_context().run(evicted.send, None)
    other = StepCall(tenant="globex", step="send", attempt=1)

    def close_in_another_run() -> StepCall | None:
        current_call.set(other)
        evicted.close()
        return current_call.get()

    assert copy_context().run(close_in_another_run) == other
