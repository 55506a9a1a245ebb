"""The mailbox of a business key: matching, duplicates, limits, expiry, and its next execution."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox_core.pipeline.contract.external_event import (
    MAX_KEPT,
    InboundEvent,
    MailboxContent,
    MailboxWait,
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


def test_a_wait_that_is_entered_twice_counts_once_and_can_be_left() -> None:
    state = MailboxState(EMPTY)
    state.add_wait(wait("a"))
    state.add_wait(wait("a"))
    state.remove_wait(wait("a"))
    state.add_event(event("e1"), NOW)

    assert state.next_match() is None


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
