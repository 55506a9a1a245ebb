"""The state machine of deliveries, with time as an argument, including random sequences of steps."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.backlog import SubscriptionBacklog
from signalbox_devstack.emulators.pubsub.deliveries import Consumer, Delivery, StoredMessage
from signalbox_devstack.emulators.pubsub.delivery_policy import DeliveryPolicy
from signalbox_devstack.emulators.pubsub.errors import PubsubError


class BacklogHarness:
    """DeliveryEffects that are only noted."""

    def __init__(self, policy: DeliveryPolicy) -> None:
        self.finished_numbers: list[int] = []
        self.dead: list[int] = []
        self.backlog = SubscriptionBacklog(policy, self)

    def finished(self, message: StoredMessage) -> None:
        self.finished_numbers.append(message.number)

    def failed(self, delivery: Delivery) -> None: ...

    def dead_letter(self, delivery: Delivery) -> bool:
        self.dead.append(delivery.number)
        return True

    def add(self, number: int, key: str = "") -> None:
        message = wire.PubsubMessage()
        message.ordering_key = key
        self.backlog.add(StoredMessage(number, "t", 0.0, message, 10))

    def consumer(self, **limits: int) -> Consumer:
        consumer = Consumer(wake=lambda: None, **limits)
        self.backlog.consumers.add(consumer)
        return consumer

    def take(self, consumer: Consumer, now: float = 0.0, limit: int = 100) -> list[int]:
        return [delivery.number for delivery in self.backlog.take(consumer, now, limit)]

    def ack_ids(self, consumer: Consumer, now: float = 0.0) -> dict[int, str]:
        return {each.number: self.backlog.ack_id(each) for each in self.backlog.take(consumer, now)}


ORDERED = DeliveryPolicy(ordered=True)


def test_an_expired_lease_makes_the_message_ready_again() -> None:
    world = BacklogHarness(DeliveryPolicy())
    consumer = world.consumer()
    world.add(1)
    assert world.take(consumer, now=0.0) == [1]
    assert world.take(consumer, now=9.9) == []

    world.backlog.tick(10.0)

    assert world.take(consumer, now=10.0) == [1]


def test_a_lease_can_be_extended_or_shortened() -> None:
    world = BacklogHarness(DeliveryPolicy())
    consumer = world.consumer()
    world.add(1)
    (ack_id,) = world.ack_ids(consumer).values()
    world.backlog.extend(ack_id, 100, now=5.0)
    world.backlog.tick(50.0)
    assert world.take(consumer, now=50.0) == []
    world.backlog.extend(ack_id, 1, now=50.0)

    world.backlog.tick(51.0)

    assert world.take(consumer, now=51.0) == [1]


def test_a_failed_message_waits_with_exponential_backoff() -> None:
    world = BacklogHarness(DeliveryPolicy(backoff_s=(1.0, 4.0)))
    consumer, now, waits = world.consumer(), 0.0, []
    world.add(1)
    for _ in range(4):
        (ack_id,) = world.ack_ids(consumer, now).values()
        world.backlog.extend(ack_id, 0, now)
        assert world.take(consumer, now) == []
        at_s = world.backlog.deadlines.next_at()
        assert at_s is not None
        waits.append(at_s - now)
        now = at_s
        world.backlog.tick(now)

    assert waits == [1.0, 2.0, 4.0, 4.0]


def test_deadlines_of_settled_messages_are_removed() -> None:
    world = BacklogHarness(DeliveryPolicy())
    consumer = world.consumer()
    for number in range(5_000):
        world.add(number)
        (ack_id,) = world.ack_ids(consumer).values()
        world.backlog.acknowledge(ack_id)

    assert len(world.backlog.deadlines._heap) <= 1_001
    assert world.backlog.deadlines.next_at() is None


def test_a_malformed_acknowledgement_id_is_rejected() -> None:
    with pytest.raises(PubsubError):
        BacklogHarness(DeliveryPolicy()).backlog.acknowledge("nonsense")


def test_an_acknowledgement_id_of_an_earlier_process_is_late() -> None:
    world = BacklogHarness(DeliveryPolicy(exactly_once=True))
    world.add(1)
    world.take(world.consumer())

    assert world.backlog.acknowledge("0-1-1") is False


def test_an_acknowledgement_id_from_before_a_seek_is_late() -> None:
    world = BacklogHarness(DeliveryPolicy(exactly_once=True))
    world.add(1)
    consumer = world.consumer()
    (before,) = world.ack_ids(consumer).values()
    world.backlog.replace([delivery.message for delivery in world.backlog.deliveries.values()])
    (after,) = world.ack_ids(consumer).values()

    assert world.backlog.acknowledge(before) is False
    assert world.backlog.acknowledge(after) is True


def test_with_exactly_once_an_acknowledgement_is_final_regardless_of_earlier_messages() -> None:
    world = BacklogHarness(DeliveryPolicy(ordered=True, exactly_once=True))
    consumer = world.consumer()
    world.add(1, "k")
    world.add(2, "k")
    ids = world.ack_ids(consumer)

    world.backlog.acknowledge(ids[2])
    world.backlog.extend(ids[1], 0, now=0.0)

    assert world.finished_numbers == [2]
    assert world.take(consumer) == [1]


def test_a_consumer_without_room_does_not_block_a_free_key() -> None:
    world = BacklogHarness(ORDERED)
    first, second = world.consumer(max_messages=1), world.consumer()
    world.add(1, "a")
    world.add(2, "b")
    assert world.take(first) == [1]

    assert world.take(second) == [2]


def test_a_key_of_a_removed_consumer_moves_on_when_its_lease_ends() -> None:
    world = BacklogHarness(ORDERED)
    first, second = world.consumer(), world.consumer()
    world.add(1, "k")
    assert world.take(first) == [1]
    world.add(2, "k")
    world.backlog.remove_consumer(first)
    assert world.take(second) == []

    world.backlog.tick(10.0)

    assert world.take(second, now=10.0) == [1, 2]


def test_an_abandoned_pull_returns_messages_in_order_without_a_failure() -> None:
    world = BacklogHarness(DeliveryPolicy(ordered=True, max_attempts=1))
    consumer = world.consumer()
    for number in range(3):
        world.add(number, "k")
    taken = world.backlog.take(consumer, 0.0)

    world.backlog.return_unseen(taken)

    assert world.take(world.consumer()) == [0, 1, 2]
    assert world.dead == []


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 2)),
        st.tuples(st.just("take"), st.integers(0, 1)),
        st.tuples(st.sampled_from(["ack", "nack", "late"]), st.integers(0, 30)),
        st.tuples(st.just("time"), st.integers(1, 12)),
        st.tuples(st.just("remove_consumer"), st.integers(0, 1)),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, backoff=st.sampled_from([None, (3.0, 10.0)]))
def test_no_random_sequence_loses_messages_or_breaks_the_order_of_a_key(
    steps: list[tuple[str, int]], backoff: tuple[float, float] | None
) -> None:
    story = Story(backoff)
    for step, value in steps:
        story.play(step, value)

    finish_everything(story.world, story.now)

    assert sorted(story.world.finished_numbers) == list(range(story.added))
    assert all(consumer.messages == 0 for consumer in story.consumers)


class Story:
    """Plays random steps: two consumers, three keys (one of them none), acknowledgement ids fresh and old."""

    def __init__(self, backoff: tuple[float, float] | None) -> None:
        self.world = BacklogHarness(DeliveryPolicy(ordered=True, backoff_s=backoff))
        self.consumers = [self.world.consumer(max_messages=3), self.world.consumer()]
        self.added = 0
        self.now = 0.0
        self.out: list[str] = []
        self.old: list[str] = []

    def play(self, step: str, value: int) -> None:
        if step == "add":
            self.world.add(self.added, f"k{value}" if value else "")
            self.added += 1
        elif step == "take":
            self.out += self.world.ack_ids(self.consumers[value], self.now).values()
        elif step == "time":
            self.now += value
            self.world.backlog.tick(self.now)
        elif step == "remove_consumer":
            self.world.backlog.remove_consumer(self.consumers[value])
            self.consumers[value] = self.world.consumer()
        else:
            self.settle(step, value)

    def settle(self, step: str, value: int) -> None:
        if step != "late" and self.out:
            self.old.append(self.out.pop(value % len(self.out)))
        if self.old and step == "ack":
            self.world.backlog.acknowledge(self.old[-1])
        elif self.old:
            self.world.backlog.extend(self.old[value % len(self.old) if step == "late" else -1], 0, self.now)


def finish_everything(world: BacklogHarness, now: float) -> None:
    """A last consumer takes and acknowledges until nothing is left; within a key only ever upwards."""
    last = world.consumer()
    for _ in range(300):
        now += 10.0
        world.backlog.tick(now)
        taken = world.backlog.take(last, now)
        order = defaultdict[str, list[int]](list)
        for delivery in taken:
            order[delivery.message.wire.ordering_key].append(delivery.number)
        assert all(numbers == sorted(numbers) for key, numbers in order.items() if key)
        for delivery in taken:
            world.backlog.acknowledge(world.backlog.ack_id(delivery))
        if not world.backlog.deliveries:
            return
    raise AssertionError(f"left over: {sorted(world.backlog.deliveries)}")
