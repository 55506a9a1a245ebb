"""The mailbox of a business key: matching, duplicates, limits, expiry, and its next execution."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox_core.pipeline.contract.external_event import (
    MAX_KEPT,
    MAX_MAILBOX_WAITS,
    InboundEvent,
    MailboxContent,
    MailboxWait,
    ReturnedEvent,
)
from signalbox_core.pipeline.workflow.external.mailbox_state import MailboxState

NOW = datetime(2030, 1, 1, tzinfo=UTC)
KEEP = timedelta(days=1)
EMPTY = MailboxContent(name="payment.settled", key="4711", keep_s=KEEP.total_seconds())


def event(event_id: str, *, delivery: str = "d", size: int = 2) -> InboundEvent:
    data = msgspec.Raw(b'"' + b"x" * (size - 2) + b'"')
    return InboundEvent(name="payment.settled", event_id=event_id, data=data, delivery_id=delivery)


def wait(run: str, *, lasts: timedelta = KEEP) -> MailboxWait:
    return MailboxWait(workflow_id=f"acme:{run}", wait_id="payment.settled", expires_at=NOW + lasts)


def returned(event_id: str, run: str) -> ReturnedEvent:
    forwarded = msgspec.structs.replace(event(event_id), wait_id="payment.settled")
    return ReturnedEvent(event=forwarded, workflow_id=f"acme:{run}")


def status_of(state: MailboxState, event_id: str, delivery: str = "d") -> str | None:
    record = state.outcome(event_id, delivery)
    return record.status if record is not None else None


def test_the_oldest_event_goes_to_the_wait_that_began_first() -> None:
    state = MailboxState(EMPTY)
    for run in ("a", "b"):
        state.add_wait(wait(run))
    for event_id in ("e1", "e2"):
        state.add_event(event(event_id), NOW)

    first = state.next_match()
    assert first == (event("e1"), wait("a"))
    state.settle(*first, NOW)

    assert state.next_match() == (event("e2"), wait("b"))
    record = state.outcome("e1", "d")
    assert record is not None
    assert (record.status, record.run_id, record.wait_id) == ("received", "a", "payment.settled")


def test_an_event_is_kept_until_a_wait_comes_and_has_no_outcome_while_it_is_forwarded() -> None:
    state = MailboxState(EMPTY)
    state.add_event(event("e1"), NOW)
    assert status_of(state, "e1") == "kept"

    state.add_wait(wait("a"))

    assert status_of(state, "e1") is None


def test_another_delivery_of_the_same_event_is_a_duplicate_before_and_after_it_is_received() -> None:
    state = MailboxState(EMPTY)
    state.add_event(event("e1"), NOW)
    state.add_event(event("e1", delivery="again"), NOW)
    assert status_of(state, "e1", "again") == "duplicate"

    state.settle(event("e1"), wait("a"), NOW)
    state.add_event(event("e1", delivery="third"), NOW)

    assert state.next_match() is None
    assert status_of(state, "e1", "third") == "duplicate"


@pytest.mark.parametrize(("count", "size"), [(MAX_KEPT, 2), (4, 64 * 1024)], ids=["events", "bytes"])
def test_a_full_mailbox_refuses_an_event_until_there_is_room(count: int, size: int) -> None:
    state = MailboxState(EMPTY)
    for number in range(count):
        state.add_event(event(f"e{number}", size=size), NOW)

    state.add_event(event("late"), NOW)
    assert status_of(state, "late") == "refused"
    state.settle(event("e0", size=size), wait("a"), NOW)
    state.add_event(event("late", delivery="again"), NOW)

    assert status_of(state, "late", "again") == "kept"


def test_every_sender_learns_that_a_full_mailbox_has_refused_its_event() -> None:
    state = MailboxState(EMPTY)
    for number in range(MAX_KEPT):
        state.add_event(event(f"e{number}"), NOW)
    for event_id in ("late", "later"):
        state.add_event(event(event_id, delivery=event_id), NOW)

    for known in (state, MailboxState(state.content())):
        assert [status_of(known, event_id, event_id) for event_id in ("late", "later")] == ["refused"] * 2
        assert status_of(known, "later", "other") is None


def test_an_event_that_a_run_returns_goes_to_the_next_wait() -> None:
    state = MailboxState(EMPTY)
    for name in ("a", "b"):
        state.add_wait(wait(name))
    for event_id in ("e1", "e2"):
        state.add_event(event(event_id), NOW)
    state.settle(event("e1"), wait("a"), NOW)

    state.take_back(returned("e1", "a"), NOW)
    assert state.next_match() == (event("e1"), wait("b"))
    state.settle(event("e1"), wait("b"), NOW)
    state.take_back(returned("e1", "a"), NOW)

    assert status_of(state, "e1") == "received"
    assert status_of(state, "e2") == "kept"


def test_an_event_may_be_returned_before_the_mailbox_knows_that_it_was_forwarded() -> None:
    state = MailboxState(EMPTY)
    state.add_wait(wait("a"))
    state.add_event(event("e1"), NOW)

    state.take_back(returned("e1", "a"), NOW)
    state.settle(event("e1"), wait("a"), NOW)

    assert status_of(state, "e1") == "kept"
    state.add_wait(wait("b"))
    assert state.next_match() == (event("e1"), wait("b"))


def test_a_mailbox_that_has_forgotten_an_event_keeps_it_when_it_is_returned() -> None:
    state = MailboxState(EMPTY)

    state.take_back(returned("e1", "a"), NOW)

    assert status_of(state, "e1") == "kept"


def test_a_wait_that_is_entered_twice_counts_once_and_can_be_left() -> None:
    state = MailboxState(EMPTY)
    state.add_wait(wait("a"))
    state.add_wait(wait("a"))
    state.remove_wait(wait("a"))
    state.add_event(event("e1"), NOW)

    assert state.next_match() is None


def test_a_full_mailbox_has_room_only_for_a_wait_that_it_has_until_one_ends() -> None:
    state = MailboxState(EMPTY)
    for number in range(MAX_MAILBOX_WAITS):
        assert not state.lacks_room_for(wait(f"r{number}"))
        state.add_wait(wait(f"r{number}", lasts=timedelta(hours=1 if number == 7 else 2)))

    assert state.lacks_room_for(wait("late"))
    assert not state.lacks_room_for(wait("r1", lasts=timedelta(hours=2)))
    state.expire(NOW + timedelta(hours=1))
    assert not state.lacks_room_for(wait("late"))


def test_waits_events_and_memories_expire_and_then_the_mailbox_is_empty() -> None:
    state = MailboxState(EMPTY)
    state.add_wait(wait("a", lasts=timedelta(hours=1)))
    assert state.next_expiry() == NOW + timedelta(hours=1)
    state.expire(NOW + timedelta(hours=1))
    state.add_event(event("e1"), NOW)
    state.settle(event("e2"), wait("b"), NOW)
    assert state.next_expiry() == NOW + KEEP

    state.expire(NOW + KEEP)

    assert state.next_expiry() is None
    assert state.content() == EMPTY


@given(
    st.lists(
        st.tuples(st.sampled_from(["event", "wait", "match", "restart"]), st.integers(0, 5)), max_size=60
    )
)
def test_in_any_order_no_event_is_received_twice_and_no_wait_gets_two(steps: list[tuple[str, int]]) -> None:
    state = MailboxState(EMPTY)
    received: list[tuple[str, str]] = []
    for step, number in steps:
        if step == "event":
            state.add_event(event(f"e{number}"), NOW)
        elif step == "wait" and f"acme:r{number}" not in [run for _, run in received]:
            state.add_wait(wait(f"r{number}"))
        elif step == "match" and (match := state.next_match()) is not None:
            state.settle(*match, NOW)
            received.append((match[0].event_id, match[1].workflow_id))
        elif step == "restart":
            state = MailboxState(state.content())

    assert len({event_id for event_id, _ in received}) == len(received)
    assert len({run for _, run in received}) == len(received)


class Course:
    """What happens to a mailbox whose events runs return, at once or later, perhaps twice."""

    def __init__(self) -> None:
        self.state = MailboxState(EMPTY)
        self.sent: set[str] = set()
        self.received: dict[str, MailboxWait] = {}
        self._returned: list[ReturnedEvent] = []

    def send(self, number: int) -> None:
        self.sent.add(f"e{number}")
        self.state.add_event(event(f"e{number}"), NOW)

    def wait(self, number: int) -> None:
        wait_id = f"w{len(self._returned)}-{len(self.received)}"
        self.state.add_wait(msgspec.structs.replace(wait(f"r{number}"), wait_id=wait_id))

    def forward(self, _: int = 0) -> None:
        if (match := self.state.next_match()) is not None:
            assert match[0].event_id not in self.received
            self.received[match[0].event_id] = match[1]
            self.state.settle(*match, NOW)

    def forward_to_an_ended_wait(self, _: int) -> None:
        if (match := self.state.next_match()) is not None:
            self._give_back(match[0].event_id, match[1])
            self.state.settle(*match, NOW)

    def give_back(self, _: int) -> None:
        if self.received:
            self._give_back(*self.received.popitem())

    def give_back_again(self, number: int) -> None:
        for known in self._returned[number : number + 1]:
            self.state.take_back(known, NOW)

    def restart(self, _: int) -> None:
        self.state = MailboxState(self.state.content())

    def _give_back(self, event_id: str, ended: MailboxWait) -> None:
        forwarded = msgspec.structs.replace(event(event_id), wait_id=ended.wait_id)
        self._returned.append(ReturnedEvent(event=forwarded, workflow_id=ended.workflow_id))
        self.state.take_back(self._returned[-1], NOW)


MOVES = (
    Course.send,
    Course.wait,
    Course.forward,
    Course.forward_to_an_ended_wait,
    Course.give_back,
    Course.give_back_again,
    Course.restart,
)


@given(st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 3)), max_size=60))
def test_in_any_order_no_event_that_a_run_returns_is_lost_or_received_twice(
    moves: list[tuple[Callable[[Course, int], None], int]],
) -> None:
    course = Course()
    for move, number in moves:
        move(course, number)
    while course.state.next_match() is not None:
        course.forward()

    kept = {event_id for event_id in course.sent if status_of(course.state, event_id) == "kept"}
    assert kept == course.sent - set(course.received)
