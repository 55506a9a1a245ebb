"""The functions for activity authors, outside a worker."""

import msgspec
import pytest
from msgspec import Struct
from temporalio import activity

from signalbox_core.pipeline.activity.progress import (
    current_target,
    emissions_of,
    emit_on_complete,
    payload_of,
    progress,
)
from signalbox_core.pipeline.contract.step_header import StepCall, read_step_call, to_payload
from signalbox_core.temporal.names import HEADER_CALL


class Made(Struct, frozen=True, kw_only=True):
    number: int
    note: str | None = None
    tags: tuple[str, ...] = ()
    inner: "Made | None" = None


class Target:
    def __init__(self) -> None:
        self.reports: list[tuple[float, float | None, str | None, str | None]] = []

    def report(self, done: float, of: float | None, message: str | None, text: str | None) -> None:
        self.reports.append((done, of, message, text))

    def restart(self, attempt: int) -> None:
        self.reports.append((attempt, None, "restart", None))


def test_progress_outside_a_worker_does_nothing() -> None:
    progress(1, of=2)


def test_progress_is_reported_for_the_current_activity() -> None:
    target = Target()
    token = current_target.set(target)
    progress(1, of=2, message="half")
    current_target.reset(token)

    assert target.reports == [(1, 2, "half", None)]


@pytest.mark.parametrize("outermost", [True, False], ids=["above", "below"])
def test_the_decorators_work_in_either_order(outermost: bool) -> None:
    async def work(number: int) -> Made:
        return Made(number=number)

    marks = [activity.defn(name="x"), emit_on_complete("sample.made")]
    for mark in marks if outermost else reversed(marks):
        work = mark(work)

    assert [emission.name for emission in emissions_of(work)] == ["sample.made"]


def test_an_activity_may_emit_several_events() -> None:
    @emit_on_complete("a.made")
    @emit_on_complete("b.made")
    def work() -> None: ...

    assert {emission.name for emission in emissions_of(work)} == {"a.made", "b.made"}


def test_compact_leaves_out_empty_members() -> None:
    @emit_on_complete("a.made", compact=True)
    @emit_on_complete("a.made")
    def work() -> None: ...

    full, compact = emissions_of(work)
    made = Made(number=0, inner=Made(number=1))

    assert msgspec.json.decode(payload_of(full, None, made))["tags"] == []
    assert msgspec.json.decode(payload_of(compact, None, made)) == {"number": 0, "inner": {"number": 1}}


def test_the_payload_function_gets_argument_and_result() -> None:
    @emit_on_complete("a.made", payload=lambda number, made: Made(number=number + made.number))
    def work() -> None: ...

    assert bytes(payload_of(emissions_of(work)[0], 1, Made(number=2))).startswith(b'{"number":3')


def test_a_result_that_is_not_a_struct_needs_a_payload_function() -> None:
    @emit_on_complete("a.made")
    def work() -> None: ...

    with pytest.raises(TypeError, match="give emit_on_complete a payload function"):
        payload_of(emissions_of(work)[0], 1, "text")


def test_a_step_call_round_trips_through_the_header() -> None:
    call = StepCall(tenant="acme", step="work", index=3, total=25)

    assert read_step_call({HEADER_CALL: to_payload(call)}) == call
    assert read_step_call({}) is None
