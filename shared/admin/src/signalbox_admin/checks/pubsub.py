"""Pub/Sub: whether topics and subscriptions are as `signalbox-admin provision` makes them."""

from typing import TYPE_CHECKING, Final

from signalbox_admin.checks.findings import Finding, Reporter
from signalbox_core.topology import (
    CHANGEABLE_FIELDS,
    FIXED_FIELDS,
    SUBSCRIPTIONS,
    TOPICS,
    SubscriptionSpec,
    differing_fields,
    subscription_of,
)

if TYPE_CHECKING:
    from signalbox_core.pubsub.resource_calls import ResourceCalls

_REPORT: Final = Reporter("Pub/Sub")
_REMEDY: Final = "signalbox-admin provision"


async def check_pubsub(project: str | None, emulator_host: str | None) -> list[Finding]:
    if not project:
        return [_REPORT.skipped("set GOOGLE_CLOUD_PROJECT")]
    import grpc
    from google.auth.exceptions import GoogleAuthError

    from signalbox_core.pubsub.channel import describe_error, open_channel
    from signalbox_core.pubsub.resource_calls import ResourceCalls

    try:
        channel = open_channel(emulator_host)
    except GoogleAuthError as error:
        return [_REPORT.error(f"no credentials: {error}", "set GOOGLE_APPLICATION_CREDENTIALS")]
    calls = ResourceCalls(channel)
    try:
        topics = [finding for topic in TOPICS if (finding := await _topic(calls, project, topic.name))]
        subscriptions = [
            finding for each in SUBSCRIPTIONS if (finding := await _subscription(calls, project, each))
        ]
    except grpc.aio.AioRpcError as error:
        where, reason = emulator_host or f"project {project}", describe_error(error)
        return [_REPORT.error(f"{where} does not respond: {reason}", "check the network and the permissions")]
    finally:
        await channel.close()
    whole = f"{len(TOPICS)} topics and {len(SUBSCRIPTIONS)} subscriptions are as they should be"
    return [*topics, *subscriptions] or [_REPORT.ok(whole)]


async def _topic(calls: "ResourceCalls", project: str, name: str) -> Finding | None:
    import grpc

    from signalbox_core.pubsub.channel import topic_path

    try:
        await calls.get_topic(topic_path(project, name))
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return _REPORT.error(f"topic {name} is missing", _REMEDY)
    return None


async def _subscription(calls: "ResourceCalls", project: str, spec: SubscriptionSpec) -> Finding | None:
    import grpc

    wanted = subscription_of(project, spec)
    try:
        found = await calls.get_subscription(wanted.name)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return _REPORT.error(f"subscription {spec.name} is missing", _REMEDY)
    if fixed := differing_fields(found, wanted, FIXED_FIELDS):
        return _REPORT.error(
            f"subscription {spec.name} has another {' and '.join(fixed)}",
            f"delete it when it is drained, then {_REMEDY}",
        )
    if changed := differing_fields(found, wanted, CHANGEABLE_FIELDS):
        return _REPORT.warning(f"subscription {spec.name} has another {' and '.join(changed)}", _REMEDY)
    return None
