"""From the subscription to the stream."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.pubsub import Handler, Received
from signalbox_core.streams import AppendOutcome
from signalbox_core.testing.spans import SpanRecorder
from signalbox_core.testing.streams import FakeRunStream
from signalbox_core.topology import PROJECTOR, SUBSCRIPTIONS
from signalbox_core.traces import TraceContext, Tracing
from signalbox_gateway.background.projector import PROJECTOR_LIMITS, Projector
from signalbox_gateway.background.reconciler import GAP_GRACE
from support.assertions.eventually import eventually
from support.fakes.events import story

MILESTONES = [event for event in story() if event.sequence is not None]


class Subscription:
    """An EventSource that delivers what it was given, in that order."""

    def __init__(self, *events: CloudEvent) -> None:
        self._events = events

    async def run(self, handler: Handler) -> None:
        for event in self._events:
            await handler(received(event))


async def projected(*events: CloudEvent) -> FakeRunStream:
    streams = FakeRunStream()
    await Projector(Subscription(*events), streams).run()
    return streams


async def test_events_that_come_again_or_in_disorder_are_in_the_stream_once_and_in_order() -> None:
    order = [0, 2, 2, 1, 0, 3, 5, 4, 6, 7, 8, 8]
    streams = await projected(*(MILESTONES[place] for place in order))
    history = await streams.read("acme:run-1", None)
    assert [frame.sequence for frame in history.frames] == list(range(1, 10))


async def test_an_unreadable_event_leaves_a_placeholder_and_the_later_ones_go_on() -> None:
    wrong = replace(MILESTONES[1], data=msgspec.Raw(b'{"step": 7}'))
    streams = await projected(MILESTONES[0], wrong, *MILESTONES[2:])
    history = await streams.read("acme:run-1", None)
    names = [frame.name for frame in history.frames]
    assert (names[1], len(names), history.ended) == ("event.refused", 9, True)
    assert b"step.started" in history.frames[1].data


async def test_an_unreadable_end_does_not_end_the_stream() -> None:
    wrong = replace(MILESTONES[8], data=msgspec.Raw(b"7"))
    streams = await projected(*MILESTONES[:8], wrong)
    assert not (await streams.read("acme:run-1", None)).ended


@pytest.mark.parametrize("sequence", [0, 2**53, 2**63, 10**30])
async def test_an_event_that_has_no_place_at_all_is_refused(sequence: int) -> None:
    with pytest.raises(InvalidInput):
        await projected(replace(MILESTONES[1], sequence=sequence))


async def test_an_event_of_another_tenant_is_not_in_the_stream_of_a_run_of_the_same_id() -> None:
    streams = await projected(MILESTONES[0], replace(MILESTONES[1], tenantid="evil"))
    assert [frame.name for frame in (await streams.read("acme:run-1", None)).frames] == ["run.started"]


async def test_an_event_without_a_sequence_is_left_alone() -> None:
    streams = await projected(replace(MILESTONES[0], sequence=None))
    assert await streams.snapshot("acme:run-1") is None


class HeldStream(FakeRunStream):
    """A stream whose first round trip waits for `release`."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.release = asyncio.Event()

    async def append_missing(self, events: Sequence[CloudEvent]) -> list[AppendOutcome | SignalboxError]:
        self.sizes.append(len(events))
        await self.release.wait()
        return await super().append_missing(events)


def started(number: int) -> Received:
    return received(story(f"run-{number}")[0])


def received(event: CloudEvent) -> Received:
    return Received(
        event=event,
        message_id="m",
        ordering_key=event.runid,
        delivery_attempt=1,
        published_at=datetime.now(UTC),
    )


async def test_events_that_arrive_during_a_round_trip_share_the_next_one() -> None:
    streams = HeldStream()
    projector = Projector(Subscription(), streams, group_interval_s=0)
    async with asyncio.TaskGroup() as group:
        for number in range(9):
            group.create_task(projector.project(started(number)))
        await eventually(lambda: streams.sizes == [1])
        streams.release.set()
    assert streams.sizes == [1, 8]
    assert len(await streams.open_runs("acme", 20)) == 9


async def test_events_that_arrive_within_the_interval_share_a_round_trip() -> None:
    streams = HeldStream()
    streams.release.set()
    projector = Projector(Subscription(), streams)
    await asyncio.gather(*(projector.project(started(number)) for number in range(9)))
    assert streams.sizes == [9]


async def test_an_interrupted_round_trip_leaves_the_other_events_for_redelivery() -> None:
    streams = HeldStream()
    projector = Projector(Subscription(), streams, group_interval_s=0)
    first = asyncio.create_task(projector.project(started(1)))
    await eventually(lambda: streams.sizes == [1])
    second, third = (asyncio.create_task(projector.project(started(number))) for number in (2, 3))
    first.cancel()
    await eventually(lambda: streams.sizes == [1, 2])
    second.cancel()
    with pytest.raises(Unavailable):
        await third


def test_a_gap_is_repaired_only_after_the_events_of_a_killed_gateway_were_redelivered() -> None:
    (subscription,) = [item for item in SUBSCRIPTIONS if item.name == PROJECTOR]
    assert subscription.backoff is not None
    assert timedelta(seconds=PROJECTOR_LIMITS.lease_s) + subscription.backoff[0] < GAP_GRACE


async def test_a_group_of_events_is_one_span_of_each_run() -> None:
    recorder, trace = SpanRecorder(), TraceContext("a" * 32, "b" * 16, True)
    projector = Projector(Subscription(), FakeRunStream(), tracing=Tracing(recorder), group_interval_s=0.01)
    traced = [replace(event, traceparent=trace.traceparent) for event in MILESTONES]
    child = replace(traced[0], runid="run-2")
    async with asyncio.TaskGroup() as group:
        for event in (*traced, child, replace(child, runid="run-3", traceparent=None)):
            group.create_task(projector.project(received(event)))

    assert {(span.name, span.parent, span.error) for span in recorder.spans} == {
        ("process projector", trace, None)
    }
    found = {
        span.attributes["signalbox.run_id"]: span.attributes["signalbox.events"] for span in recorder.spans
    }
    assert found == {"run-1": len(MILESTONES), "run-2": 1}
