"""The activity of both arms."""

from temporalio import activity


@activity.defn(name="rate.nothing")
async def nothing(number: int) -> int:
    """Idempotent: pure."""
    return number
