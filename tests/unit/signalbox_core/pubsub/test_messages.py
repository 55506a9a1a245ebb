"""Events as Pub/Sub messages and back, in binary mode."""

from datetime import UTC, datetime

import msgspec
import pytest

from signalbox_core.errors import InvalidInput
from signalbox_core.events.envelope import MAX_EVENT_BYTES, CloudEvent
from signalbox_core.pubsub import from_message, to_message
from support.fakes.events import story

EVENT = CloudEvent(
    id="e-1",
    source="/signalbox/worker",
    type="dev.signalbox.step.completed.v1",
    time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    subject="run-1",
    tenantid="acme",
    runid="run-1",
    sequence=7,
    stepid="render",
    data=msgspec.Raw(b'{"step":"render"}'),
)


def test_attributes_are_the_event_and_the_body_is_its_data() -> None:
    message = to_message(EVENT)

    assert message.data == b'{"step":"render"}'
    assert message.attributes == {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "e-1",
        "ce-source": "/signalbox/worker",
        "ce-type": "dev.signalbox.step.completed.v1",
        "ce-time": "2026-01-02T03:04:05Z",
        "ce-subject": "run-1",
        "ce-tenantid": "acme",
        "ce-runid": "run-1",
        "ce-sequence": "7",
        "ce-stepid": "render",
    }


@pytest.mark.parametrize("event", story(), ids=lambda event: f"{event.name}-{event.sequence}")
def test_every_event_survives_a_round_trip(event: CloudEvent) -> None:
    message = to_message(event)

    back = from_message(message.data, message.attributes)

    assert (bytes(back.data), msgspec.structs.replace(back, data=event.data)) == (bytes(event.data), event)


def test_foreign_attributes_are_ignored() -> None:
    message = to_message(EVENT)
    marks = {"CloudPubSubDeadLetterSourceSubscription": "projector", "ce-unknown": "x", "googclient_x": "y"}

    assert from_message(message.data, {**message.attributes, **marks}).id == EVENT.id


@pytest.mark.parametrize(
    ("change", "data"),
    [
        pytest.param({"ce-id": None}, b"{}", id="no id"),
        pytest.param({"ce-time": "yesterday"}, b"{}", id="bad time"),
        pytest.param({"ce-sequence": "seven"}, b"{}", id="bad sequence"),
        pytest.param({"ce-specversion": "0.3"}, b"{}", id="other version"),
        pytest.param({}, b"not json", id="not JSON"),
        pytest.param({}, b"\xff", id="not UTF-8"),
        pytest.param({}, b"[" * 100_000, id="deep nesting"),
    ],
)
def test_an_invalid_event_is_invalid_input(change: dict[str, str | None], data: bytes) -> None:
    attributes = {
        name: text for name, text in {**to_message(EVENT).attributes, **change}.items() if text is not None
    }

    with pytest.raises(InvalidInput, match="not a CloudEvent"):
        from_message(data, attributes)


def test_an_attribute_beyond_pubsubs_limit_is_named() -> None:
    with pytest.raises(InvalidInput, match="ce-subject") as refused:
        to_message(msgspec.structs.replace(EVENT, subject="s" * 1025))
    assert refused.value.field == "ce-subject"


def test_an_event_above_the_size_limit_is_refused_with_a_hint_to_use_a_reference() -> None:
    body = msgspec.Raw(b'"' + b"x" * MAX_EVENT_BYTES + b'"')
    with pytest.raises(InvalidInput, match="object store"):
        to_message(msgspec.structs.replace(EVENT, data=body))


@pytest.mark.parametrize("member", ["sequence", "attempt"])
@pytest.mark.parametrize("number", [2**53, 2**64, 10**30, -(2**53)])
def test_a_number_beyond_53_bits_is_refused(member: str, number: int) -> None:
    message = to_message(EVENT)
    with pytest.raises(InvalidInput, match="not a CloudEvent"):
        from_message(message.data, {**message.attributes, f"ce-{member}": str(number)})
