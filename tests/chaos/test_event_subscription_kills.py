"""kill -9 of every part between a sender and a run, while signed events and messages of a subscription
arrive: each order starts one run, which receives its payment once."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from google.api_core.exceptions import AlreadyExists, GoogleAPICallError
from google.pubsub_v1 import types

from signalbox_client import AsyncSignalbox
from signalbox_core.errors import SignalboxError
from signalbox_core.events.states import EventWaitState
from signalbox_core.ids import run_id_of
from signalbox_core.pubsub.connections import disconnect, publisher_client, subscriber_client
from signalbox_core.signatures import Signer
from signalbox_core.temporal import connect
from support.assertions.eventually import eventually
from support.drivers.signed_requests import ONE
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack

ORDERS = 9
PROJECT = "projects/signalbox"
SUBSCRIPTIONS = {
    "subscriptions": [
        {
            "subscription": "orders",
            "tenant": "demo",
            "sender": "web shop",
            "event": "order.placed",
            "event_id_attribute": "order",
        },
        {
            "subscription": "billing",
            "tenant": "demo",
            "sender": "billing",
            "event_attribute": "ce-type",
            "event_id_attribute": "ce-id",
            "key_attribute": "ce-subject",
        },
    ]
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The stack with the shipping pipeline installed, whose gateway consumes two subscriptions."""
    folder = tmp_path_factory.mktemp("installed")
    file = folder / "subscriptions.json"
    file.write_text(json.dumps(SUBSCRIPTIONS))
    environ = {
        "PYTHONPATH": install_pipelines(folder, "shipping", "support.shipping"),
        "SIGNALBOX_GATEWAY_EVENT_SUBSCRIPTIONS_FILE": str(file),
    }
    with running_stack(tmp_path_factory.mktemp("subscription-stack"), environ=environ) as started:
        yield started


async def create_subscriptions(host: str) -> None:
    publisher, subscriber = publisher_client(host), subscriber_client(host)
    wanted = [
        ("orders", "shop-orders", ""),
        ("billing", "domain-events", 'attributes.ce-source = "/billing"'),
    ]
    try:
        for name, topic, only in wanted:
            path = f"{PROJECT}/topics/{topic}"
            for create, request in (
                (publisher.create_topic, types.Topic(name=path)),
                (
                    subscriber.create_subscription,
                    types.Subscription(name=f"{PROJECT}/subscriptions/{name}", topic=path, filter=only),
                ),
            ):
                try:
                    await create(request)
                except AlreadyExists:
                    continue
    finally:
        await disconnect(publisher)
        await disconnect(subscriber)


class Senders:
    """A shop that publishes orders, and a billing system that signs payments; both repeat what they send."""

    def __init__(self, stack: RunningStack) -> None:
        key = stack.endpoints.receiver_key
        assert key is not None
        self._host = str(stack.endpoints.pubsub)
        self._url = f"{stack.endpoints.receiver}/v1/events"
        self._signer = Signer.from_file(key.keyid, str(Path(key.private_key_file)))

    async def place(self, order: str) -> None:
        data = json.dumps({"number": order}).encode()
        message = types.PubsubMessage(data=data, attributes={"order": order})
        client = publisher_client(self._host)

        async def published() -> bool:
            try:
                topic = f"{PROJECT}/topics/shop-orders"
                await client.publish(topic=topic, messages=[message, message], retry=None, timeout=5.0)
            except GoogleAPICallError:
                return False
            return True

        try:
            await eventually(published, within_s=120, every_s=0.2)
        finally:
            await disconnect(client)

    async def pay(self, order: str, amount: int) -> None:
        event = {
            "specversion": "1.0",
            "id": f"pay-{order}",
            "source": "/billing",
            "type": "dev.signalbox.payment.settled.v1",
            "time": datetime.now(UTC).isoformat(),
            "subject": order,
            "tenantid": "demo",
            "runid": order,
            "data": {"amount": amount},
        }
        body = json.dumps(event).encode()
        async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:

            async def accepted() -> bool:
                headers = self._signer.sign("POST", self._url, body, content_type=ONE)
                try:
                    answer = await http.post(self._url, content=body, headers=headers)
                except httpx2.TransportError:
                    return False
                assert answer.status_code in (200, 202, 409, 503), answer.text
                return answer.status_code in (200, 202)

            await eventually(accepted, within_s=120, every_s=0.3)


async def payments(client: AsyncSignalbox) -> dict[str, tuple[str, EventWaitState]]:
    """Per order, the run that waits or waited for its payment, and its wait."""
    found: dict[str, tuple[str, EventWaitState]] = {}
    page = await client.runs(pipeline="shipping", status="running", limit=200)
    for run in page.runs:
        for wait in (await client.run(run.run_id)).waits:
            if wait.name == "payment.settled" and wait.key is not None:
                found[wait.key] = (run.run_id, wait)
    return found


@pytest.mark.timeout(500)
@pytest.mark.parametrize("part", ["worker", "gateway", "redis", "temporal", "pubsub", "receiver"])
async def test_a_part_killed_twice_while_events_arrive_loses_and_doubles_none(
    stack: RunningStack, client: AsyncSignalbox, part: str
) -> None:
    await create_subscriptions(str(stack.endpoints.pubsub))
    orders = {f"order-{uuid4().hex[:8]}": place for place in range(1, ORDERS + 1)}
    senders = Senders(stack)

    async def send(order: str, amount: int) -> None:
        await asyncio.gather(senders.place(order), senders.pay(order, amount))

    batches = [list(orders.items())[start : start + 3] for start in range(0, ORDERS, 3)]
    await asyncio.gather(*(send(*each) for each in batches[0]))
    for batch in batches[1:]:
        killed = stack.kill(part)
        await asyncio.gather(*(send(*each) for each in batch))
        await stack.until_replaced(part, killed)

    async def all_paid() -> dict[str, tuple[str, EventWaitState]] | None:
        try:
            found = await payments(client)
        except SignalboxError:
            return None
        received = {
            order: (run_id, wait)
            for order, (run_id, wait) in found.items()
            if order in orders and wait.status == "received"
        }
        return received if len(received) == ORDERS else None

    paid = await eventually(all_paid, within_s=240, every_s=1)
    temporal = await connect(str(stack.endpoints.temporal), "default")
    runs = [run_id for run_id, _ in paid.values()]
    known = [run_id_of(item.id) async for item in temporal.list_workflows("WorkflowType = 'shipping'")]
    assert sorted(run_id for run_id in known if run_id in runs) == sorted(runs)
    for order, amount in orders.items():
        wait = paid[order][1]
        assert (wait.event_id, json.loads(bytes(wait.data))["amount"]) == (f"pay-{order}", amount)
