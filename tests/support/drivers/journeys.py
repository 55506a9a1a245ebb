"""The main job on a running stack, as its users see it: start, watch the raw stream, decide, read Pub/Sub."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import httpx2
import msgspec
from google.api_core.exceptions import DeadlineExceeded
from google.pubsub_v1 import SubscriberAsyncClient, types
from msgspec import Struct

from signalbox_client import Approval, AsyncSignalbox, Run
from signalbox_client.commands.prompts import Variant, variants_of
from signalbox_core.errors import NotFound
from signalbox_core.events.snapshot import ENDED
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.pubsub.connections import disconnect, subscriber_client, subscription_path, topic_path
from signalbox_devstack.stack.config import PROJECT
from support.assertions.eventually import eventually
from support.servers.stack import RunningStack


class Seen(Struct, frozen=True):
    """One milestone as it came over the wire."""

    cursor: str
    sequence: int
    name: str


class Line(Struct, frozen=True):
    type: str
    sequence: int | None = None
    status: str | None = None

    @property
    def name(self) -> str:
        return self.type.removeprefix("dev.signalbox.").removesuffix(".v1")


class Listener:
    """Listens to one run as EventSource does: raw frames, reconnecting with the last id, nothing filtered
    out."""

    def __init__(self, stack: RunningStack, run_id: str, last_event_id: str | None = None) -> None:
        endpoints = stack.endpoints
        self._url = f"{endpoints.gateway}/v1/runs/{run_id}/stream"
        self._key = endpoints.api_keys["viewer"]
        self._last = last_event_id
        self.seen: list[Seen] = []
        self.others: list[str] = []
        self.connections = 0
        self.has_ended = False

    @property
    def sequences(self) -> list[int]:
        return [item.sequence for item in self.seen]

    @property
    def names(self) -> list[str]:
        return [item.name for item in self.seen]

    async def run(self) -> None:
        async with httpx2.AsyncClient(
            headers={"authorization": f"Bearer {self._key}"}, trust_env=False, timeout=60
        ) as http:

            async def ended() -> bool:
                with suppress(httpx2.TransportError):
                    await self._connect(http)
                return self.has_ended

            await eventually(ended, within_s=600, every_s=0.1)

    async def _connect(self, http: httpx2.AsyncClient) -> None:
        headers = {"last-event-id": self._last} if self._last else {}
        async with http.sse(self._url, headers=headers) as source:
            self.connections += 1
            if source.response.status_code == 204:
                self.has_ended = True
                return
            async for frame in source:
                self._take(frame)

    def _take(self, frame: httpx2.ServerSentEvent) -> None:
        if frame.event == "ping":
            return
        if frame.event != "message":
            self.others.append(frame.event)
            self.has_ended = self.has_ended or frame.event == "end"
        elif frame.data:
            line = msgspec.json.decode(frame.data, type=Line)
            if line.sequence is not None:
                self.seen.append(Seen(frame.id, line.sequence, line.name))
                self._last = frame.id


@asynccontextmanager
async def listening(
    stack: RunningStack, run_id: str, last_event_id: str | None = None
) -> AsyncIterator[Listener]:
    listener = Listener(stack, run_id, last_event_id)
    task = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        await cancel_and_wait(task)


async def start_ads(
    stack: RunningStack, client: AsyncSignalbox, *, page: str = "/en/coffee", **more: object
) -> str:
    """Start ad_creative on a page of the demo shop."""
    started = await client.start("ad_creative", {"url": f"{stack.endpoints.demo_site}{page}", **more})
    return started.run_id


async def until_asked(
    client: AsyncSignalbox, run_id: str, approval_id: str = "variants", *, within_s: float = 60
) -> Approval:
    async def asked() -> Approval | None:
        try:
            approval = await client.approval(run_id, approval_id)
        except NotFound:
            run = await client.run(run_id)
            assert run.status not in ENDED, run.error
            return None
        return approval if approval.status == "pending" else None

    return await eventually(asked, within_s=within_s, every_s=0.1)


async def until_ended(client: AsyncSignalbox, run_id: str, *, within_s: float = 60) -> str:
    return (await ended_run(client, run_id, within_s=within_s)).status


async def ended_run(client: AsyncSignalbox, run_id: str, *, within_s: float = 60) -> Run:
    """The run as its stream has it once the terminal event is in (before, the gateway may answer from
    Temporal)."""

    async def ended() -> Run | None:
        run = await client.run(run_id)
        return run if run.status in ENDED and run.epoch else None

    return await eventually(ended, within_s=within_s, every_s=0.1)


async def until_step(client: AsyncSignalbox, run_id: str, step: str, *, within_s: float = 60) -> None:
    """Wait until the step has begun."""

    async def begun() -> bool:
        return any(
            item.name == step and item.status != "pending" for item in (await client.run(run_id)).steps
        )

    await eventually(begun, within_s=within_s)


def approve(variant: Variant) -> Mapping[str, object]:
    return {"variant": variant.variant, "action": "approve"}


def edit(variant: Variant, headline: str) -> Mapping[str, object]:
    return {"variant": variant.variant, "action": "edit", "headline": headline}


def reject(variant: Variant) -> Mapping[str, object]:
    return {"variant": variant.variant, "action": "reject", "reason": "say more about the shipping"}


async def decide(
    client: AsyncSignalbox,
    run_id: str,
    approval: Approval,
    choices: Sequence[Callable[[Variant], Mapping[str, object]]],
) -> None:
    """One choice for each variant, in order."""
    answer = {
        "decisions": [choice(variant) for choice, variant in zip(choices, variants_of(approval), strict=True)]
    }
    await client.decide(run_id, approval.approval_id, answer, digest=approval.digest)


async def approve_all(client: AsyncSignalbox, run_id: str) -> str:
    """Answer the first question and wait for the end."""
    approval = await until_asked(client, run_id)
    await decide(client, run_id, approval, [approve] * len(variants_of(approval)))
    return await until_ended(client, run_id)


class Subscription:
    """A subscription of our own on a topic: what a downstream consumer gets."""

    def __init__(self, host: str, topic: str, name: str) -> None:
        self._host = host
        self._topic = topic
        self._name = name
        self.events: dict[str, Mapping[str, str]] = {}

    async def create(self) -> None:
        client = subscriber_client(self._host)
        try:
            await client.create_subscription(
                types.Subscription(
                    name=subscription_path(PROJECT, self._name), topic=topic_path(PROJECT, self._topic)
                )
            )
        finally:
            await disconnect(client)

    async def until(
        self, condition: Callable[[Sequence[Mapping[str, str]]], bool], *, within_s: float = 30
    ) -> list[Mapping[str, str]]:
        """Pull and ack, deduplicated by event id as every consumer must, until the events' attributes meet
        the condition."""
        client = subscriber_client(self._host)
        try:

            async def pulled() -> list[Mapping[str, str]]:
                await self._pull(client)
                events = list(self.events.values())
                return events if condition(events) else []

            return await eventually(pulled, within_s=within_s)
        finally:
            await disconnect(client)

    async def _pull(self, client: SubscriberAsyncClient) -> None:
        path = subscription_path(PROJECT, self._name)
        try:
            reply = await client.pull(subscription=path, max_messages=100, timeout=2.0)
        except DeadlineExceeded:  # nothing there
            return
        for received in reply.received_messages:
            attributes = dict(received.message.attributes)
            self.events[attributes["ce-id"]] = attributes
        if reply.received_messages:
            await client.acknowledge(
                subscription=path, ack_ids=[received.ack_id for received in reply.received_messages]
            )
