"""Event subscriptions: how a message is read as an event, and files that are refused."""

from pathlib import Path
from typing import Any

import pytest

from signalbox_core.errors import InvalidInput
from signalbox_gateway.runs.inbound.subscribed_events import SubscribedEvents, read_subscriptions

BASE = {"subscription": "shop", "tenant": "acme", "sender": "the shop"}


def subscribed(**members: Any) -> SubscribedEvents:
    return SubscribedEvents(**{**BASE, "event": "order.placed", **members})


def test_the_attributes_that_the_file_names_become_event_key_and_run() -> None:
    found = subscribed(
        event=None,
        event_attribute="ce-type",
        event_id_attribute="ce-id",
        key_attribute="ce-subject",
        run_attribute="run",
    )
    attributes = {"ce-type": "dev.signalbox.payment.settled.v1", "ce-id": "e-1", "ce-subject": "4711"}

    event, run_id = found.read(b'{"amount": 1}', attributes, "m-1")
    _, named = found.read(b"{}", {**attributes, "run": "r-1"}, "m-1")

    assert (event.name, event.event_id, event.key, bytes(event.data)) == (
        "payment.settled",
        "e-1",
        "4711",
        b'{"amount": 1}',
    )
    assert event.sender is not None
    assert (event.sender.subject, event.sender.kind) == ("subscription:shop", "service")
    assert (run_id, named) == (None, "r-1")


def test_without_an_attribute_the_id_of_the_message_identifies_the_event() -> None:
    event, _ = subscribed().read(b"{}", {}, "m-1")

    assert (event.name, event.event_id, event.key) == ("order.placed", "m-1", None)


def test_a_long_event_id_is_shortened_to_one_of_its_own() -> None:
    found = subscribed(event_id_attribute="id")

    ids = [found.read(b"{}", {"id": text * 300}, "m")[0].event_id for text in ("a", "b", "a")]

    assert ids[0] == ids[2] != ids[1]
    assert max(map(len, ids)) <= 200


def test_an_event_of_another_tenant_is_refused() -> None:
    found = subscribed()

    with pytest.raises(InvalidInput, match="check the filter of subscription shop") as refused:
        found.read(b"{}", {"ce-tenantid": "globex"}, "m-1")

    assert refused.value.field == "ce-tenantid"
    assert found.read(b"{}", {"ce-tenantid": "acme"}, "m-1")[0].name == "order.placed"


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000])
def test_data_that_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="not JSON"):
        subscribed().read(data, {}, "m-1")


def test_a_message_without_a_named_attribute_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no attribute 'id'"):
        subscribed(event_id_attribute="id").read(b"{}", {}, "m-1")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param("{", "event subscriptions", id="not json"),
        pytest.param('{"subscriptions": [{"subscription": "a"}]}', "tenant", id="incomplete"),
        pytest.param(
            '{"subscriptions": [{"subscription": "a", "tenant": "t", "sender": "s"}]}',
            "event_attribute",
            id="no event",
        ),
        pytest.param(
            '{"subscriptions": [%s, %s]}'
            % (('{"subscription": "a", "tenant": "t", "sender": "s", "event": "a.b"}',) * 2),
            "there twice",
            id="twice",
        ),
    ],
)
def test_a_file_that_cannot_be_used_names_the_reason(content: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "subscriptions.json"
    file.write_text(content)

    with pytest.raises(InvalidInput, match=reason) as caught:
        read_subscriptions(str(file))

    assert caught.value.field == "SIGNALBOX_GATEWAY_EVENT_SUBSCRIPTIONS_FILE"


def test_without_a_file_there_are_no_subscriptions(tmp_path: Path) -> None:
    assert read_subscriptions(None) == ()
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_subscriptions(str(tmp_path / "missing.json"))
