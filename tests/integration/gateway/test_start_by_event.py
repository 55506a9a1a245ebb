"""External events that start runs: one run for each event or key, its starter, refusals, outages."""

import uuid
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from signalbox_gateway.app import Gateway, Parts
from support.assertions.eventually import eventually
from support.servers import backends
from support.servers.gateway import client_of, gateway_parts
from support.shipping.contract import SPEC

PLACED, CONFIRMED = "order.placed", "order.confirmed"


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


async def send(api: httpx2.AsyncClient, name: str, order: str, **more: object) -> httpx2.Response:
    body = {"event_id": order, "data": {"number": order}} | more
    return await api.post(f"/v1/events/{name}", json=body)


def delivery_of(answer: httpx2.Response) -> dict[str, str]:
    (delivery,) = answer.json()["deliveries"]
    return dict(delivery)


@pytest.mark.usefixtures("shipping")
async def test_an_event_starts_one_run_in_the_name_of_its_sender(api: httpx2.AsyncClient) -> None:
    order = unique("order")

    first, again = [await send(api, PLACED, order) for _ in range(2)]
    run_id = delivery_of(first)["run_id"]

    async def waits() -> list[dict[str, str]]:
        return list((await api.get(f"/v1/runs/{run_id}")).json()["waits"])

    (wait,) = await eventually(waits, within_s=60)
    run = (await api.get(f"/v1/runs/{run_id}")).json()
    started = await api.post("/v1/runs", json={"pipeline": "shipping", "input": {"order": order}})
    by_api = (await api.get(f"/v1/runs/{started.json()['run_id']}")).json()

    assert (first.status_code, delivery_of(first)["status"]) == (200, "started")
    assert (again.status_code, delivery_of(again)["status"]) == (200, "duplicate")
    assert delivery_of(again)["run_id"] == run_id
    assert wait["key"] == order
    assert run["started_by"] == by_api["started_by"]
    assert run["started_by"]


async def test_two_events_of_one_key_start_one_run_where_the_contract_says_so(
    api: httpx2.AsyncClient,
) -> None:
    order = unique("order")

    first = await send(api, CONFIRMED, order, key=order)
    second = await send(api, CONFIRMED, order, key=order, event_id=unique("other"))
    other = await send(api, CONFIRMED, order, key=unique("order"))

    assert [delivery_of(each)["status"] for each in (first, second, other)] == [
        "started",
        "duplicate",
        "started",
    ]
    assert delivery_of(second)["run_id"] == delivery_of(first)["run_id"]


async def test_a_refused_event_starts_nothing_and_names_the_reason(api: httpx2.AsyncClient) -> None:
    order = unique("order")

    gift = await send(api, PLACED, order, data={"number": order, "is_gift": True})
    malformed = await send(api, PLACED, order, data={"number": 7})
    bad_input = await send(api, PLACED, order, data={"number": ""})
    keyless = await send(api, CONFIRMED, order)
    unaddressed = await send(api, "payment.settled", order, data={"amount": 1})
    corrected = await send(api, PLACED, order)

    assert (gift.status_code, gift.json()["code"]) == (422, "invalid_event")
    assert gift.json()["detail"].endswith("no run can start from this event: gifts are not shipped")
    for answer, field in [
        (malformed, "data.number"),
        (bad_input, "input.order"),
        (keyless, "key"),
        (unaddressed, "key"),
    ]:
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert delivery_of(corrected)["status"] == "started"


async def test_the_same_event_of_two_tenants_starts_a_run_of_each(
    shipping_parts: Parts, api: httpx2.AsyncClient
) -> None:
    order = unique("order")
    own = await send(api, PLACED, order)

    async with client_of(Gateway(shipping_parts).app(), "stranger") as stranger:
        foreign = await send(stranger, PLACED, order)

    assert [delivery_of(each)["status"] for each in (own, foreign)] == ["started", "started"]


async def test_a_viewer_starts_no_run_by_event(shipping_parts: Parts) -> None:
    async with client_of(Gateway(shipping_parts).app(), "viewer") as viewer:
        assert (await send(viewer, PLACED, unique("order"))).status_code == 403


async def test_without_temporal_the_start_is_queued_once_and_can_be_withdrawn(
    redis_url: str, pubsub_host: str, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{backends.free_port()}"
    async with gateway_parts(tmp_path, temporal=address, redis=redis_url, pubsub=pubsub_host) as opened:
        parts = replace(opened, pipelines={SPEC.name: SPEC})
        await parts.redis.flushdb()
        async with client_of(Gateway(parts).app()) as api:
            order = unique("order")

            first, again = [await send(api, PLACED, order) for _ in range(2)]
            run_id = delivery_of(first)["run_id"]
            queued = await api.get(f"/v1/runs/{run_id}")
            withdrawn = await api.post(f"/v1/runs/{run_id}/cancel")
            late = await send(api, PLACED, order)

    for answer in (first, again):
        assert (answer.status_code, delivery_of(answer)["status"]) == (202, "recorded")
    assert delivery_of(again)["run_id"] == run_id
    assert queued.json()["status"] == "queued"
    assert withdrawn.status_code == 202
    assert (late.status_code, delivery_of(late)["status"]) == (200, "duplicate")


async def test_the_contract_has_the_events_that_start_runs(api: httpx2.AsyncClient) -> None:
    starts = (await api.get("/v1/pipelines/shipping")).json()["starts"]

    assert [(start["name"], start["once_per"]) for start in starts] == [(PLACED, "event"), (CONFIRMED, "key")]
    assert "number" in starts[0]["data_schema"]["properties"]
