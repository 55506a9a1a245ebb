"""Activities that sleep."""

import asyncio

from temporalio import activity

from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.scaling.hints import Hints


class Activities:
    def __init__(self, deps: ActivityDeps) -> None:
        self._hints = Hints(deps.redis)

    @activity.defn(name="nap.rest")
    async def rest(self, seconds: float) -> int:
        """Sleep and return the attempt number. Idempotent: changes nothing."""
        await asyncio.sleep(seconds)
        return activity.info().attempt

    @activity.defn(name="nap.hint")
    async def hint(self, remaining: int, in_flight: int) -> None:
        """Publish a hint. Idempotent: the latest hint counts."""
        info = activity.info()
        await self._hints.publish(
            info.task_queue, info.workflow_id or "", remaining=remaining, max_in_flight=in_flight
        )
