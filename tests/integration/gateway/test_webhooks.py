"""Webhooks that the reference library of Standard Webhooks signs: starts, waits, duplicates, refusals."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook

from signalbox_core.ids import derived_id
from signalbox_core.testing.pipeline import PipelineUnderTest
from signalbox_gateway.api.inbound.webhooks import MAX_WEBHOOK_BYTES
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.runs.inbound.webhooks import follow_webhooks
from support.assertions.eventually import eventually
from support.drivers.api_calls import ended
from support.servers import backends
from support.servers.gateway import PATIENCE, client_of, gateway_parts
from support.shipping.contract import SPEC
from support.shipping.orders import new_order

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDX2fsLtC3G+E="
BANK = "/v1/webhooks/acme-bank"
SHARED = {"sender": "the bank", "key_member": "data.order", "run_member": "data.run"}
WEBHOOKS = [
    {
        "name": "acme-bank",
        "tenant": "acme",
        "secret_file": "secret",
        "events": {
            "invoice.paid": "payment.settled",
            "parcel.left": "parcel.dispatched",
            "order.created": "order.placed",
            "order.lost": "order.lost",
        },
        **SHARED,
    },
    {
        "name": "acme-market",
        "tenant": "acme",
        "secret_file": "secret",
        "event": "order.placed",
        **SHARED,
        "sender": "the market",
    },
    {"name": "other-bank", "tenant": "other", "secret_file": "secret", "event": "payment.settled", **SHARED},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(SECRET)
    path = tmp_path / "webhooks.json"
    write(path, WEBHOOKS)
    return path


def write(path: Path, webhooks: list[dict[str, object]]) -> None:
    path.write_text(json.dumps({"webhooks": webhooks}))


@pytest.fixture
def webhook_parts(shipping_parts: Parts, file: Path) -> Parts:
    return replace(shipping_parts, webhooks=follow_webhooks(str(file)))


@pytest.fixture
async def bank(webhook_parts: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    """A caller without credentials of Signalbox."""
    async with client_of(Gateway(webhook_parts, deadline=PATIENCE).app(), None) as client:
        yield client


def signed(body: bytes, message_id: str, *, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    stamp = int(at if at is not None else time.time())
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": Webhook(secret).sign(
            message_id, datetime.fromtimestamp(stamp, UTC), body.decode()
        ),
    }


def run_id_of(message_id: str, sender: str = "the bank") -> str:
    """The id of the run that the webhook starts."""
    return SPEC.starts[0].run_id(SPEC.name, derived_id(sender, message_id), None)


async def send(
    bank: httpx2.AsyncClient,
    kind: str,
    message_id: str,
    *,
    path: str = BANK,
    secret: str = SECRET,
    **data: object,
) -> httpx2.Response:
    body = json.dumps({"type": kind, "timestamp": "2026-11-30T00:00:00Z", "data": data}).encode()
    return await bank.post(path, content=body, headers=signed(body, message_id, secret=secret))


async def waiting(api: httpx2.AsyncClient, order: str) -> str:
    body = {"pipeline": "shipping", "input": {"order": order}}
    run_id = str((await api.post("/v1/runs", json=body)).json()["run_id"])

    async def waits() -> object:
        return (await api.get(f"/v1/runs/{run_id}")).json()["waits"]

    await eventually(waits, within_s=30)
    return run_id


@pytest.mark.usefixtures("shipping")
async def test_webhooks_resume_a_run_by_key_and_by_run_once(
    api: httpx2.AsyncClient, bank: httpx2.AsyncClient
) -> None:
    order = new_order()
    run_id = await waiting(api, order)

    paid = [await send(bank, "invoice.paid", "msg-1", order=order, amount=amount) for amount in (5, 7)]
    parcel = [await send(bank, "parcel.left", "msg-2", run=run_id, parcel="P1") for _ in range(2)]
    await ended(api, run_id)
    late = await send(bank, "parcel.left", "msg-2", run=run_id, parcel="P1")
    too_late = await send(bank, "parcel.left", "msg-3", run=run_id, parcel="P1")

    for answer in (*paid, *parcel, late):
        assert (answer.status_code, answer.json()) == (200, {"status": "received"})
    assert (too_late.status_code, too_late.json()["code"]) == (409, "run_ended")
    run = (await api.get(f"/v1/runs/{run_id}")).json()
    assert (await api.get(f"/v1/runs/{run_id}/result")).json() == {"amount": 5, "parcel": "P1"}
    assert [(wait["event_id"], wait["sender"]["subject"]) for wait in run["waits"]] == [
        (derived_id("the bank", "msg-1"), "webhook:acme-bank"),
        (derived_id("the bank", "msg-2"), "webhook:acme-bank"),
    ]


async def test_a_webhook_starts_one_run_in_the_name_of_its_sender(
    api: httpx2.AsyncClient, bank: httpx2.AsyncClient
) -> None:
    message_id, orders = new_order(), [new_order() for _ in range(2)]

    answers = [await send(bank, "order.created", message_id, number=order) for order in orders]
    run = f"/v1/runs/{run_id_of(message_id)}"
    snapshot = (await api.get(run)).json()
    started_with = (await api.get(f"{run}/input")).json()

    assert [answer.json() for answer in answers] == [{"status": "received"}] * 2
    assert (snapshot["started_by"], snapshot["starter"]["subject"]) == ("the bank", "webhook:acme-bank")
    assert started_with["input"]["order"] == orders[0]


async def test_equal_message_ids_of_two_senders_start_two_runs(
    api: httpx2.AsyncClient, bank: httpx2.AsyncClient
) -> None:
    message_id = new_order()

    for path in (BANK, "/v1/webhooks/acme-market"):
        answer = await send(bank, "order.created", message_id, path=path, number=new_order())
        assert (answer.status_code, answer.json()) == (200, {"status": "received"})

    runs = [f"/v1/runs/{run_id_of(message_id, sender)}" for sender in ("the bank", "the market")]
    snapshots = [(await api.get(run)).json() for run in runs]
    assert [snapshot["started_by"] for snapshot in snapshots] == ["the bank", "the market"]


async def test_what_is_not_signed_as_agreed_is_refused_and_has_no_effect(
    api: httpx2.AsyncClient, bank: httpx2.AsyncClient
) -> None:
    body = json.dumps({"type": "order.created", "data": {"number": new_order()}}).encode()
    message_id = new_order()
    good = signed(body, message_id)
    old, early = (signed(body, message_id, at=time.time() + shift) for shift in (-400, 400))

    refused = [
        (await bank.post(path, content=content, headers=headers), status, code)
        for path, content, headers, status, code in [
            (BANK, body, {"content-type": "application/json"}, 401, "webhook_unsigned"),
            (BANK, body, good | {"webhook-timestamp": "now"}, 400, "webhook_malformed"),
            (BANK, body, good | {"webhook-signature": "v1,?"}, 400, "webhook_malformed"),
            (BANK, body, good | {"webhook-id": "msg-2"}, 401, "webhook_signature_invalid"),
            (BANK, body + b" ", good, 401, "webhook_signature_invalid"),
            (BANK, body, signed(body, "m", secret=NEW_SECRET), 401, "webhook_signature_invalid"),
            (BANK, body, old, 401, "webhook_stale"),
            (BANK, body, early, 401, "webhook_stale"),
            ("/v1/webhooks/unknown", body, good, 404, "unknown_webhook"),
            (BANK, body, good | {"content-type": "text/plain"}, 415, "wrong_content_type"),
            (BANK, b" " * (MAX_WEBHOOK_BYTES + 1), good, 413, "body_too_large"),
        ]
    ]

    for answer, status, code in refused:
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await api.get(f"/v1/runs/{run_id_of(message_id)}")).status_code == 404
    assert {(await bank.request(method, BANK)).status_code for method in ("GET", "PUT", "DELETE")} == {405}


async def test_a_verified_webhook_that_no_contract_allows_is_refused_by_field(
    bank: httpx2.AsyncClient,
) -> None:
    order = new_order()
    large = "x" * (70 * 1024)
    refused = [
        (await send(bank, "invoice.paid", "m1", order=order, amount=0), 422, "invalid_input", "data.amount"),
        (await send(bank, "invoice.paid", "m2", amount=1), 422, "invalid_input", "key"),
        (
            await send(bank, "invoice.paid", "m3", order=order, amount=1, reference=large),
            422,
            "invalid_event",
            "data",
        ),
        (await send(bank, "parcel.left", "m4", run="none", parcel="P1"), 404, "unknown_run", None),
        (await send(bank, "parcel.left", "m5", run="a b", parcel="P1"), 422, "invalid_input", "run_id"),
        (
            await send(bank, "parcel.left", "m9", run="none", order="x" * 201, parcel="P1"),
            422,
            "invalid_input",
            "key",
        ),
        (await send(bank, "order.lost", "m6", order=order), 404, "unknown_event", "name"),
    ]
    body = b'{"type":"invoice.paid","type":"order.created","data":{}}'
    repeated = await bank.post(BANK, content=body, headers=signed(body, "m7"))
    ignored = await send(bank, "invoice.created", "m8", order=order)

    for answer, status, code, field in refused:
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem.get("field")) == (status, code, field)
    assert (repeated.status_code, repeated.json()["field"]) == (422, "type")
    assert (ignored.status_code, ignored.json()) == (200, {"status": "ignored"})
    counted = (await bank.get("/metrics")).text
    assert 'signalbox_gateway_webhooks_total{result="refused",webhook="acme-bank"} 8.0' in counted
    assert 'signalbox_gateway_webhooks_total{result="ignored",webhook="acme-bank"} 1.0' in counted


@pytest.mark.usefixtures("shipping")
async def test_a_webhook_of_another_tenant_does_not_end_the_wait(
    api: httpx2.AsyncClient, bank: httpx2.AsyncClient
) -> None:
    order = new_order()
    run_id = await waiting(api, order)

    foreign = {"path": "/v1/webhooks/other-bank", "amount": 5}
    by_key = await send(bank, "-", "msg-1", order=order, **foreign)
    by_run = await send(bank, "-", "msg-2", run=run_id, **foreign)

    assert by_key.status_code == 200
    assert (by_run.status_code, by_run.json()["code"]) == (404, "unknown_run")
    assert (await api.get(f"/v1/runs/{run_id}")).json()["waits"][0]["status"] == "pending"


async def test_secrets_and_webhooks_are_rotated_without_a_restart(
    file: Path, bank: httpx2.AsyncClient
) -> None:
    async def accepted(secret: str, path: str = BANK) -> int:
        answer = await send(bank, "invoice.created", new_order(), path=path, secret=secret, amount=1)
        return answer.status_code

    secrets = file.parent / "secret"
    assert [await accepted(secret) for secret in (SECRET, NEW_SECRET)] == [200, 401]
    secrets.write_text(f"{SECRET}\n{NEW_SECRET}\n")
    assert [await accepted(secret) for secret in (SECRET, NEW_SECRET)] == [200, 200]
    secrets.write_text(NEW_SECRET)
    assert [await accepted(secret) for secret in (SECRET, NEW_SECRET)] == [401, 200]
    secrets.write_text("")
    assert await accepted(NEW_SECRET) == 503
    counted = (await bank.get("/metrics")).text
    assert 'signalbox_gateway_webhooks_total{result="retried",webhook="acme-bank"} 1.0' in counted
    secrets.write_text(NEW_SECRET)

    write(file, [WEBHOOKS[0] | {"name": "acme-shop"}])

    async def has_moved() -> bool:
        return await accepted(NEW_SECRET, "/v1/webhooks/acme-shop") == 200

    await eventually(has_moved, within_s=30, every_s=0.2)
    assert await accepted(NEW_SECRET) == 404


async def test_without_a_worker_the_event_is_recorded_and_received_later(
    shipping: PipelineUnderTest, api: httpx2.AsyncClient, bank: httpx2.AsyncClient, webhook_parts: Parts
) -> None:
    order = new_order()
    run_id = await waiting(api, order)

    async with shipping.without_worker(), client_of(Gateway(webhook_parts).app(), None) as hasty:
        answers = [await send(hasty, "invoice.paid", "msg-1", order=order, amount=5) for _ in range(2)]
    await send(bank, "parcel.left", "msg-2", run=run_id, parcel="P1")
    await ended(api, run_id)

    assert [(answer.status_code, answer.json()) for answer in answers] == [(202, {"status": "recorded"})] * 2
    assert (await api.get(f"/v1/runs/{run_id}/result")).json() == {"amount": 5, "parcel": "P1"}


async def test_without_temporal_a_start_is_queued_and_an_event_is_to_be_sent_again(
    redis_url: str, pubsub_host: str, tmp_path: Path, file: Path
) -> None:
    address = f"127.0.0.1:{backends.free_port()}"
    async with gateway_parts(tmp_path, temporal=address, redis=redis_url, pubsub=pubsub_host) as opened:
        parts = replace(opened, pipelines={SPEC.name: SPEC}, webhooks=follow_webhooks(str(file)))
        await parts.redis.flushdb()
        async with client_of(Gateway(parts).app(), None) as bank:
            start = await send(bank, "order.created", new_order(), number=new_order())
            event = await send(bank, "invoice.paid", new_order(), order=new_order(), amount=5)

    assert (start.status_code, start.json()) == (202, {"status": "recorded"})
    assert (event.status_code, event.json()["code"]) == (503, "temporal_unavailable")
    assert "retry-after" in event.headers


async def test_a_gateway_without_webhooks_has_none(parts: Parts) -> None:
    async with client_of(Gateway(parts).app(), None) as caller:
        answer = await send(caller, "invoice.paid", "msg-1")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_webhook")
