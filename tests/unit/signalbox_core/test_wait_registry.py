"""What a run waits for: matching, early events, duplicates, limits, continue-as-new."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline import ExternalEvent, PipelineSpec, Secret, Step
from signalbox_core.pipeline.contract.external_event import (
    MAX_DATA_BYTES,
    MAX_KEPT,
    InboundEvent,
    MailboxAddress,
    MailboxWait,
    check_event_data,
    check_key,
)
from signalbox_core.pipeline.workflow.external.wait_registry import LeftMailbox, OpenWait, WaitRegistry

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    amount: int


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    token: Secret


PAYMENT = ExternalEvent(name="payment.settled", title="the payment", data=Settled, keep=timedelta(hours=1))
PARCEL = ExternalEvent(name="parcel.dispatched", title="the carrier", data=Settled)


def event(event_id: str, *, name: str = PAYMENT.name, key: str | None = None) -> InboundEvent:
    return InboundEvent(name=name, event_id=event_id, data=msgspec.Raw(b'{"amount":1}'), key=key)


def wait(wait_id: str, *, key: str | None = None, of: ExternalEvent[Settled] = PAYMENT) -> OpenWait:
    return OpenWait(wait_id, of, key, NOW + timedelta(days=1))


def test_an_event_ends_the_first_wait_of_its_name_and_key() -> None:
    registry, other, mine, later = WaitRegistry("run-1"), wait("w1", key="a"), wait("w2", key="b"), wait("w3")
    for each in (other, mine, later):
        registry.open(each, NOW)

    record = registry.accept(event("e1", key="b"), NOW)

    assert (record.status, record.run_id, record.wait_id) == ("received", "run-1", "w2")
    assert [each.received is not None for each in (other, mine, later)] == [False, True, False]


def test_an_event_without_a_key_ends_a_wait_with_one() -> None:
    registry, keyed = WaitRegistry("run-1"), wait("w1", key="a")
    registry.open(keyed, NOW)

    assert registry.accept(event("e1"), NOW).status == "received"


def test_early_events_end_later_waits_in_their_order_and_are_duplicates_from_the_first_moment() -> None:
    registry, first, second = WaitRegistry("run-1"), wait("w1"), wait("w2")
    statuses = [registry.accept(event(name), NOW).status for name in ("e1", "e2", "e1")]
    registry.open(first, NOW)
    registry.open(second, NOW)

    assert statuses == ["kept", "kept", "duplicate"]
    assert [each.received.event_id for each in (first, second) if each.received] == ["e1", "e2"]
    duplicate = registry.find_duplicate(event("e2"))
    assert duplicate is not None
    assert duplicate.wait_id == "w2"


def test_the_same_id_of_another_name_is_another_event() -> None:
    registry = WaitRegistry("run-1")
    registry.accept(event("e1"), NOW)

    assert registry.accept(event("e1", name=PARCEL.name), NOW).status == "kept"


def test_an_early_event_is_forgotten_after_its_time() -> None:
    registry, late = WaitRegistry("run-1"), wait("w1")
    registry.accept(event("e1"), NOW)

    registry.open(late, NOW + timedelta(hours=2))

    assert late.received is None


def test_a_run_keeps_a_limited_number_of_events_and_still_receives_what_it_waits_for() -> None:
    registry = WaitRegistry("run-1")
    for number in range(MAX_KEPT):
        registry.accept(event(f"e{number}"), NOW)
    registry.open(wait("w1", of=PARCEL), NOW)

    assert registry.accept(event("late"), NOW).status == "refused"
    assert registry.accept(event("parcel", name=PARCEL.name), NOW).status == "received"
    assert registry.find_duplicate(event("late")) is None


def test_the_next_execution_takes_over_early_events_and_duplicates() -> None:
    registry, restored, resumed = WaitRegistry("run-1"), WaitRegistry("run-1"), wait("w2")
    registry.open(wait("w1"), NOW)
    for name in ("e1", "e2"):
        registry.accept(event(name), NOW)

    restored.restore(registry.carried())
    restored.open(resumed, NOW)

    assert resumed.received is not None
    assert resumed.received.event_id == "e2"
    assert restored.accept(event("e1"), NOW).status == "duplicate"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        pytest.param(b'{"amount":"x"}', "data.amount", id="wrong type"),
        pytest.param(b"{}", "data", id="missing"),
        pytest.param(b"nonsense", "data", id="not JSON"),
        pytest.param(b"[" * 60_000, "data", id="nested"),
        pytest.param(b'"' + b"x" * MAX_DATA_BYTES + b'"', "data", id="too large"),
    ],
)
def test_data_that_the_contract_does_not_allow_is_refused_with_its_field(data: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_event_data(PAYMENT, msgspec.Raw(data))

    assert (refused.value.stable_code, refused.value.field) == ("invalid_event", field)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb"], ids=["empty", "long", "control"])
def test_a_key_that_cannot_be_shown_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="printable"):
        check_key(key)


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        pytest.param((PAYMENT, PAYMENT), "declared twice", id="twice"),
        pytest.param(
            (ExternalEvent(name="payment", title="t", data=Settled),), "lower case and dotted", id="name"
        ),
        pytest.param(
            (ExternalEvent(name="payment.settled", title="t", data=Hidden),), "holds a Secret", id="secret"
        ),
    ],
)
def test_a_contract_refuses_an_external_event_that_cannot_work(
    events: tuple[ExternalEvent[Settled], ...], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        PipelineSpec(
            name="orders",
            title="Orders",
            input=Settled,
            result=Settled,
            steps=(Step("pay", "Pay"),),
            workflow="orders.workflow:Orders",
            external_events=events,
        )


def test_an_event_that_its_wait_did_not_return_ends_another_wait_or_is_kept() -> None:
    registry, first, second = WaitRegistry("run-1"), wait("w1"), wait("w2")
    registry.open(first, NOW)
    registry.accept(event("e1"), NOW)
    assert registry.unreturned == (first,)

    assert registry.give_back(first, NOW) is None
    registry.open(second, NOW)
    assert second.received == first.received
    third = wait("w3")
    registry.open(third, NOW)

    assert registry.give_back(second, NOW) is third
    assert third.received == first.received
    duplicate = registry.find_duplicate(event("e1"))
    assert duplicate is not None
    assert duplicate.wait_id == "w3"


def test_events_that_no_wait_returned_keep_their_order_for_the_next_execution() -> None:
    registry, following = WaitRegistry("run-1"), WaitRegistry("run-1")
    for wait_id in ("w1", "w2"):
        registry.open(wait(wait_id), NOW)
    for name in ("e1", "e2", "e3"):
        registry.accept(event(name), NOW)

    registry.give_all_back(NOW)
    following.restore(registry.carried())

    waits = [wait(wait_id) for wait_id in ("w3", "w4", "w5")]
    for each in waits:
        following.open(each, NOW)
    assert [each.received.event_id for each in waits if each.received] == ["e1", "e2", "e3"]


def test_what_a_mailbox_has_forwarded_is_taken_out_unless_a_wait_has_returned_it() -> None:
    registry = WaitRegistry("run-1")
    forwarded = [replace(event(name, key="a"), wait_id=f"w-{name}") for name in ("e1", "e2")]
    registry.open(wait("w-e1", key="a"), NOW)
    for each in (*forwarded, event("own")):
        registry.accept(each, NOW)
    had_unreceived = registry.has_unreceived

    assert registry.take_unreceived() == tuple(forwarded)

    assert (had_unreceived, registry.has_unreceived) == (True, False)
    assert registry.take_unreceived() == ()
    assert [item.event.event_id for item in registry.carried().kept] == ["own"]


def test_the_next_execution_returns_what_was_on_its_way_to_its_mailbox() -> None:
    registry, following = WaitRegistry("run-1"), WaitRegistry("run-1")
    registry.returning.append(event("e1", key="a"))

    following.restore(registry.carried())

    assert following.take_carried_returns() == (event("e1", key="a"),)
    assert following.take_carried_returns() == ()


def test_the_next_execution_informs_the_mailboxes_that_are_left() -> None:
    address = MailboxAddress(tenant="acme", pipeline="p", name=PAYMENT.name, key="a", keep_s=60)
    left, done = (
        LeftMailbox(address=address, wait=MailboxWait(workflow_id="run-1", wait_id=wait_id, expires_at=NOW))
        for wait_id in ("w1", "w2")
    )
    registry, following = WaitRegistry("run-1"), WaitRegistry("run-1")
    for each in (left, done):
        registry.leave(each)
    registry.mark_left(done)

    following.restore(registry.carried())

    assert following.leaving == (left,)
