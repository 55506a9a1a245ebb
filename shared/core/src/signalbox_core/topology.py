"""The topics, subscriptions and search attributes of Signalbox, and `provision`, which creates them.

The definitions import no client library; `provision_pubsub` and `provision_temporal` import theirs when
called.
"""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from signalbox_core.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient, types
    from temporalio.client import Client
    from temporalio.common import SearchAttributeKey

log = logging.getLogger(__name__)

LIFECYCLE: Final = "lifecycle"
DOMAIN_EVENTS: Final = "domain-events"
START_REQUESTS: Final = "start-requests"
LIFECYCLE_DEAD: Final = "lifecycle-dead"
DOMAIN_EVENTS_DEAD: Final = "domain-events-dead"
PROJECTOR: Final = "projector"
AUDIT: Final = "audit"
STARTER: Final = "starter"
LEDGER: Final = "ledger"
NOTIFIER: Final = "notifier"
RETENTION: Final = timedelta(days=7)
"""How long Pub/Sub retains messages, acknowledged or not; a subscription can seek back that far."""
_CALL_TIMEOUT_S: Final = 10.0


class TopicSpec(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    retention: timedelta = RETENTION


class SubscriptionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """At-least-once delivery: consumers deduplicate by (source, id).

    Pub/Sub cannot change `topic`, `is_ordered` and `filter` of an existing subscription.
    """

    name: str
    topic: str
    is_ordered: bool = False
    dead_letter_topic: str | None = None
    max_attempts: int = 100
    backoff: tuple[timedelta, timedelta] | None = None
    ack_deadline: timedelta = timedelta(seconds=60)
    retention: timedelta = RETENTION
    filter: str = ""


class ProvisionChange(msgspec.Struct, frozen=True, kw_only=True):
    """What `provision` did with one resource: `created`, `updated` or `unchanged`."""

    kind: str
    name: str
    action: str


TOPICS: Final = (
    TopicSpec(name=LIFECYCLE),
    TopicSpec(name=DOMAIN_EVENTS),
    TopicSpec(name=START_REQUESTS),
    TopicSpec(name=LIFECYCLE_DEAD),
    TopicSpec(name=DOMAIN_EVENTS_DEAD),
)
_BACKOFF: Final = (timedelta(seconds=1), timedelta(seconds=30))
SUBSCRIPTIONS: Final = (
    # A dead-lettered event leaves a gap in its run, so dead-lettering starts only after about an hour of
    # failures.
    SubscriptionSpec(
        name=PROJECTOR, topic=LIFECYCLE, is_ordered=True, dead_letter_topic=LIFECYCLE_DEAD, backoff=_BACKOFF
    ),
    SubscriptionSpec(name=AUDIT, topic=DOMAIN_EVENTS, dead_letter_topic=DOMAIN_EVENTS_DEAD, backoff=_BACKOFF),
    # Not ordered, so that many events of one run are written in one batch; entries have the run's sequence
    # number. No dead-letter topic: the ledger must not miss an event.
    SubscriptionSpec(
        name=LEDGER,
        topic=LIFECYCLE,
        backoff=_BACKOFF,
        filter='NOT hasPrefix(attributes.ce-type, "dev.signalbox.step.")',
    ),
    # Not ordered, so that a destination that is unavailable delays its own notifications only. No dead-letter
    # topic: the notifier gives up on its own and records why.
    SubscriptionSpec(
        name=NOTIFIER,
        topic=LIFECYCLE,
        backoff=(timedelta(seconds=1), timedelta(minutes=10)),
        filter='hasPrefix(attributes.ce-type, "dev.signalbox.approval.")',
    ),
    # No dead-letter topic: an accepted start waits for as long as Temporal is unavailable.
    SubscriptionSpec(
        name=STARTER,
        topic=START_REQUESTS,
        is_ordered=True,
        backoff=(timedelta(seconds=1), timedelta(seconds=5)),
    ),
    SubscriptionSpec(name="lifecycle-dead-hold", topic=LIFECYCLE_DEAD),
    SubscriptionSpec(name="domain-events-dead-hold", topic=DOMAIN_EVENTS_DEAD),
)


def tenant_subscription(name: str, tenant: str, *, topic: str = LIFECYCLE) -> SubscriptionSpec:
    """Define a subscription that receives one tenant's events only."""
    quoted = tenant.replace("\\", "\\\\").replace('"', '\\"')
    tenant_filter = f'attributes.ce-tenantid = "{quoted}"'
    return SubscriptionSpec(
        name=name, topic=topic, is_ordered=topic == LIFECYCLE, backoff=_BACKOFF, filter=tenant_filter
    )


async def provision(
    project: str, *, emulator_host: str | None = None, temporal: "Client | None" = None
) -> list[ProvisionChange]:
    """Create what is missing and update what differs in Pub/Sub and, given a client, in Temporal. Idempotent.

    Raises:
        Conflict: a resource exists with another ordering, filter, topic or type, which cannot be changed in
            place.
        Unavailable: Pub/Sub does not respond in time.
    """
    changes = await provision_pubsub(project, emulator_host=emulator_host)
    return [*changes, *(await provision_temporal(temporal) if temporal else [])]


async def provision_pubsub(project: str, *, emulator_host: str | None = None) -> list[ProvisionChange]:
    """Provision Pub/Sub; see `provision`."""
    from google.api_core.exceptions import GoogleAPICallError, RetryError

    from signalbox_core.pubsub.connections import disconnect, publisher_client, subscriber_client

    publisher, subscriber = publisher_client(emulator_host), subscriber_client(emulator_host)
    try:
        topics = [await _provision_topic(publisher, project, topic) for topic in TOPICS]
        return topics + [await _provision_subscription(subscriber, project, each) for each in SUBSCRIPTIONS]
    except (GoogleAPICallError, RetryError) as error:
        where = emulator_host or f"project {project}"
        raise Unavailable(f"Pub/Sub at {where} could not be provisioned: {error}") from error
    finally:
        await disconnect(publisher)
        await disconnect(subscriber)


async def provision_temporal(client: "Client") -> list[ProvisionChange]:
    """Register the search attributes in the client's namespace."""
    from temporalio.api.enums.v1 import IndexedValueType
    from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest

    from signalbox_core.temporal.names import SEARCH_ATTRIBUTES

    wanted = {key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace), timeout=timedelta(seconds=_CALL_TIMEOUT_S)
    )
    for key in SEARCH_ATTRIBUTES:
        if listed.custom_attributes.get(key.name, wanted[key.name]) != wanted[key.name]:
            raise Conflict(
                f"search attribute {key.name} exists in namespace {client.namespace} "
                f"with another type than {_type_name(key)}: remove it first"
            )
    missing = {name: kind for name, kind in wanted.items() if name not in listed.custom_attributes}
    if missing:
        request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        await client.operator_service.add_search_attributes(
            request, timeout=timedelta(seconds=_CALL_TIMEOUT_S)
        )
    return [
        ProvisionChange(
            kind="search attribute", name=name, action="created" if name in missing else "unchanged"
        )
        for name in wanted
    ]


def _type_name(key: "SearchAttributeKey[Any]") -> str:
    return key.indexed_value_type.name.title().replace("_", "")


async def _provision_topic(client: "PublisherAsyncClient", project: str, topic: TopicSpec) -> ProvisionChange:
    from google.api_core.exceptions import AlreadyExists
    from google.pubsub_v1 import types

    from signalbox_core.pubsub.connections import retry_for, topic_path

    wanted = types.Topic(name=topic_path(project, topic.name), message_retention_duration=topic.retention)
    try:
        await client.create_topic(wanted, retry=retry_for(_CALL_TIMEOUT_S), timeout=_CALL_TIMEOUT_S)
        return ProvisionChange(kind="topic", name=topic.name, action="created")
    except AlreadyExists:
        found = await client.get_topic(
            topic=wanted.name, retry=retry_for(_CALL_TIMEOUT_S), timeout=_CALL_TIMEOUT_S
        )
    if found.message_retention_duration == wanted.message_retention_duration:
        return ProvisionChange(kind="topic", name=topic.name, action="unchanged")
    mask = {"paths": ["message_retention_duration"]}
    await client.update_topic(
        {"topic": wanted, "update_mask": mask}, retry=retry_for(_CALL_TIMEOUT_S), timeout=_CALL_TIMEOUT_S
    )
    return ProvisionChange(kind="topic", name=topic.name, action="updated")


async def _provision_subscription(
    client: "SubscriberAsyncClient", project: str, subscription: SubscriptionSpec
) -> ProvisionChange:
    from google.api_core.exceptions import AlreadyExists

    from signalbox_core.pubsub.connections import retry_for

    wanted = subscription_of(project, subscription)
    try:
        await client.create_subscription(wanted, retry=retry_for(_CALL_TIMEOUT_S), timeout=_CALL_TIMEOUT_S)
        return ProvisionChange(kind="subscription", name=subscription.name, action="created")
    except AlreadyExists:
        found = await client.get_subscription(
            subscription=wanted.name, retry=retry_for(_CALL_TIMEOUT_S), timeout=_CALL_TIMEOUT_S
        )
    for field in FIXED_FIELDS:
        if getattr(found, field) != getattr(wanted, field):
            raise Conflict(
                f"subscription {subscription.name} exists with {field} = {getattr(found, field)!r} "
                f"instead of {getattr(wanted, field)!r}, which Pub/Sub cannot change: "
                "delete the subscription first",
                field=field,
            )
    changed = [field for field in CHANGEABLE_FIELDS if getattr(found, field) != getattr(wanted, field)]
    if not changed:
        return ProvisionChange(kind="subscription", name=subscription.name, action="unchanged")
    await client.update_subscription(
        {"subscription": wanted, "update_mask": {"paths": changed}},
        retry=retry_for(_CALL_TIMEOUT_S),
        timeout=_CALL_TIMEOUT_S,
    )
    return ProvisionChange(kind="subscription", name=subscription.name, action="updated")


FIXED_FIELDS: Final = ("topic", "enable_message_ordering", "filter")
"""What Pub/Sub cannot change of a subscription."""
CHANGEABLE_FIELDS: Final = (
    "ack_deadline_seconds",
    "message_retention_duration",
    "dead_letter_policy",
    "retry_policy",
    "expiration_policy",
)


def subscription_of(project: str, subscription: SubscriptionSpec) -> "types.Subscription":
    """The subscription as Pub/Sub takes it."""
    from google.pubsub_v1 import types

    from signalbox_core.pubsub.connections import subscription_path, topic_path

    wanted = types.Subscription(
        name=subscription_path(project, subscription.name),
        topic=topic_path(project, subscription.topic),
        enable_message_ordering=subscription.is_ordered,
        filter=subscription.filter,
        ack_deadline_seconds=int(subscription.ack_deadline.total_seconds()),
        message_retention_duration=subscription.retention,
        # Empty: never expires. By default Pub/Sub deletes a subscription after 31 days without activity.
        expiration_policy=types.ExpirationPolicy(),
    )
    if subscription.dead_letter_topic:
        wanted.dead_letter_policy = types.DeadLetterPolicy(
            dead_letter_topic=topic_path(project, subscription.dead_letter_topic),
            max_delivery_attempts=subscription.max_attempts,
        )
    if subscription.backoff:
        wanted.retry_policy = types.RetryPolicy(
            minimum_backoff=subscription.backoff[0], maximum_backoff=subscription.backoff[1]
        )
    return wanted
