"""Publishes accepted events to Pub/Sub and appends them, as best effort, to their run's stream."""

import asyncio
import logging
from collections import Counter
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


async def publish_runs(
    publisher: Publisher, runs: Sequence[Sequence[Entry]], *, timeout_s: float
) -> list[SignalboxError | None]:
    """Publish in order per key and await every ack; nothing is in flight when this returns.

    Returns:
        Per run None, or why not all of its events are published: Unavailable (a repeated delivery publishes
        the acked events again), or InvalidInput (Pub/Sub rejects one of them permanently).
    """
    publications = [
        (place, topic, entry.event, key)
        for place, entries in enumerate(runs)
        for entry in entries
        for topic, key in event_routes(entry)
    ]
    missing = Counter(place for place, *_ in publications)
    failures: dict[int, list[SignalboxError]] = {}

    async def publish(place: int, topic: str, event: CloudEvent, key: str) -> None:
        try:
            await publisher.publish(topic, event, ordering_key=key)
            missing[place] -= 1
        except SignalboxError as error:
            failures.setdefault(place, []).append(error)

    try:
        async with asyncio.timeout(timeout_s):
            await _run_concurrently([publish(*publication) for publication in publications])
    except TimeoutError:
        pass
    if failures:
        first = next(iter(failures.values()))[0]
        failed = sum(len(errors) for errors in failures.values())
        log.warning(
            "publish failed", extra={"reason": first.detail, "failed": failed, "of": len(publications)}
        )
    return [
        _failure(failures.get(place, ()), timeout_s) if missing[place] else None for place in range(len(runs))
    ]


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


def _failure(failures: Sequence[SignalboxError], timeout_s: float) -> SignalboxError:
    if any(isinstance(failure, Rejected) for failure in failures):
        return InvalidInput(
            "Pub/Sub rejects this event; reduce its size or shorten its attributes", field="event"
        )
    if not failures:
        return Unavailable(
            f"Pub/Sub did not confirm within {timeout_s:g} s; send the delivery again",
            code="publish_unavailable",
        )
    return Unavailable(
        "Pub/Sub did not accept the events; send the delivery again", code="publish_unavailable"
    )


async def append_all(
    stream: RunStream, entries: Sequence[Entry], *, on_failure: Callable[[int], None]
) -> None:
    """Append the events to their runs' streams, so that listeners receive them within milliseconds.

    Never raises except on cancellation: the events are in Pub/Sub, and the projector repairs the streams.

    Args:
        on_failure: called with the number of events that were not written.
    """
    try:
        outcomes = await stream.write_batch([entry.event for entry in entries])
    except Exception as error:
        on_failure(len(entries))
        log.warning(
            "stream append failed",
            extra={"run_id": entries[0].event.runid, "events": len(entries), "reason": str(error)},
            exc_info=not isinstance(error, SignalboxError),
        )
        return
    for entry, outcome in zip(entries, outcomes, strict=True):
        if isinstance(outcome, SignalboxError):
            on_failure(1)
            log.warning(
                "stream append failed",
                extra={"run_id": entry.event.runid, "events": 1, "reason": outcome.detail},
            )
