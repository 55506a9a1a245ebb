"""Publishes accepted events to Pub/Sub and appends them, as best effort, to their run's stream."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence

from signalbox_core.errors import InvalidInput, Rejected, SignalboxError, Unavailable
from signalbox_core.events import CloudEvent, EventKind
from signalbox_core.pubsub import Publisher
from signalbox_core.streams import RunStream
from signalbox_core.topology import DOMAIN_EVENTS, LIFECYCLE
from signalbox_webhook_receiver.events import Entry

log = logging.getLogger(__name__)


def event_routes(entry: Entry) -> tuple[tuple[str, str], ...]:
    """Return topic and ordering key of each publication of an event; progress is not published.

    A domain event with a sequence is also a milestone of its run.
    """
    event = entry.event
    milestone = ((LIFECYCLE, event.runid),) if event.sequence is not None else ()
    domain = ((DOMAIN_EVENTS, event.subject),) if entry.kind is EventKind.DOMAIN else ()
    return milestone + domain


async def publish_all(publisher: Publisher, entries: Sequence[Entry], *, timeout_s: float) -> None:
    """Publish in order per key and await every ack; nothing is in flight when this returns or raises.

    Raises:
        Unavailable: an ack is missing; a repeated delivery publishes the acked events again.
        InvalidInput: Pub/Sub rejects one of the events permanently.
    """
    publications = [(topic, entry.event, key) for entry in entries for topic, key in event_routes(entry)]
    failures: list[SignalboxError] = []

    async def publish(topic: str, event: CloudEvent, key: str) -> None:
        try:
            await publisher.publish(topic, event, ordering_key=key)
        except SignalboxError as error:
            failures.append(error)

    try:
        async with asyncio.timeout(timeout_s):
            await _run_concurrently([publish(*publication) for publication in publications])
    except TimeoutError:
        raise Unavailable(
            f"Pub/Sub did not confirm within {timeout_s:g} s; send the delivery again",
            code="publish_unavailable",
        ) from None
    if failures:
        log.warning(
            "publish failed",
            extra={"reason": failures[0].detail, "failed": len(failures), "of": len(publications)},
        )
        raise _failure(failures)


async def _run_concurrently(coroutines: Sequence[Coroutine[None, None, None]]) -> None:
    if len(coroutines) == 1:
        # The common case, without the cost of a task.
        await coroutines[0]
        return
    async with asyncio.TaskGroup() as group:
        # Tasks start in the order of their creation, and the publisher queues a message before it first
        # waits.
        for coroutine in coroutines:
            group.create_task(coroutine)


def _failure(failures: Sequence[SignalboxError]) -> SignalboxError:
    if any(isinstance(failure, Rejected) for failure in failures):
        return InvalidInput(
            "Pub/Sub rejects this event; reduce its size or shorten its attributes", field="event"
        )
    return Unavailable(
        "Pub/Sub did not accept the events; send the delivery again", code="publish_unavailable"
    )


async def append_all(stream: RunStream, entries: Sequence[Entry], *, on_failure: Callable[[], None]) -> None:
    """Append the events to their run's stream, so that listeners receive them within milliseconds.

    Never raises except on cancellation: the events are in Pub/Sub, and the projector repairs the stream.
    """
    try:
        await _append(stream, entries)
    except Exception as error:
        on_failure()
        log.warning(
            "stream append failed",
            extra={"run_id": entries[0].event.runid, "reason": str(error)},
            exc_info=_is_unexpected(error),
        )


async def _append(stream: RunStream, entries: Sequence[Entry]) -> None:
    milestones = [entry.event for entry in entries if entry.event.sequence is not None]
    if milestones:
        await stream.append_many(milestones)
    for entry in entries:
        if entry.kind is EventKind.PROGRESS:
            await stream.progress(entry.event)
        elif entry.event.sequence is None:
            await stream.announce(entry.event)


def _is_unexpected(error: Exception) -> bool:
    return not isinstance(error, SignalboxError)
