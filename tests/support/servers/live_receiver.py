"""A receiver served by uvicorn on loopback over real Redis and Pub/Sub, and a reader of what it published."""

import asyncio
import json
import socket
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from google.pubsub_v1 import SubscriberAsyncClient
from google.pubsub_v1.types import PubsubMessage, PullRequest, ReceivedMessage

from signalbox_core.events import CloudEvent, encode_event
from signalbox_core.pubsub.connections import (
    disconnect,
    publisher_client,
    subscriber_client,
    subscription_path,
    topic_path,
)
from signalbox_core.secret import Secret
from signalbox_core.signatures import KeyRecord, Signer, write_key_file
from signalbox_webhook_receiver.app import create_app, open_parts, run_background
from signalbox_webhook_receiver.server import create_receiver_server
from signalbox_webhook_receiver.settings import Settings
from support.assertions.eventually import eventually
from support.drivers.signed_requests import BATCH, ONE, signer_and_key
from support.fakes.receiver import batch_of

TOPICS = ("lifecycle", "domain-events")


@dataclass(kw_only=True)
class LiveReceiver:
    """One running receiver: its address, a client, and a sender it knows."""

    origin: str
    client: httpx2.AsyncClient
    signer: Signer

    @property
    def url(self) -> str:
        return f"{self.origin}/v1/events"

    async def send(self, *events: CloudEvent) -> httpx2.Response:
        """Sign and deliver: one event alone, several as a batch."""
        if len(events) == 1:
            return await self.post(encode_event(events[0]), ONE)
        return await self.post(batch_of(events), BATCH)

    async def post(self, body: bytes, content_type: str, *, signer: Signer | None = None) -> httpx2.Response:
        headers = (signer or self.signer).sign("POST", self.url, body, content_type)
        return await self.client.post("/v1/events", content=body, headers=headers)


@asynccontextmanager
async def live_receiver(
    *,
    keys: Path,
    signer: Signer,
    redis_url: str,
    pubsub_host: str,
    project: str,
    origin: str | None = None,
    **more: Any,
) -> AsyncIterator[LiveReceiver]:
    """Serve until the block ends; the key file is looked at ten times a second.

    Args:
        origin: the public origin; another replica's makes this one its second.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        origin = origin or address
        settings = Settings(
            redis_url=Secret(redis_url),
            public_origin=origin,
            keys=str(keys),
            google_cloud_project=project,
            pubsub_emulator_host=pubsub_host,
            **({"keys_poll_s": 0.1} | more),
        )
        async with open_parts(settings) as parts:
            server, stop = (
                create_receiver_server(create_app(settings, parts), settings, parts.draining),
                asyncio.Event(),
            )
            async with (
                asyncio.TaskGroup() as group,
                httpx2.AsyncClient(
                    base_url=address, headers={"host": origin.partition("://")[2]}, timeout=60
                ) as client,
            ):
                background = group.create_task(run_background(settings, parts))
                serving = group.create_task(server.serve_until(stop, listening))
                await eventually(lambda: server.started)
                try:
                    yield LiveReceiver(origin=origin, client=client, signer=signer)
                finally:
                    stop.set()
                    await asyncio.wait([serving])
                    background.cancel()


def one_sender(folder: Path) -> tuple[Path, Signer, KeyRecord]:
    """A key file with one key, its signer and its record."""
    signer, key = signer_and_key()
    write_key_file(folder / "keys.json", [key.record])
    return folder / "keys.json", signer, key.record


async def make_topics(pubsub_host: str, project: str) -> None:
    """Create both topics, each with a subscription `<topic>-seen`."""
    publisher, subscriber = publisher_client(pubsub_host), subscriber_client(pubsub_host)
    try:
        for topic in TOPICS:
            await publisher.create_topic(name=topic_path(project, topic))
            await subscriber.create_subscription(
                name=subscription_path(project, f"{topic}-seen"), topic=topic_path(project, topic)
            )
    finally:
        await disconnect(publisher)
        await disconnect(subscriber)


async def published(pubsub_host: str, project: str, topic: str = "lifecycle") -> list[PubsubMessage]:
    """Return what was published to the topic since the last call, in order of publication."""
    client = subscriber_client(pubsub_host)
    subscription = subscription_path(project, f"{topic}-seen")
    found: list[PubsubMessage] = []
    try:
        while received := await _pull(client, subscription):
            found += [each.message for each in received]
            await client.acknowledge(subscription=subscription, ack_ids=[each.ack_id for each in received])
    finally:
        await disconnect(client)
    return sorted(found, key=lambda message: int(message.message_id))


async def _pull(client: SubscriberAsyncClient, subscription: str) -> Sequence[ReceivedMessage]:
    with warnings.catch_warnings():
        # Deprecated for consumers, who should wait; a test wants to know that there is nothing.
        warnings.simplefilter("ignore", DeprecationWarning)
        response = await client.pull(
            PullRequest(subscription=subscription, max_messages=1000, return_immediately=True)
        )
    return response.received_messages


def data_of(message: PubsubMessage) -> object:
    return json.loads(message.data)
