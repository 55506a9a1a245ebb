"""`signalbox-admin replay`: redrives dead letters: publishes them again to the topic that they came from."""

import argparse
import asyncio
from typing import TYPE_CHECKING, Final

from signalbox_admin.command_line import (
    Subparsers,
    add_command,
    add_pubsub_options,
    print_line,
    required_project,
)
from signalbox_core.errors import InvalidInput, NotFound, Unavailable
from signalbox_core.topology import SUBSCRIPTIONS

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
    from google.pubsub_v1.types import PubsubMessage, ReceivedMessage

DEAD_LETTER_PREFIX: Final = "CloudPubSubDeadLetterSource"
_SOURCES: Final = {each.dead_letter_topic: each.topic for each in SUBSCRIPTIONS if each.dead_letter_topic}
HOLD_SUBSCRIPTIONS: Final = {
    each.name: _SOURCES[each.topic] for each in SUBSCRIPTIONS if each.topic in _SOURCES
}
"""Hold subscription → the topic that its messages came from."""
_PAGE_SIZE: Final = 100
_PULL_TIMEOUT_S: Final = 3.0
_CALL_TIMEOUT_S: Final = 10.0


def add_parser(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        "replay",
        "redrive dead letters: publish them again (without --apply, only list them)",
        "Each event goes to its original topic with its original id, so consumers that have seen it drop it.",
    )
    add_pubsub_options(parser)
    parser.add_argument(
        "--from",
        dest="source",
        default=next(iter(HOLD_SUBSCRIPTIONS)),
        choices=HOLD_SUBSCRIPTIONS,
        help="the hold subscription to read (default: %(default)s)",
    )
    parser.add_argument("--run", dest="run_id", metavar="ID", help="only events of this run")
    parser.add_argument(
        "--limit", type=int, default=1_000, metavar="N", help="at most N events (default: %(default)s)"
    )
    parser.add_argument(
        "--apply", action="store_true", help="publish the events and remove each from the hold"
    )
    parser.set_defaults(run=lambda options: asyncio.run(run(options)))


async def run(options: argparse.Namespace) -> int:
    from google.api_core import exceptions as google_errors

    from signalbox_core.pubsub.connections import disconnect, publisher_client, subscriber_client

    if options.limit < 1:
        raise InvalidInput(f"--limit {options.limit} is too small: use 1 or more", field="limit")
    project = required_project(options)
    subscriber, publisher = subscriber_client(options.emulator_host), publisher_client(options.emulator_host)
    try:
        await _redrive(subscriber, publisher, project, options)
    except google_errors.NotFound as error:
        raise NotFound(f"{error.message} Run `signalbox-admin provision` first.", field="from") from None
    except (google_errors.GoogleAPICallError, google_errors.RetryError) as error:
        raise Unavailable(f"Pub/Sub is unavailable: {error}") from error
    finally:
        await disconnect(subscriber)
        await disconnect(publisher)
    return 0


async def _redrive(
    subscriber: "SubscriberAsyncClient",
    publisher: "PublisherAsyncClient",
    project: str,
    options: argparse.Namespace,
) -> None:
    from signalbox_core.pubsub.connections import retry_for, subscription_path, topic_path

    path, topic = subscription_path(project, options.source), HOLD_SUBSCRIPTIONS[options.source]
    selected, others = await _pull(subscriber, path, options)
    for received in sorted(selected, key=_order):
        print_line(describe(received.message))
        if options.apply:
            await publisher.publish(
                topic=topic_path(project, topic),
                messages=[restore_original(received.message)],
                retry=retry_for(_CALL_TIMEOUT_S),
                timeout=_CALL_TIMEOUT_S,
            )
            # Acknowledge last: a crash in between publishes twice, and consumers deduplicate by id.
            await subscriber.acknowledge(
                subscription=path,
                ack_ids=[received.ack_id],
                retry=retry_for(_CALL_TIMEOUT_S),
                timeout=_CALL_TIMEOUT_S,
            )
    if not options.apply:
        others += selected
    if others:
        ids = [received.ack_id for received in others]
        await subscriber.modify_ack_deadline(
            subscription=path, ack_ids=ids, ack_deadline_seconds=0, retry=None, timeout=_CALL_TIMEOUT_S
        )
    outcome = "published" if options.apply else "would be published (use --apply)"
    print_line(f"{len(selected)} of {options.source} {outcome} to {topic}")


async def _pull(
    subscriber: "SubscriberAsyncClient", path: str, options: argparse.Namespace
) -> "tuple[list[ReceivedMessage], list[ReceivedMessage]]":
    """Pull up to the limit; return the messages to redrive, and the others that were pulled."""
    from google.api_core.exceptions import DeadlineExceeded

    selected: list[ReceivedMessage] = []
    others: list[ReceivedMessage] = []
    while len(selected) < options.limit:
        size = min(_PAGE_SIZE, options.limit - len(selected))
        try:
            page = await subscriber.pull(
                subscription=path, max_messages=size, retry=None, timeout=_PULL_TIMEOUT_S
            )
        except DeadlineExceeded:
            break
        if not page.received_messages:
            break
        for received in page.received_messages:
            is_selected = options.run_id in (None, received.message.attributes.get("ce-runid"))
            (selected if is_selected else others).append(received)
    return selected, others


def restore_original(message: "PubsubMessage") -> "PubsubMessage":
    """The message as first published: without the attributes that dead-lettering added."""
    from google.pubsub_v1.types import PubsubMessage

    attributes = {
        name: value for name, value in message.attributes.items() if not name.startswith(DEAD_LETTER_PREFIX)
    }
    return PubsubMessage(data=message.data, attributes=attributes, ordering_key=message.ordering_key)


def describe(message: "PubsubMessage") -> str:
    """One line about a message; attributes that it lacks are shown as `-`."""
    get = message.attributes.get
    subscription = get(f"{DEAD_LETTER_PREFIX}Subscription", "?")
    attempts = get(f"{DEAD_LETTER_PREFIX}DeliveryCount", "?")
    run_id, sequence, event_id = get("ce-runid", "-"), get("ce-sequence", "-"), get("ce-id", "-")
    event = f"{get('ce-type', 'not an event')} run={run_id} sequence={sequence} id={event_id}"
    return f"{event} from {subscription} after {attempts} attempts"


def _order(received: "ReceivedMessage") -> tuple[str, int, str]:
    sequence = received.message.attributes.get("ce-sequence", "")
    return (
        received.message.ordering_key,
        int(sequence) if sequence.isdigit() else 0,
        received.message.message_id,
    )
