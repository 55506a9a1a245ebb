"""A receiver process with its own Redis and Pub/Sub; each can be frozen, killed and restarted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
from redis.asyncio import Redis

from signalbox_core.events import CloudEvent
from signalbox_core.pubsub.connections import disconnect, publisher_client, topic_path
from signalbox_core.signatures import Signer
from support.assertions.eventually import eventually
from support.drivers.signed_requests import ONE
from support.fakes.events import story
from support.servers import backends
from support.servers.live_receiver import make_topics, one_sender, published
from support.servers.pubsub import Program
from support.servers.receiver_process import ReceiverProcess, own_server, running


def one(run_id: str) -> CloudEvent:
    return story(run_id)[0]


class Stage:
    """A receiver process, its Redis and its Pub/Sub; each can be frozen, killed and restarted."""

    def __init__(
        self,
        receiver: ReceiverProcess,
        signer: Signer,
        redis: asyncio.subprocess.Process,
        pubsub: Program,
        url: str,
    ) -> None:
        self.receiver, self.signer, self.redis, self.pubsub, self.redis_url = (
            receiver,
            signer,
            redis,
            pubsub,
            url,
        )
        self.project = "own"

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> httpx2.Response:
        async with httpx2.AsyncClient(timeout=30) as client:
            return await client.post(self.url, content=body, headers=headers or self.sign(body))

    def sign(self, body: bytes) -> dict[str, str]:
        return self.signer.sign("POST", self.url, body, ONE)

    @property
    def url(self) -> str:
        return f"{self.receiver.origin}/v1/events"

    async def claims(self, kind: str) -> dict[str, int]:
        """Value of each claim of that kind, with the seconds that it has left."""
        async with Redis.from_url(self.redis_url, decode_responses=True) as client:
            keys = [key for key in await client.keys("claims:*") if f":{kind}:" in key]
            return {str(await client.get(key)): await client.ttl(key) for key in keys}

    async def is_claimed(self) -> bool:
        return any(value.startswith("busy:") for value in await self.claims("event"))

    async def ids(self) -> list[str]:
        return [message.attributes["ce-id"] for message in await published(self.pubsub.host, self.project)]

    async def configure(self, name: str, value: str) -> None:
        async with Redis.from_url(self.redis_url) as client:
            await client.config_set(name, value)

    async def hold_at_publish(self, group: asyncio.TaskGroup, body: bytes) -> asyncio.Task[httpx2.Response]:
        """Send, and stop the world between the claim and Pub/Sub's ack."""
        self.pubsub.freeze()
        sending = group.create_task(self.post(body))
        await eventually(self.is_claimed)
        return sending

    async def delete_topic(self) -> None:
        client = publisher_client(self.pubsub.host)
        await client.delete_topic(topic=topic_path(self.project, "lifecycle"))
        await disconnect(client)

    async def create_topic(self) -> None:
        client = publisher_client(self.pubsub.host)
        await client.create_topic(name=topic_path(self.project, "lifecycle"))
        await disconnect(client)


@asynccontextmanager
async def own_stage(folder: Path) -> AsyncIterator[Stage]:
    """Everything started, until the block ends."""
    keys, signer, _ = one_sender(folder)
    port = backends.free_port()
    pubsub = await Program(folder / "pubsub.db").start()
    await make_topics(pubsub.host, "own")
    url = f"redis://127.0.0.1:{port}/0"
    async with AsyncExitStack() as stack:
        stack.push_async_callback(pubsub.stop)
        redis = await stack.enter_async_context(own_server(backends.redis_command(port, folder), port))
        process = ReceiverProcess(
            keys, redis_url=url, pubsub_host=pubsub.host, project="own", publish_timeout_s=3, drain_notice_s=2
        )
        yield Stage(await stack.enter_async_context(running(process)), signer, redis, pubsub, url)
