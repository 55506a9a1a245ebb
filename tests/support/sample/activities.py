"""Activities of the sample pipeline; a test replaces them by name."""

from temporalio import activity

from signalbox_core.pipeline.activity import emit_on_complete, progress
from support.sample.contract import Made, SampleInput


@activity.defn(name="sample.prepare")
async def prepare(request: SampleInput) -> list[int]:
    """Return the numbers to make. Idempotent: pure."""
    progress(1, of=1, message="prepared")
    return list(range(request.items))


@activity.defn(name="sample.make")
@emit_on_complete("sample.made", payload=lambda _number, made: made, compact=True)
async def make(number: int) -> Made:
    """Make one. Idempotent by number."""
    progress(1, of=2, message="half")
    return Made(number=number)


@activity.defn(name="sample.undo")
async def undo(number: int) -> None:
    """Undo one. Idempotent by number."""
