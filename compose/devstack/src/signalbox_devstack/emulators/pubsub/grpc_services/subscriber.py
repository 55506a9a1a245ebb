"""The Subscriber service without streaming: subscriptions, unary pull, acknowledgements."""

import asyncio
from typing import Final

import grpc
from google.protobuf.empty_pb2 import Empty

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.broker import Broker
from signalbox_devstack.emulators.pubsub.deliveries import Consumer, Delivery
from signalbox_devstack.emulators.pubsub.errors import invalid, invalid_ack_ids
from signalbox_devstack.emulators.pubsub.push import Pushers
from signalbox_devstack.emulators.pubsub.subscription import SubscriptionState
from signalbox_devstack.emulators.pubsub.validation import (
    apply_mask,
    check_new_name,
    complete_subscription,
    page_of,
)

PULL_WAIT_S: Final = 90.0
# Reserved of the caller's deadline for sending an empty response, which takes longer on a busy machine.
_RESPONSE_S: Final = 1.0
_MAX_PULL: Final = 1_000
_FIELDS: Final = frozenset(
    {
        "push_config",
        "ack_deadline_seconds",
        "retain_acked_messages",
        "message_retention_duration",
        "labels",
        "expiration_policy",
        "dead_letter_policy",
        "retry_policy",
        "enable_exactly_once_delivery",
        "bigquery_config",
        "cloud_storage_config",
    }
)


class SubscriberService:
    """Each public method serves one RPC and raises `PubsubError` for an error status."""

    def __init__(self, broker: Broker, pushers: Pushers) -> None:
        self._broker = broker
        self._pushers = pushers

    async def create_subscription(self, request: wire.Subscription) -> wire.Subscription:
        check_new_name("subscriptions", request.name, self._broker.subscriptions)
        self._broker.topic(request.topic)
        complete_subscription(request)
        self._pushers.sync(self._broker.create_subscription(request))
        await self._broker.journal.committed()
        return request

    async def get_subscription(self, request: wire.GetSubscriptionRequest) -> wire.Subscription:
        return self._broker.subscription(request.subscription).settings

    async def update_subscription(self, request: wire.UpdateSubscriptionRequest) -> wire.Subscription:
        """Update a subscription. Filter and ordering are fixed at creation, as with Google."""
        subscription = self._broker.subscription(request.subscription.name)
        changed = wire.Subscription()
        changed.CopyFrom(subscription.settings)
        apply_mask(changed, request.subscription, request.update_mask.paths, _FIELDS)
        await self._apply_settings(subscription, changed)
        return changed

    async def modify_push_config(self, request: wire.ModifyPushConfigRequest) -> Empty:
        subscription = self._broker.subscription(request.subscription)
        changed = wire.Subscription()
        changed.CopyFrom(subscription.settings)
        changed.push_config.CopyFrom(request.push_config)
        await self._apply_settings(subscription, changed)
        return Empty()

    async def list_subscriptions(
        self, request: wire.ListSubscriptionsRequest
    ) -> wire.ListSubscriptionsResponse:
        found = [
            each.settings
            for name, each in sorted(self._broker.subscriptions.items())
            if name.startswith(f"{request.project}/")
        ]
        rows, following = page_of(found, request.page_size, request.page_token)
        return wire.ListSubscriptionsResponse(subscriptions=rows, next_page_token=following)

    async def delete_subscription(self, request: wire.DeleteSubscriptionRequest) -> Empty:
        subscription = self._broker.subscription(request.subscription)
        self._broker.delete_subscription(subscription)
        self._pushers.sync(subscription)
        await self._broker.journal.committed()
        return Empty()

    async def pull(self, request: wire.PullRequest, context: "Call") -> wire.PullResponse:
        """Respond as soon as there is a message, or without one shortly before the caller's deadline."""
        subscription = self._broker.subscription(request.subscription)
        subscription.check_pull()
        if request.max_messages <= 0:
            raise invalid("The value for max_messages must be greater than 0.")
        deliveries = await self._wait_for_messages(subscription, request, context)
        return wire.PullResponse(received_messages=subscription.received(deliveries))

    async def acknowledge(self, request: wire.AcknowledgeRequest) -> Empty:
        subscription = self._broker.subscription(request.subscription)
        _, refused = subscription.acknowledge(request.ack_ids)
        if subscription.backlog.policy.exactly_once:
            await self._broker.journal.committed()
        if refused:
            raise invalid_ack_ids(refused)
        return Empty()

    async def modify_ack_deadline(self, request: wire.ModifyAckDeadlineRequest) -> Empty:
        subscription = self._broker.subscription(request.subscription)
        if not 0 <= request.ack_deadline_seconds <= 600:
            raise invalid(f"ack_deadline_seconds is {request.ack_deadline_seconds}: must be 0 to 600.")
        _, refused = subscription.extend(
            [(ack_id, request.ack_deadline_seconds) for ack_id in request.ack_ids]
        )
        if refused:
            raise invalid_ack_ids(refused)
        return Empty()

    async def _apply_settings(self, subscription: SubscriptionState, settings: wire.Subscription) -> None:
        complete_subscription(settings)
        subscription.configure(settings)
        self._broker.save_subscription(subscription)
        self._pushers.sync(subscription)
        await self._broker.journal.committed()

    async def _wait_for_messages(
        self, subscription: SubscriptionState, request: wire.PullRequest, context: "Call"
    ) -> list[Delivery]:
        ready = asyncio.Event()
        limit = min(request.max_messages, _MAX_PULL)
        wait_s = 0.0 if request.return_immediately else _wait_s(context.time_remaining())
        consumer = Consumer(wake=ready.set, ack_deadline_s=subscription.settings.ack_deadline_seconds)
        with subscription.consumer(consumer):
            try:
                async with asyncio.timeout(wait_s):
                    while not (deliveries := subscription.take(consumer, limit)):
                        await ready.wait()
                        ready.clear()
                        subscription.check_pull()
            except TimeoutError:
                return []

        # The caller may cancel before the response arrives; then these messages were not received.
        def return_unseen(_: object) -> None:
            if context.cancelled():
                subscription.return_unseen(deliveries)

        # The type stub declares a class where a callable is meant.
        context.add_done_callback(return_unseen)  # type: ignore[arg-type]
        await self._broker.journal.committed()
        return deliveries


def _wait_s(remaining_s: float | None) -> float:
    """How long to wait for a message, with this time left until the caller's deadline."""
    if remaining_s is None:
        return PULL_WAIT_S
    return min(PULL_WAIT_S, remaining_s - min(_RESPONSE_S, remaining_s / 2))


Call = grpc.aio.ServicerContext[wire.PullRequest, wire.PullResponse]
