"""`replay`: publish dead-lettered messages again where they came from. Shows them only, unless told to `--apply`."""

import argparse
import asyncio
from typing import TYPE_CHECKING, Final

from signalbox_admin.output import say
from signalbox_admin.targets import Subparsers, add_pubsub_options, project_of
from signalbox_core.errors import InvalidInput, NotFound, Unavailable
from signalbox_core.topology import SUBSCRIPTIONS

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
    from google.pubsub_v1.types import PubsubMessage, ReceivedMessage

DEAD_LETTER_PREFIX: Final = "CloudPubSubDeadLetterSource"
_SOURCES: Final = {each.dead_letter_topic: each.topic for each in SUBSCRIPTIONS if each.dead_letter_topic}
HOLDING: Final = {each.name: _SOURCES[each.topic] for each in SUBSCRIPTIONS if each.topic in _SOURCES}
"""Holding subscription → the topic its messages came from."""
_PAGE: Final = 100
_EMPTY_AFTER_S: Final = 3.0
_CALL_S: Final = 10.0


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "replay", help="publish dead-lettered events again (shows them only, unless --apply)"
    )
    add_pubsub_options(parser)
    parser.add_argument(
        "--from",
        dest="source",
        default=next(iter(HOLDING)),
        choices=HOLDING,
        help="holding subscription (%(default)s)",
    )
    parser.add_argument("--run", dest="run_id", help="only this run's events")
    parser.add_argument("--limit", type=int, default=1_000, help="at most so many (%(default)s)")
    parser.add_argument(
        "--apply", action="store_true", help="publish, and acknowledge each once that is accepted"
    )
    parser.set_defaults(run=lambda options: asyncio.run(run(options)))


async def run(options: argparse.Namespace) -> int:
    from google.api_core import exceptions as google_errors

    from signalbox_core.pubsub.connections import disconnect, publisher_client, subscriber_client

    if options.limit < 1:
        raise InvalidInput(f"--limit is {options.limit}: give 1 or more", field="limit")
    project = project_of(options)
    subscriber, publisher = subscriber_client(options.emulator_host), publisher_client(options.emulator_host)
    try:
        await _replay(subscriber, publisher, project, options)
    except google_errors.NotFound as error:
        raise NotFound(f"{error.message} Run `signalbox-admin provision` first", field="from") from None
    except (google_errors.GoogleAPICallError, google_errors.RetryError) as error:
        raise Unavailable(f"Pub/Sub did not answer: {error}") from error
    finally:
        await disconnect(subscriber)
        await disconnect(publisher)
    return 0


async def _replay(
    subscriber: "SubscriberAsyncClient",
    publisher: "PublisherAsyncClient",
    project: str,
    options: argparse.Namespace,
) -> None:
    from signalbox_core.pubsub.connections import retry_for, subscription_path, topic_path

    path, topic = subscription_path(project, options.source), HOLDING[options.source]
    chosen, given_back = await _pull(subscriber, path, options)
    for received in sorted(chosen, key=_order):
        say(describe(received.message))
        if options.apply:
            await publisher.publish(
                topic=topic_path(project, topic),
                messages=[restored(received.message)],
                retry=retry_for(_CALL_S),
                timeout=_CALL_S,
            )
            # Only now: a crash in between publishes it twice, and consumers know its id.
            await subscriber.acknowledge(
                subscription=path, ack_ids=[received.ack_id], retry=retry_for(_CALL_S), timeout=_CALL_S
            )
    if not options.apply:
        given_back += chosen
    if given_back:
        ids = [received.ack_id for received in given_back]
        await subscriber.modify_ack_deadline(
            subscription=path, ack_ids=ids, ack_deadline_seconds=0, retry=None, timeout=_CALL_S
        )
    done = "published" if options.apply else "would be published (--apply does it)"
    say(f"{len(chosen)} of {options.source} {done} to {topic}")


async def _pull(
    subscriber: "SubscriberAsyncClient", path: str, options: argparse.Namespace
) -> "tuple[list[ReceivedMessage], list[ReceivedMessage]]":
    """The messages to replay, and those that were pulled and are none of them."""
    from google.api_core.exceptions import DeadlineExceeded

    chosen: list[ReceivedMessage] = []
    others: list[ReceivedMessage] = []
    while len(chosen) < options.limit:
        size = min(_PAGE, options.limit - len(chosen))
        try:
            page = await subscriber.pull(
                subscription=path, max_messages=size, retry=None, timeout=_EMPTY_AFTER_S
            )
        except DeadlineExceeded:
            break
        if not page.received_messages:
            break
        for received in page.received_messages:
            is_chosen = options.run_id in (None, received.message.attributes.get("ce-runid"))
            (chosen if is_chosen else others).append(received)
    return chosen, others


def restored(message: "PubsubMessage") -> "PubsubMessage":
    """The message as it was first published: same data, key, id and sequence, without the marks of the dead-lettering."""
    from google.pubsub_v1.types import PubsubMessage

    attributes = {
        name: value for name, value in message.attributes.items() if not name.startswith(DEAD_LETTER_PREFIX)
    }
    return PubsubMessage(data=message.data, attributes=attributes, ordering_key=message.ordering_key)


def describe(message: "PubsubMessage") -> str:
    """One line for the operator; a message that is no event shows what it has."""
    get = message.attributes.get
    came_from = f"{get(DEAD_LETTER_PREFIX + 'Subscription', '?')} after {get(DEAD_LETTER_PREFIX + 'DeliveryCount', '?')} attempts"
    event = f"{get('ce-type', 'not an event')} run={get('ce-runid', '-')} sequence={get('ce-sequence', '-')} id={get('ce-id', '-')}"
    return f"{event} from {came_from}"


def _order(received: "ReceivedMessage") -> tuple[str, int, str]:
    sequence = received.message.attributes.get("ce-sequence", "")
    return (
        received.message.ordering_key,
        int(sequence) if sequence.isdigit() else 0,
        received.message.message_id,
    )
