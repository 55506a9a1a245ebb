"""A lookup of a run in Temporal is shared, and survives cancelled callers."""

import asyncio
import gc
from typing import Any, cast

from signalbox_core.errors import Unavailable
from signalbox_core.streams import RunStream
from signalbox_gateway.runs.lookup import RunReader, unknown_run
from signalbox_gateway.runs.pending_starts import PendingStart, PendingStarts
from signalbox_gateway.runs.temporal import TemporalRuns


class UnavailableStarts:
    """Fails once `failing` is set."""

    def __init__(self) -> None:
        self.failing = asyncio.Event()

    async def find(self, _run_id: str) -> PendingStart | None:
        await self.failing.wait()
        raise Unavailable("Redis does not respond")


async def test_a_failed_lookup_of_a_cancelled_caller_is_not_reported() -> None:
    starts, reported = UnavailableStarts(), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    states = RunReader(cast(RunStream, None), cast(TemporalRuns, None), {}, cast(PendingStarts, starts))
    caller = asyncio.create_task(states.snapshot_from_temporal("run-1"))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])

    starts.failing.set()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait(others)
    del caller, others
    gc.collect()

    assert [context["message"] for context in reported] == []


def test_the_name_of_a_pipeline_in_place_of_a_run_is_refused_with_the_remedy() -> None:
    assert (
        "to start a run of it, send its input to POST /v1/runs"
        in unknown_run("ai_task", is_pipeline=True).detail
    )
    assert unknown_run("run-1").detail == "there is no run run-1; GET /v1/runs lists yours"
