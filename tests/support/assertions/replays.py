"""Replays histories on a machine that may be busy."""

from collections.abc import Awaitable, Callable
from typing import Final

from temporalio.client import WorkflowHistory

from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.testing.pipeline import replay
from support.assertions.eventually import eventually

_DEADLOCK: Final = "TMPRL1101"
"""Temporal's code for workflow code that does not yield for two seconds, as when its thread gets no CPU."""


async def replay_when_idle(spec: PipelineSpec, history: WorkflowHistory, *, within_s: float = 300) -> None:
    """Replay a history; repeat the replay while the machine is too busy to run it."""
    await repeat_while_busy(lambda: replay(spec, history), within_s=within_s)


async def repeat_while_busy(play: Callable[[], Awaitable[None]], *, within_s: float = 300) -> None:
    """Replay a history; repeat that while the machine is too busy.

    Args:
        play: replays it once.
    """

    async def is_replayed() -> bool:
        try:
            await play()
        except RuntimeError as error:
            if _DEADLOCK not in str(error):
                raise
            return False
        return True

    await eventually(is_replayed, within_s=within_s)
