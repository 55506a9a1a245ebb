"""Grouping of events into requests, and the result that each caller receives."""

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.errors import SignalboxError, Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.events.envelope import EventResult
from signalbox_worker.event_batches import BUSY_INTERVAL_S, MAX_BATCH_EVENTS, MAX_REQUESTS, EventBatcher
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.post_client import PostClient
from signalbox_worker.receiver_client import DeliveryRefused, DeliveryTimedOut, ReceiverClient
from support.assertions.eventually import eventually
from support.drivers.signed_requests import URL, signer_and_key
from support.fakes.events import story

PROGRESS = next(event for event in story() if event.sequence is None)
Answer = Callable[[Sequence[CloudEvent]], Sequence[EventResult]]


class HeldReceiver(ReceiverClient):
    """A receiver whose responses wait for `release`; `answers` are used first."""

    def __init__(self) -> None:
        signer, _ = signer_and_key()
        super().__init__(PostClient(URL), URL, signer, WorkerMetrics())
        self.requests: list[list[CloudEvent]] = []
        self.answers: list[Answer | SignalboxError] = []
        self.release = asyncio.Event()

    async def post(self, body: bytes, content_type: str) -> tuple[EventResult, ...]:
        decoded = msgspec.json.decode(body, type=CloudEvent | list[CloudEvent])
        events = decoded if isinstance(decoded, list) else [decoded]
        assert ("batch" in content_type) == isinstance(decoded, list)
        self.requests.append(events)
        await self.release.wait()
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, SignalboxError):
            raise answer
        return tuple(answer(events)) if answer else ()

    @property
    def runs(self) -> list[list[str]]:
        return [[event.runid for event in events] for events in self.requests]


def started(number: int, tenant: str = "acme") -> CloudEvent:
    return story(f"run-{number}", tenant)[0]


@pytest.fixture
def receiver() -> HeldReceiver:
    return HeldReceiver()


async def deliver_all(receiver: HeldReceiver, groups: Sequence[Sequence[CloudEvent]]) -> list[object]:
    """Deliver the groups in one tick of the loop, and release all responses."""
    receiver.release.set()
    batcher = EventBatcher(receiver)
    return await asyncio.gather(*(batcher.deliver(group) for group in groups), return_exceptions=True)


async def test_what_is_delivered_together_shares_a_request(receiver: HeldReceiver) -> None:
    assert await deliver_all(receiver, [[started(number)] for number in range(9)]) == [None] * 9
    assert receiver.runs == [[f"run-{number}" for number in range(9)]]


async def test_what_waits_for_its_turn_shares_the_next_request(receiver: HeldReceiver) -> None:
    batcher = EventBatcher(receiver)
    tasks: list[asyncio.Task[None]] = []
    for number in range(MAX_REQUESTS):
        tasks.append(asyncio.create_task(batcher.deliver([started(number)])))
        await eventually(lambda: len(receiver.requests) == len(tasks))
    tasks += [asyncio.create_task(batcher.deliver([started(100 + number)])) for number in range(20)]
    receiver.release.set()
    await asyncio.gather(*tasks)
    assert len(receiver.requests) == MAX_REQUESTS + 1


async def test_a_request_holds_a_hundred_events_and_one_group_of_a_run(receiver: HeldReceiver) -> None:
    many = [replace(started(1), id=f"e{number}", sequence=number) for number in range(1, 80)]
    groups = [many, [started(2)], [started(1)], *([[started(n)] for n in range(3, 40)])]
    await deliver_all(receiver, groups)
    assert [len(events) for events in receiver.requests] == [MAX_BATCH_EVENTS, 18]
    assert receiver.runs[0][79:81] == ["run-2", "run-3"]
    assert receiver.runs[1][0] == "run-1"


async def test_tenants_and_progress_have_requests_of_their_own(receiver: HeldReceiver) -> None:
    receiver.release.set()
    batcher = EventBatcher(receiver)
    events = [started(1), started(2), started(3, "other"), PROGRESS]
    await asyncio.gather(*(batcher.deliver([event], can_wait=True) for event in events))
    assert sorted(map(sorted, receiver.runs)) == [["run-1"], ["run-1", "run-2"], ["run-3"]]


async def test_each_caller_has_the_result_of_its_run(receiver: HeldReceiver) -> None:
    receiver.answers = [
        lambda events: [
            EventResult(status=422, code="invalid_input")
            if event.runid == "run-2"
            else EventResult(status=503, code="publish_unavailable")
            if event.runid == "run-3"
            else EventResult(status=202)
            for event in events
        ],
    ]
    groups = [[started(number), replace(started(number), id="second", sequence=2)] for number in range(5)]
    results = await deliver_all(receiver, groups)
    assert [type(result) for result in results] == [
        type(None),
        type(None),
        DeliveryRefused,
        Unavailable,
        type(None),
    ]


async def test_a_response_without_every_result_leaves_the_rest_to_be_sent_again(
    receiver: HeldReceiver,
) -> None:
    receiver.answers = [lambda _: [EventResult(status=202)]]
    results = await deliver_all(receiver, [[started(number)] for number in range(2)])
    assert [type(result) for result in results] == [type(None), Unavailable]


async def test_a_receiver_that_takes_one_run_at_a_time_gets_them_one_by_one(receiver: HeldReceiver) -> None:
    receiver.answers = [DeliveryRefused("one run at a time")]
    assert await deliver_all(receiver, [[started(number)] for number in range(3)]) == [None] * 3
    assert receiver.runs == [["run-0", "run-1", "run-2"], ["run-0"], ["run-1"], ["run-2"]]


async def test_runs_of_a_request_that_timed_out_are_sent_alone_afterwards(receiver: HeldReceiver) -> None:
    receiver.answers = [DeliveryTimedOut("no response")]
    receiver.release.set()
    batcher = EventBatcher(receiver)
    groups = [[started(number)] for number in range(3)]
    for group in await asyncio.gather(*map(batcher.deliver, groups[:2]), return_exceptions=True):
        assert isinstance(group, DeliveryTimedOut)
    await asyncio.gather(*map(batcher.deliver, [*groups, [started(3)]]))
    assert receiver.runs == [["run-0", "run-1"], ["run-0"], ["run-1"], ["run-2", "run-3"]]


async def test_a_delivery_that_is_awaited_takes_along_what_waits_for_company(receiver: HeldReceiver) -> None:
    receiver.release.set()
    batcher = EventBatcher(receiver)
    patient = [asyncio.create_task(batcher.deliver([started(n)], can_wait=True)) for n in range(5)]
    await asyncio.sleep(0)
    await batcher.deliver([started(9)])
    await asyncio.gather(*patient)
    assert receiver.runs == [["run-0", "run-1", "run-2", "run-3", "run-4", "run-9"]]


async def test_the_events_of_a_cancelled_caller_are_not_sent(receiver: HeldReceiver) -> None:
    receiver.release.set()
    batcher = EventBatcher(receiver)
    first = asyncio.create_task(batcher.deliver([started(1)], can_wait=True))
    second = asyncio.create_task(batcher.deliver([started(2)], can_wait=True))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert receiver.runs == [["run-2"]]


async def test_after_a_shared_request_events_wait_longer_for_company(receiver: HeldReceiver) -> None:
    receiver.release.set()
    batcher = EventBatcher(receiver)
    began = time.monotonic()
    await asyncio.gather(*(batcher.deliver([started(n)]) for n in range(2)))
    await batcher.deliver([started(2)], can_wait=True)
    # A lower bound, which a busy machine cannot break.
    assert time.monotonic() - began >= BUSY_INTERVAL_S
    assert receiver.runs == [["run-0", "run-1"], ["run-2"]]
