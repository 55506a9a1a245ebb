"""Messages in flight: order within a key, leases, and the effect of a failure on the following messages."""

import asyncio
from datetime import UTC, datetime
from functools import partial

import pytest

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.pubsub.ack_batcher import AckBatcher
from signalbox_core.pubsub.dispatch import DispatchOutcome, PulledMessage, Received, dispatch
from signalbox_core.pubsub.inflight import InflightMessages, SubscriberLimits
from signalbox_core.pubsub.messages import to_message
from support.fakes.events import story

EVENTS = story()


async def a_turn_of_the_loop() -> None: ...


class Bench:
    """InflightMessages with a handler that records its calls and fails as configured."""

    def __init__(self, concurrency: int = 16) -> None:
        self.batcher = AckBatcher()
        self.seen: list[str] = []
        self.running = 0
        self.most_running = 0
        self.failures: dict[str, list[Exception]] = {}
        self.outcomes: list[DispatchOutcome] = []
        self.inflight = InflightMessages(
            partial(dispatch, self.handler, timeout_s=60),
            self.batcher,
            limits=SubscriberLimits(concurrency=concurrency),
            observe=self.outcomes.append,
        )

    async def handler(self, received: Received) -> None:
        self.seen.append(received.message_id)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await asyncio.create_task(a_turn_of_the_loop())
        self.running -= 1
        if failures := self.failures.get(received.message_id):
            raise failures.pop(0)

    def accept(
        self,
        message_id: str,
        tasks: asyncio.TaskGroup,
        *,
        key: str = "k",
        is_ordered: bool = True,
        ack_id: str = "",
    ) -> None:
        message = to_message(EVENTS[0])
        delivered = PulledMessage(
            data=message.data,
            attributes=message.attributes,
            message_id=message_id,
            ordering_key=key,
            delivery_attempt=1,
            published_at=datetime.now(UTC),
        )
        self.inflight.add(delivered, ack_id or f"ack-{message_id}", is_ordered=is_ordered, tasks=tasks)

    def sent(self) -> tuple[list[str], dict[str, int]]:
        """Acknowledged ids, and lease changes."""
        request = self.batcher.next_request()
        if request is None:
            return [], {}
        return list(request.ack_ids), dict(
            zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=True)
        )


async def test_messages_of_a_key_are_handled_one_at_a_time_in_order() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as tasks:
        for n in range(10):
            bench.accept(str(n), tasks)

    assert bench.seen == [str(n) for n in range(10)]
    assert bench.most_running == 1
    assert bench.sent()[0] == [f"ack-{n}" for n in range(10)]


async def test_different_keys_are_handled_at_the_same_time_within_the_limit() -> None:
    bench = Bench(concurrency=3)
    async with asyncio.TaskGroup() as tasks:
        for n in range(10):
            bench.accept(str(n), tasks, key=f"k{n}")

    assert bench.most_running == 3
    assert len(bench.seen) == 10


async def test_a_failure_drops_later_messages_of_its_key_for_redelivery() -> None:
    bench = Bench()
    bench.failures["1"] = [Unavailable("unavailable")]
    async with asyncio.TaskGroup() as tasks:
        for n in range(3):
            bench.accept(str(n), tasks)

    assert bench.seen == ["0", "1"]
    assert bench.sent() == (["ack-0"], {"ack-1": 0})
    assert bench.outcomes == [DispatchOutcome.HANDLED, DispatchOutcome.RETRIED]


async def test_what_was_on_the_way_when_the_key_failed_waits_for_the_failed_message() -> None:
    bench = Bench()
    bench.failures["1"] = [Unavailable("unavailable")]
    async with asyncio.TaskGroup() as tasks:
        bench.accept("1", tasks)
    async with asyncio.TaskGroup() as tasks:
        bench.accept("2", tasks)
        bench.accept("1", tasks, ack_id="again-1")
        bench.accept("2", tasks, ack_id="again-2")

    assert bench.seen == ["1", "1", "2"]
    assert bench.sent() == (["again-1", "again-2"], {"ack-1": 0, "ack-2": 0})


async def test_without_ordering_a_failure_concerns_its_own_message_only() -> None:
    bench = Bench()
    bench.failures["1"] = [Unavailable("unavailable")]
    async with asyncio.TaskGroup() as tasks:
        for n in range(3):
            bench.accept(str(n), tasks, is_ordered=False)

    assert sorted(bench.sent()[0]) == ["ack-0", "ack-2"]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        pytest.param(InvalidInput("wrong"), DispatchOutcome.REJECTED, id="rejected is acknowledged"),
        pytest.param(Unavailable("unavailable"), DispatchOutcome.RETRIED, id="unavailable is redelivered"),
        pytest.param(ValueError("bug"), DispatchOutcome.RETRIED, id="a bug is redelivered"),
        pytest.param(TimeoutError(), DispatchOutcome.RETRIED, id="a timeout is redelivered"),
    ],
)
async def test_the_error_class_determines_redelivery(error: Exception, outcome: DispatchOutcome) -> None:
    bench = Bench()
    bench.failures["1"] = [error]
    async with asyncio.TaskGroup() as tasks:
        bench.accept("1", tasks)

    assert bench.outcomes == [outcome]
    assert bench.sent() == ((["ack-1"], {}) if outcome.is_final else ([], {"ack-1": 0}))


async def test_a_redelivery_of_a_message_in_flight_renews_its_ack_id_and_is_not_handled_twice() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as tasks:
        bench.accept("1", tasks, ack_id="old")
        bench.accept("1", tasks, ack_id="new")

    assert bench.seen == ["1"]
    assert bench.sent()[0] == ["new"]


async def test_messages_in_flight_are_released_at_shutdown() -> None:
    bench = Bench()

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            bench.accept("1", tasks)
            bench.accept("2", tasks)
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await run()
    bench.inflight.release_all()

    assert bench.sent() == ([], {"ack-1": 0, "ack-2": 0})


async def test_leases_of_messages_in_flight_are_extended() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as tasks:
        bench.accept("1", tasks)
        bench.accept("2", tasks)
        bench.inflight.extend_leases(60)
        assert bench.sent() == ([], {"ack-1": 60, "ack-2": 60})


async def test_reading_pauses_at_the_limit_of_messages_in_flight() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as tasks:
        bench.accept("1", tasks)
        waiting = asyncio.create_task(bench.inflight.wait_for_capacity(1))
        await asyncio.create_task(a_turn_of_the_loop())
        assert not waiting.done()
    await waiting


def test_one_request_carries_at_most_a_thousand_ids() -> None:
    batcher = AckBatcher()
    for n in range(2_500):
        batcher.acknowledge(str(n))

    sizes = []
    while request := batcher.next_request():
        sizes.append(len(request.ack_ids))

    assert sizes == [1_000, 1_000, 500]


def test_an_acknowledgement_outranks_a_lease_extension() -> None:
    batcher = AckBatcher()
    batcher.modify_deadline("a", 60)
    batcher.acknowledge("a")

    request = batcher.next_request()

    assert request is not None
    assert (list(request.ack_ids), list(request.modify_deadline_ack_ids)) == (["a"], [])
