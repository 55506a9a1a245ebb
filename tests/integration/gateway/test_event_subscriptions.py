"""Messages of a subscription as external events: starts, keys, runs, duplicates and poison."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from google.pubsub_v1 import types

from signalbox_core.pubsub import Subscriber
from signalbox_devstack.emulators.pubsub.server import run_server
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.runs.inbound.subscribed_events import SubscribedEvents
from support.assertions.eventually import beside, eventually
from support.drivers.api_calls import ended
from support.servers.gateway import PATIENCE, client_of
from support.servers.pubsub import PROJECT, Local
from support.shipping.contract import SPEC
from support.shipping.orders import new_order

SHOP = SubscribedEvents(
    subscription="shop",
    tenant="acme",
    sender="the shop",
    event_attribute="event",
    event_id_attribute="id",
    key_attribute="order",
    run_attribute="run",
)


class Shop:
    """Publishes to the topic of the subscription, whose refused messages go to `dead`."""

    def __init__(self, local: Local, topic: str, subscription: str, dead: str) -> None:
        self.local = local
        self.subscription = subscription
        self.dead = dead
        self._topic = topic

    async def publish(self, event: str, data: object, **attributes: str) -> None:
        await self.local.publish(self._topic, json.dumps(data).encode(), event=event, **attributes)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with run_server(host="127.0.0.1", port=0, data=tmp_path / "pubsub.db") as running:
        local = Local(f"127.0.0.1:{running.port}")
        topic, dead = await local.topic("orders"), await local.topic("dead")
        policy = types.DeadLetterPolicy(dead_letter_topic=dead, max_delivery_attempts=5)
        subscription = await local.subscription(topic, "shop", dead_letter_policy=policy)
        yield Shop(local, topic, subscription, await local.subscription(dead, "hold"))
        await local.close()


@pytest.fixture
def gateway(parts: Parts, shop: Shop) -> Gateway:
    source = Subscriber(PROJECT.removeprefix("projects/"), "shop", emulator_host=shop.local.host)
    return Gateway(
        replace(parts, pipelines={SPEC.name: SPEC}, event_subscriptions=[(SHOP, source)]), deadline=PATIENCE
    )


@pytest.fixture
async def api(gateway: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(gateway.app()) as client:
        yield client


async def waiting(api: httpx2.AsyncClient, order: str) -> str:
    """The run that waits for the payment of the order."""

    async def found() -> str:
        for run in (await api.get("/v1/runs", params={"pipeline": "shipping"})).json()["runs"]:
            snapshot = (await api.get(f"/v1/runs/{run['run_id']}")).json()
            if any(wait["key"] == order for wait in snapshot["waits"]):
                return str(run["run_id"])
        return ""

    return await eventually(found, within_s=60, every_s=0.2)


async def delivered(api: httpx2.AsyncClient) -> float:
    """How many messages were delivered; Pub/Sub may deliver one again."""
    counter = 'signalbox_gateway_inbound_messages_total{result="delivered",subscription="shop"} '
    lines = (await api.get("/metrics")).text.splitlines()
    return sum(float(line.removeprefix(counter)) for line in lines if line.startswith(counter))


@pytest.mark.usefixtures("shipping")
async def test_messages_start_a_run_and_resume_it_by_key_and_by_run_once(
    gateway: Gateway, api: httpx2.AsyncClient, shop: Shop
) -> None:
    order = new_order()
    async with beside(gateway.loops()["events of shop"]()):
        for _ in range(2):
            await shop.publish("order.placed", {"number": order}, id=f"{order}-1")
        run_id = await waiting(api, order)
        for _ in range(2):
            await shop.publish("dev.signalbox.payment.settled.v1", {"amount": 5}, id="p", order=order)
        for _ in range(2):
            await shop.publish("parcel.dispatched", {"parcel": "P1"}, id="d", run=run_id)
        await ended(api, run_id)

        async def all_delivered() -> bool:
            return await delivered(api) >= 6

        await eventually(all_delivered, within_s=60, every_s=0.2)

    run = (await api.get(f"/v1/runs/{run_id}")).json()
    assert (await api.get(f"/v1/runs/{run_id}/result")).json() == {"amount": 5, "parcel": "P1"}
    assert run["started_by"] == "the shop"
    assert run["starter"]["subject"] == "subscription:shop"
    assert [wait["sender"]["subject"] for wait in run["waits"]] == ["subscription:shop"] * 2
    assert [wait["event_id"] for wait in run["waits"]] == ["p", "d"]


async def test_what_is_refused_goes_to_the_dead_letter_topic_and_the_rest_is_delivered(
    gateway: Gateway, api: httpx2.AsyncClient, shop: Shop
) -> None:
    order = new_order()
    await shop.publish("order.placed", {"number": 7}, id="invalid")
    await shop.publish("order.lost", {}, id="undeclared")
    await shop.publish("order.placed", {"number": order})
    await shop.publish("parcel.dispatched", {"parcel": "P1"}, id="unknown run", run="none")
    await shop.publish("order.placed", {"number": order}, id=order)

    held: dict[str, str] = {}
    async with beside(gateway.loops()["events of shop"]()):

        async def all_held() -> bool:
            for received in await shop.local.pull_now(shop.dead):
                attributes = received.message.attributes
                held[received.message.message_id] = attributes.get("id", "without id")
            return len(held) == 4

        async def one_delivered() -> bool:
            return await delivered(api) >= 1

        await eventually(all_held, within_s=90, every_s=0.2)
        await eventually(one_delivered, within_s=60, every_s=0.2)

    assert sorted(held.values()) == ["invalid", "undeclared", "unknown run", "without id"]
