"""The activity of both Temporal arms."""

from temporalio import activity


@activity.defn(name="chain.nothing")
async def nothing(number: int) -> int:
    """Idempotent: pure."""
    return number
