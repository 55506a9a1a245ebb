"""The trace of a run in Temporal: activities, messages, events, children; nothing twice on replay."""

from collections.abc import Callable
from typing import Any

import pytest
from temporalio.client import Client

from signalbox_core.ids import run_id_of
from signalbox_core.testing.pipeline import pipeline_under_test, replay
from signalbox_core.testing.spans import SpanRecorder
from signalbox_core.traces import TraceContext, Tracing
from signalbox_core.traces.context import use_context
from support.sample.contract import SPEC, Pick, SampleInput
from support.shipping.activities import file_parcel
from support.shipping.contract import DISPATCHED, PAYMENT, Dispatched, PaymentSettled, ShippingInput
from support.shipping.contract import SPEC as SHIPPING

START = TraceContext("a" * 32, "b" * 16, True)
DECISION = TraceContext("c" * 32, "d" * 16, True)
SampleActivities = list[Callable[..., Any]]


async def test_activities_and_events_are_in_the_trace_of_the_start(
    client: Client, sample_activities: SampleActivities
) -> None:
    recorder = SpanRecorder()
    async with pipeline_under_test(
        SPEC, activities=sample_activities, client=client, tracing=Tracing(recorder)
    ) as pipeline:
        with use_context(START):
            run = await pipeline.start(SampleInput(items=2))
        await run.result()

        assert recorder.names(START.trace_id) == ["activity sample.prepare", *["activity sample.make"] * 2]
        first = recorder.spans[0]
        assert (first.parent, first.error) == (START, None)
        assert first.attributes == {
            "signalbox.run_id": run_id_of(run.handle.id),
            "signalbox.tenant": "acme",
            "signalbox.step": "prepare",
            "signalbox.attempt": 1,
            "temporal.task_queue": pipeline.task_queue,
        }
        milestones = [event for event in run.events() if event.sequence is not None]
        assert {event.traceparent for event in milestones} == {START.traceparent}
        assert (await run.snapshot()).trace_id == START.trace_id


async def test_a_run_without_a_trace_has_no_spans(
    client: Client, sample_activities: SampleActivities
) -> None:
    recorder = SpanRecorder()
    async with pipeline_under_test(
        SPEC, activities=sample_activities, client=client, tracing=Tracing(recorder)
    ) as pipeline:
        run = await pipeline.start(SampleInput(items=1))
        await run.result()
        assert recorder.spans == []
        assert {event.traceparent for event in run.events()} == {None}


@pytest.mark.parametrize("cached", [pytest.param(1_000, id="cached"), pytest.param(1, id="evicted")])
async def test_a_decision_of_days_later_is_a_link_and_a_replay_records_nothing(
    client: Client, sample_activities: SampleActivities, cached: int
) -> None:
    recorder = SpanRecorder()
    async with pipeline_under_test(
        SPEC,
        activities=sample_activities,
        client=client,
        tracing=Tracing(recorder),
        max_cached_workflows=cached,
    ) as pipeline:
        with use_context(START):
            runs = [await pipeline.start(SampleInput(items=2, ask=True)) for _ in range(3)]
        for run in runs:
            await run.approval("pick")
        with use_context(DECISION):
            for run in runs:
                await run.decide("pick", Pick(number=1))
        for run in runs:
            await run.result()

        linked = [span for span in recorder.spans if span.links]
        assert {span.links for span in linked} == {(DECISION,)}
        assert {span.context.trace_id for span in linked} == {START.trace_id}
        # A repeated workflow task records a message again, with the id that it had before.
        assert len({span.context.span_id for span in linked}) == 3
        assert {span.name for span in linked} == {"update decide"}

        before = len(recorder.spans)
        for run in runs:
            await replay(SPEC, await run.handle.fetch_history(), tracing=Tracing(recorder))
        assert len(recorder.spans) == before


async def test_a_run_keeps_its_trace_over_continue_as_new(
    client: Client, sample_activities: SampleActivities
) -> None:
    recorder = SpanRecorder()
    async with pipeline_under_test(
        SPEC, activities=sample_activities, client=client, tracing=Tracing(recorder)
    ) as pipeline:
        with use_context(START):
            run = await pipeline.start(SampleInput(items=1, rounds=2))
        await run.result()
        assert recorder.names(START.trace_id).count("activity sample.prepare") == 3
        assert {event.traceparent for event in run.events() if event.sequence} == {START.traceparent}


async def test_an_event_by_key_is_linked_to_the_run_that_received_it(client: Client) -> None:
    recorder = SpanRecorder()
    async with pipeline_under_test(
        SHIPPING, activities=[file_parcel], client=client, tracing=Tracing(recorder)
    ) as pipeline:
        order = f"order-{START.span_id}-{id(recorder)}"
        with use_context(START):
            run = await pipeline.start(ShippingInput(order=order))
        await run.wait("payment.settled")
        with use_context(DECISION):
            await pipeline.send_event(PAYMENT, PaymentSettled(amount=4_200), key=order)
            await run.send_event(DISPATCHED, Dispatched(parcel="P1"))
        await run.result()

        links = {span.name: span.links for span in recorder.spans if span.name.startswith("event ")}
        assert links == {"event payment.settled": (DECISION,), "event parcel.dispatched": (DECISION,)}
        assert {span.context.trace_id for span in recorder.spans if span.name.startswith("event ")} == {
            START.trace_id
        }
