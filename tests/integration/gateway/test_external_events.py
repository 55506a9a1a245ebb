"""External events by API: to a run and by business key, duplicates, refusals, outages, other tenants."""

import httpx2
import pytest

from signalbox_core.testing.pipeline import PipelineUnderTest
from signalbox_gateway.app import Gateway, Parts
from support.assertions.eventually import eventually
from support.drivers.api_calls import ended
from support.servers.gateway import client_of
from support.shipping.orders import new_order

PAYMENT = "payment.settled"
PAID = {"amount": 4_200}


async def start(api: httpx2.AsyncClient, order: str) -> str:
    answer = await api.post("/v1/runs", json={"pipeline": "shipping", "input": {"order": order}})
    return str(answer.json()["run_id"])


async def waiting(api: httpx2.AsyncClient, order: str) -> str:
    run_id = await start(api, order)

    async def waits() -> object:
        return (await api.get(f"/v1/runs/{run_id}")).json()["waits"]

    await eventually(waits, within_s=30)
    return run_id


async def dispatch(api: httpx2.AsyncClient, run_id: str) -> httpx2.Response:
    return await api.post(
        f"/v1/runs/{run_id}/events/parcel.dispatched",
        json={"event_id": "parcel-1", "data": {"parcel": "P1"}},
    )


@pytest.mark.usefixtures("shipping")
async def test_a_run_shows_what_it_waits_for_and_continues_with_the_event(api: httpx2.AsyncClient) -> None:
    order = new_order()
    run_id = await waiting(api, order)
    (wait,) = (await api.get(f"/v1/runs/{run_id}")).json()["waits"]

    paid = await api.post(f"/v1/runs/{run_id}/events/{PAYMENT}", json={"event_id": "evt-1", "data": PAID})
    again = await api.post(f"/v1/runs/{run_id}/events/{PAYMENT}", json={"event_id": "evt-1", "data": PAID})
    await dispatch(api, run_id)
    await ended(api, run_id)
    late = await api.post(f"/v1/runs/{run_id}/events/{PAYMENT}", json={"event_id": "evt-1", "data": PAID})

    assert (wait["wait_id"], wait["status"], wait["key"]) == (PAYMENT, "pending", order)
    expected = {"event_id": "evt-1", "pipeline": "shipping", "run_id": run_id, "wait_id": PAYMENT}
    assert paid.json() == {**expected, "status": "received"}
    assert again.json() == late.json() == {**expected, "status": "duplicate"}
    assert (await api.get(f"/v1/runs/{run_id}/result")).json() == {"amount": 4_200, "parcel": "P1"}


@pytest.mark.usefixtures("shipping")
async def test_by_its_key_an_event_finds_the_run_before_and_after_its_wait(api: httpx2.AsyncClient) -> None:
    order, later = new_order(), new_order()
    run_id = await waiting(api, order)

    now = await api.post(f"/v1/events/{PAYMENT}", json={"event_id": "a", "key": order, "data": PAID})
    early = await api.post(f"/v1/events/{PAYMENT}", json={"event_id": "b", "key": later, "data": PAID})
    again = await api.post(f"/v1/events/{PAYMENT}", json={"event_id": "b", "key": later, "data": PAID})
    second = await start(api, later)
    for run in (run_id, second):
        await dispatch(api, run)
        await ended(api, run)

    assert now.json()["deliveries"][0]["status"] in ("received", "kept")
    assert [each.json()["deliveries"][0]["status"] for each in (early, again)] == ["kept", "duplicate"]
    assert (await api.get(f"/v1/runs/{second}/result")).json()["amount"] == 4_200


@pytest.mark.usefixtures("shipping")
async def test_a_problem_names_the_field_that_the_contract_does_not_allow(api: httpx2.AsyncClient) -> None:
    run_id = await waiting(api, new_order())
    bad = {"event_id": "e", "data": {"amount": 0}}

    to_run = await api.post(f"/v1/runs/{run_id}/events/{PAYMENT}", json=bad)
    by_key = await api.post(f"/v1/events/{PAYMENT}", json={**bad, "key": "k"})
    unknown = await api.post(f"/v1/runs/{run_id}/events/payment.lost", json={**bad, "data": {}})
    unknown_by_key = await api.post("/v1/events/payment.lost", json={**bad, "key": "k", "data": {}})

    for answer in (to_run, by_key):
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["data.amount"]
    for answer in (unknown, unknown_by_key):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_event")
        assert "payment.settled" in answer.json()["detail"]


async def test_without_a_worker_events_are_recorded_and_received_later(
    shipping: PipelineUnderTest, shipping_parts: Parts, api: httpx2.AsyncClient
) -> None:
    order = new_order()
    run_id = await waiting(api, order)

    async with shipping.without_worker(), client_of(Gateway(shipping_parts).app()) as hasty:
        by_key = await hasty.post(f"/v1/events/{PAYMENT}", json={"event_id": "a", "key": order, "data": PAID})
        to_run = await dispatch(hasty, run_id)
    await ended(api, run_id)

    assert (by_key.status_code, by_key.json()["deliveries"][0]["status"]) == (202, "recorded")
    assert (to_run.status_code, to_run.json()["status"]) == (202, "recorded")
    assert (await api.get(f"/v1/runs/{run_id}/result")).json() == {"amount": 4_200, "parcel": "P1"}


@pytest.mark.usefixtures("shipping")
async def test_another_tenant_reaches_neither_run_nor_key(
    shipping_parts: Parts, api: httpx2.AsyncClient
) -> None:
    order = new_order()
    run_id = await waiting(api, order)
    async with client_of(Gateway(shipping_parts).app(), "stranger") as stranger:
        foreign = await stranger.post(
            f"/v1/runs/{run_id}/events/{PAYMENT}", json={"event_id": "a", "data": PAID}
        )
        kept = await stranger.post(
            f"/v1/events/{PAYMENT}", json={"event_id": "a", "key": order, "data": PAID}
        )

    assert foreign.status_code == 404
    assert kept.json()["deliveries"][0]["status"] == "kept"
    (wait,) = (await api.get(f"/v1/runs/{run_id}")).json()["waits"]
    assert wait["status"] == "pending"


@pytest.mark.usefixtures("shipping")
async def test_after_the_end_an_event_is_refused(api: httpx2.AsyncClient) -> None:
    run_id = await waiting(api, new_order())
    await api.post(f"/v1/runs/{run_id}/cancel", json={})
    await ended(api, run_id)

    answer = await dispatch(api, run_id)

    assert (answer.status_code, answer.json()["code"]) == (409, "run_ended")


async def test_the_contract_has_the_schema_of_the_event(api: httpx2.AsyncClient) -> None:
    events = (await api.get("/v1/pipelines/shipping")).json()["external_events"]

    assert [event["name"] for event in events] == ["payment.settled", "parcel.dispatched"]
    assert events[0]["data_schema"]["properties"]["amount"]["minimum"] == 1
