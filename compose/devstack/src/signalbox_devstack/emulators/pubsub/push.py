"""Push delivery: one task per push subscription POSTs messages to its endpoint; a 2xx acknowledges."""

import asyncio
import base64
import json
from types import TracebackType
from typing import Final, Self

import httpx2

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.deliveries import Consumer, Delivery
from signalbox_devstack.emulators.pubsub.subscription import SubscriptionState

MAX_IN_FLIGHT: Final = 64
_ACKNOWLEDGING: Final = frozenset({102, 200, 201, 202, 204})


class Pushers:
    """Runs one task per push subscription. `sync` starts, restarts or stops it after a change."""

    def __init__(self) -> None:
        self._tasks = asyncio.TaskGroup()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._client = httpx2.AsyncClient(trust_env=False, follow_redirects=False)

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._running.values():
            task.cancel()
        await self._tasks.__aexit__(kind, error, trace)
        await self._client.aclose()

    def sync(self, subscription: SubscriptionState) -> None:
        if running := self._running.pop(subscription.name, None):
            running.cancel()
        settings = subscription.settings
        if settings.push_config.push_endpoint and not settings.detached and not subscription.is_deleted:
            self._running[subscription.name] = self._tasks.create_task(_push(subscription, self._client))


async def _push(subscription: SubscriptionState, client: httpx2.AsyncClient) -> None:
    due = asyncio.Event()
    consumer = Consumer(
        wake=due.set,
        ack_deadline_s=subscription.settings.ack_deadline_seconds,
        max_messages=MAX_IN_FLIGHT,
        one_at_a_time_per_key=True,
    )
    with subscription.consumer(consumer):
        async with asyncio.TaskGroup() as posts:
            while True:
                for delivery in subscription.take(consumer, MAX_IN_FLIGHT):
                    posts.create_task(_post(subscription, delivery, client))
                await due.wait()
                due.clear()


async def _post(subscription: SubscriptionState, delivery: Delivery, client: httpx2.AsyncClient) -> None:
    lease, settings = delivery.lease, subscription.settings
    body, headers = push_request(settings, delivery)
    try:
        response = await client.post(
            settings.push_config.push_endpoint,
            content=body,
            headers=headers,
            timeout=settings.ack_deadline_seconds,
        )
        succeeded = response.status_code in _ACKNOWLEDGING
    except (httpx2.HTTPError, httpx2.InvalidURL):
        succeeded = False
    with subscription.awake() as now:
        subscription.backlog.settle(delivery, lease, succeeded=succeeded, now=now)


def push_request(settings: wire.Subscription, delivery: Delivery) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a push: Google's JSON wrapper, or the data alone with metadata in headers."""
    message = delivery.message.wire
    if settings.push_config.HasField("no_wrapper"):
        return message.data, _metadata(
            settings, message
        ) if settings.push_config.no_wrapper.write_metadata else {}
    published = message.publish_time.ToJsonString()
    inner: dict[str, object] = {
        "attributes": dict(message.attributes),
        "data": base64.b64encode(message.data).decode(),
        "messageId": message.message_id,
        "message_id": message.message_id,
        "publishTime": published,
        "publish_time": published,
    }
    if message.ordering_key:
        inner["orderingKey"] = message.ordering_key
    wrapper: dict[str, object] = {"message": inner, "subscription": settings.name}
    if settings.HasField("dead_letter_policy"):
        wrapper["deliveryAttempt"] = delivery.failures + 1
    return json.dumps(wrapper).encode(), {"content-type": "application/json"}


def _metadata(settings: wire.Subscription, message: wire.PubsubMessage) -> dict[str, str]:
    headers = {
        "x-goog-pubsub-subscription-name": settings.name,
        "x-goog-pubsub-message-id": message.message_id,
        "x-goog-pubsub-publish-time": message.publish_time.ToJsonString(),
    }
    if message.ordering_key:
        headers["x-goog-pubsub-ordering-key"] = message.ordering_key
    return headers | dict(message.attributes)
