"""A lookup of a run in Temporal is shared, and survives cancelled callers."""

import asyncio
import gc
from typing import Any, cast

import pytest
from msgspec import Struct

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import Unavailable
from signalbox_core.streams import RunStream
from signalbox_core.subjects import Subject
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.runs.lookup import RunReader, unknown_run
from signalbox_gateway.runs.pending_starts import PendingStart, PendingStarts
from signalbox_gateway.runs.starts.start_request import StartRequest
from signalbox_gateway.runs.temporal import TemporalRuns
from support.fakes.echo_pipeline import SPEC, EchoInput

OPERATOR = Principal(
    key_id="key-1",
    name="lan",
    tenant="acme",
    roles=frozenset({Role.OPERATOR}),
    subject=Subject(subject="key:key-1", kind="human"),
)


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


async def test_the_stream_of_a_run_that_was_just_started_begins_without_a_lookup() -> None:
    starts, seconds = UnavailableStarts(), iter((0.0, 1.9, 2.0))
    starts.failing.set()
    states = RunReader(
        cast(RunStream, None),
        cast(TemporalRuns, None),
        {},
        cast(PendingStarts, starts),
        clock=lambda: next(seconds),
    )
    given = EchoInput(text="hi")
    request = StartRequest[Struct](
        run_id="run-1", pipeline="echo", input=given, tenant="acme", started_by="lan", digest="d", tags=("a",)
    )

    states.remember_start(request, SPEC)

    await states.check(OPERATOR, "run-1")
    snapshot = await states.first_snapshot("acme:run-1")
    assert snapshot is not None
    assert (snapshot.status, snapshot.sequence, snapshot.started_by) == ("running", 0, "lan")
    assert [step.name for step in snapshot.steps] == [step.name for step in SPEC.steps]
    assert snapshot.tags == ("a",)
    with pytest.raises(Unavailable):
        await states.first_snapshot("acme:run-1")


def test_the_name_of_a_pipeline_in_place_of_a_run_is_refused_with_the_remedy() -> None:
    assert (
        "to start a run of it, send its input to POST /v1/runs"
        in unknown_run("ai_task", is_pipeline=True).detail
    )
    assert unknown_run("run-1").detail == "there is no run run-1; GET /v1/runs lists yours"
