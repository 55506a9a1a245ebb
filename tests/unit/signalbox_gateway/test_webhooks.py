"""Webhooks: how a body is read as an event, and files that are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_gateway.runs.inbound.webhooks import Webhook, follow_webhooks, load_webhooks

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BASE = {"name": "acme-payments", "tenant": "acme", "sender": "the bank", "secret_file": "secret"}


def webhook(**members: Any) -> Webhook:
    return Webhook(**{**BASE, "event": "payment.settled", **members})


def write(folder: Path, *webhooks: dict[str, object], secret: str = SECRET) -> Path:
    (folder / "secret").write_text(secret)
    path = folder / "webhooks.json"
    path.write_text(json.dumps({"webhooks": webhooks}))
    return path


def test_the_members_that_the_file_names_become_event_data_key_and_run() -> None:
    found = webhook(
        event=None,
        events={"invoice.paid": "payment.settled"},
        data_member="data.object",
        key_member="data.object.order",
        run_member="meta.run",
    )
    body = b'{"type":"invoice.paid","data":{"object":{"order":4711,"rate":1.10}},"meta":{"run":"r-1"}}'

    read = found.read(body, "msg-1")

    assert read is not None
    event, run_id = read
    assert (event.name, event.key, run_id) == ("payment.settled", "4711", "r-1")
    assert bytes(event.data) == b'{"order":4711,"rate":1.10}'
    assert event.sender is not None
    assert (event.sender.subject, event.sender.kind) == ("webhook:acme-payments", "service")


def test_without_members_the_event_is_fixed_and_has_neither_key_nor_run() -> None:
    read = webhook(data_member=None).read(b' {"amount": 1}', "msg-1")

    assert read is not None
    event, run_id = read
    assert (event.name, bytes(event.data), event.key, run_id) == (
        "payment.settled",
        b' {"amount": 1}',
        None,
        None,
    )


@pytest.mark.parametrize("order", [b"null", b'""'])
def test_an_empty_key_counts_as_none(order: bytes) -> None:
    read = webhook(key_member="order").read(b'{"data":{},"order":' + order + b"}", "msg-1")

    assert read is not None
    assert read[0].key is None


def test_equal_message_ids_of_different_senders_are_different_events() -> None:
    senders = ("the bank", "the shop", "the bank")

    reads = [webhook(sender=sender).read(b'{"data":{}}', "msg-1") for sender in senders]

    ids = [read[0].event_id for read in reads if read is not None]
    assert ids[0] == ids[2] != ids[1]


def test_a_type_that_is_not_configured_is_ignored() -> None:
    found = webhook(event=None, events={"invoice.paid": "payment.settled"})
    assert found.read(b'{"type":"invoice.created","data":{}}', "msg-1") is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"data":{}}', "type"),
        (b'{"type":["a"],"data":{}}', "type"),
        (b'{"type":"paid"}', "data.object"),
        (b'{"type":"paid","data":[]}', "data.object"),
        (b'{"type":"paid","data":{"object":{"order":{}}}}', "data.object.order"),
        (b'{"type":"paid","data":{"object":{"order":true}}}', "data.object.order"),
        (b"[]", "body"),
        (b"7", "body"),
    ],
)
def test_a_body_without_what_is_configured_is_refused_by_field(body: bytes, field: str) -> None:
    found = webhook(
        event=None,
        events={"paid": "payment.settled"},
        data_member="data.object",
        key_member="data.object.order",
    )
    with pytest.raises(InvalidInput) as caught:
        found.read(body, "msg-1")
    assert caught.value.field == field


@pytest.mark.parametrize("body", [b"", b"{", b'{"data":\xff}', b"[" * 5000])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        webhook().read(body, "msg-1")
    assert caught.value.stable_code == "bad_json"


@pytest.mark.parametrize(
    ("webhooks", "problem"),
    [
        ([{**BASE}], "give one of `event` and `events`"),
        ([{**BASE, "event": "a.b", "events": {"a": "b.c"}}], "give one of `event` and `events`"),
        ([{**BASE, "events": {}}], "length >= 1"),
        ([{**BASE, "event": "a.b", "name": "Acme Pay"}], "matching regex"),
        ([{**BASE, "event": "a.b", "colour": "red"}], "unknown field `colour`"),
        ([{**BASE, "event": "a.b", "tolerance_s": 0}], ">= 1"),
        ([{**BASE, "event": "a.b"}] * 2, "the webhook 'acme-payments' is there twice"),
        ([{**BASE, "event": "a.b", "secret_file": "none"}], "cannot read the secret file"),
    ],
)
def test_a_file_that_cannot_work_is_refused(
    tmp_path: Path, webhooks: list[dict[str, object]], problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem) as caught:
        load_webhooks(write(tmp_path, *webhooks))
    assert caught.value.field == "SIGNALBOX_GATEWAY_WEBHOOKS_FILE"


def test_a_file_is_read_again_until_the_secrets_that_it_names_are_there(tmp_path: Path) -> None:
    path = write(tmp_path, {**BASE, "event": "a.b"})
    followed = follow_webhooks(str(path))
    assert followed is not None
    write(tmp_path, {**BASE, "event": "a.b"}, {**BASE, "event": "a.b", "name": "shop", "secret_file": "late"})
    assert not followed.reload()
    assert followed.error is not None

    (tmp_path / "late").write_text(SECRET)

    assert followed.reload()
    assert set(followed.value.by_name) == {"acme-payments", "shop"}


def test_a_weak_secret_is_refused_and_never_shown(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="whsec_ and the base64 of 24 random bytes") as caught:
        load_webhooks(write(tmp_path, {**BASE, "event": "a.b"}, secret="whsec_c2hvcnQ="))
    assert "c2hvcnQ" not in caught.value.detail


def test_without_a_file_there_are_no_webhooks_and_an_unreadable_one_is_named(tmp_path: Path) -> None:
    assert follow_webhooks(None) is None
    with pytest.raises(InvalidInput, match=r"none\.json: cannot be read"):
        follow_webhooks(str(tmp_path / "none.json"))


def test_secrets_are_read_at_every_use_and_a_broken_file_makes_the_webhook_unavailable(
    tmp_path: Path,
) -> None:
    webhooks = load_webhooks(write(tmp_path, {**BASE, "event": "a.b"}))
    found = webhooks.by_name["acme-payments"]
    assert len(webhooks.secrets_of(found)) == 1

    (tmp_path / "secret").write_text(f"{SECRET}\n{SECRET}")
    assert len(webhooks.secrets_of(found)) == 2
    for broken in ("", "whsec_c2hvcnQ="):
        (tmp_path / "secret").write_text(broken)
        with pytest.raises(Unavailable, match="the secret file"):
            webhooks.secrets_of(found)
