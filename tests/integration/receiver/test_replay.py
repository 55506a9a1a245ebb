"""Dead-lettered domain events are published to their topic again, unchanged."""

import asyncio
import json

import pytest
from google.pubsub_v1.types import PubsubMessage

from signalbox_admin.cli import main
from signalbox_core.ids import new_run_id
from signalbox_core.pubsub.connections import disconnect, publisher_client, topic_path
from signalbox_core.topology import DOMAIN_EVENTS, DOMAIN_EVENTS_DEAD, provision_pubsub
from support.servers.live_receiver import LiveReceiver, published


async def replay(project: str, host: str, *more: str) -> int:
    return await asyncio.to_thread(
        main,
        ["replay", "--from", "domain-events-dead-hold", "--project", project, "--emulator-host", host, *more],
    )


async def put_on_hold(project: str, host: str, message: PubsubMessage) -> None:
    """What Pub/Sub does after the last attempt: the same message with its marks, on the dead-letter topic."""
    marks = {
        "CloudPubSubDeadLetterSourceSubscription": "audit",
        "CloudPubSubDeadLetterSourceDeliveryCount": "100",
    }
    client = publisher_client(host)
    held = PubsubMessage(
        data=message.data, attributes={**message.attributes, **marks}, ordering_key=message.ordering_key
    )
    await client.publish(topic=topic_path(project, DOMAIN_EVENTS_DEAD), messages=[held])
    await disconnect(client)


async def test_a_dead_lettered_domain_event_is_shown_and_then_published_as_it_was(
    receiver: LiveReceiver, pubsub_host: str, project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await provision_pubsub(project, emulator_host=pubsub_host)
    event = domain_event(project)
    assert (await receiver.post(event, "application/cloudevents+json")).status_code == 202
    [message] = await published(pubsub_host, project, DOMAIN_EVENTS)
    await put_on_hold(project, pubsub_host, message)

    assert await replay(project, pubsub_host) == 0
    assert "1 of domain-events-dead-hold would be published" in capsys.readouterr().out
    assert await published(pubsub_host, project, DOMAIN_EVENTS) == []

    assert await replay(project, pubsub_host, "--apply") == 0
    [again] = await published(pubsub_host, project, DOMAIN_EVENTS)
    assert (again.data, dict(again.attributes), again.ordering_key) == (
        message.data,
        dict(message.attributes),
        message.ordering_key,
    )

    assert await replay(project, pubsub_host, "--apply") == 0
    assert "0 of domain-events-dead-hold published" in capsys.readouterr().out


def domain_event(run_id: str) -> bytes:
    members = {
        "specversion": "1.0",
        "id": new_run_id("d"),
        "source": "/billing",
        "type": "dev.signalbox.invoice.imported.v1",
    }
    members |= {"time": "2026-01-02T03:04:05Z", "subject": "invoice-7", "tenantid": "acme", "runid": run_id}
    return json.dumps(members | {"data": {"total": "12.00"}}).encode()
