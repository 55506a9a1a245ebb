"""Pub/Sub: whether topics and subscriptions are as `signalbox-admin provision` makes them."""

from typing import TYPE_CHECKING, Final

from signalbox_admin.checks.findings import Finding, Reporter
from signalbox_core.topology import (
    CHANGEABLE_FIELDS,
    FIXED_FIELDS,
    SUBSCRIPTIONS,
    TOPICS,
    SubscriptionSpec,
    subscription_of,
)

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient

_REPORT: Final = Reporter("Pub/Sub")
_TIMEOUT_S: Final = 10.0
_REMEDY: Final = "signalbox-admin provision"


async def check_pubsub(project: str | None, emulator_host: str | None) -> list[Finding]:
    if not project:
        return [_REPORT.skipped("set GOOGLE_CLOUD_PROJECT")]
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError

    from signalbox_core.pubsub.connections import disconnect, publisher_client, subscriber_client

    try:
        publisher, subscriber = publisher_client(emulator_host), subscriber_client(emulator_host)
    except GoogleAuthError as error:
        return [_REPORT.error(f"no credentials: {error}", "set GOOGLE_APPLICATION_CREDENTIALS")]
    try:
        topics = [finding for topic in TOPICS if (finding := await _topic(publisher, project, topic.name))]
        subscriptions = [
            finding for each in SUBSCRIPTIONS if (finding := await _subscription(subscriber, project, each))
        ]
    except (GoogleAPICallError, RetryError) as error:
        where = emulator_host or f"project {project}"
        return [_REPORT.error(f"{where} does not respond: {error}", "check the network and the permissions")]
    finally:
        await disconnect(publisher)
        await disconnect(subscriber)
    whole = f"{len(TOPICS)} topics and {len(SUBSCRIPTIONS)} subscriptions are as they should be"
    return [*topics, *subscriptions] or [_REPORT.ok(whole)]


async def _topic(client: "PublisherAsyncClient", project: str, name: str) -> Finding | None:
    from google.api_core.exceptions import NotFound

    from signalbox_core.pubsub.connections import retry_for, topic_path

    try:
        await client.get_topic(
            topic=topic_path(project, name), retry=retry_for(_TIMEOUT_S), timeout=_TIMEOUT_S
        )
    except NotFound:
        return _REPORT.error(f"topic {name} is missing", _REMEDY)
    return None


async def _subscription(
    client: "SubscriberAsyncClient", project: str, spec: SubscriptionSpec
) -> Finding | None:
    from google.api_core.exceptions import NotFound

    from signalbox_core.pubsub.connections import retry_for

    wanted = subscription_of(project, spec)
    try:
        found = await client.get_subscription(
            subscription=wanted.name, retry=retry_for(_TIMEOUT_S), timeout=_TIMEOUT_S
        )
    except NotFound:
        return _REPORT.error(f"subscription {spec.name} is missing", _REMEDY)
    if fixed := [field for field in FIXED_FIELDS if getattr(found, field) != getattr(wanted, field)]:
        return _REPORT.error(
            f"subscription {spec.name} has a different {' and '.join(fixed)}",
            f"delete it when it is drained, then {_REMEDY}",
        )
    if changed := [field for field in CHANGEABLE_FIELDS if getattr(found, field) != getattr(wanted, field)]:
        return _REPORT.warning(f"subscription {spec.name} has a different {' and '.join(changed)}", _REMEDY)
    return None
