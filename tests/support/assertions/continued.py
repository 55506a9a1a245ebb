"""Waits until a run has continued as new."""

from signalbox_core.testing.pipeline import RunUnderTest
from support.assertions.eventually import eventually


async def continued(run: RunUnderTest, *, since: str | None = None, within_s: float = 30.0) -> str | None:
    """Wait until an execution of the run has ended and the next one exists; return the id of the next one.

    Args:
        since: the id of the execution; by default the first one.
    """
    info = (await run.handle.describe()).raw_description.workflow_execution_info
    ended = since or info.first_run_id

    async def is_continued() -> bool:
        return (await run.handle.describe()).run_id != ended

    await eventually(is_continued, within_s=within_s)
    return (await run.handle.describe()).run_id
