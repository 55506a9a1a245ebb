"""The protocol for sending events: implemented by the worker's signed HTTP client and by a fake for tests."""

from collections.abc import Collection, Sequence
from typing import Final, Protocol

from msgspec import Struct

from signalbox_core.events import CloudEvent

SOURCE: Final = "/signalbox/worker"
"""The CloudEvents source of every event that a run emits."""


class EventBatch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Events of one run to deliver.

    Attributes:
        approved: ids of the events that a person approved. One that arrives without its digest is refused;
            batches of older releases name none.
    """

    events: tuple[CloudEvent, ...]
    approved: tuple[str, ...] = ()


def batch_of(events: Sequence[CloudEvent], *, approved: Collection[str] = ()) -> EventBatch:
    """Return a batch that names its approved events.

    Args:
        approved: the approved ids of the batch that the events come from.
    """
    return EventBatch(events=tuple(events), approved=approved_ids(events, approved))


def approved_ids(events: Sequence[CloudEvent], approved: Collection[str] = ()) -> tuple[str, ...]:
    """Return the ids of the events that have a digest or are known to be approved."""
    return tuple(event.id for event in events if event.effectdigest is not None or event.id in approved)


class Emitter(Protocol):
    """Sends events to the receiver."""

    async def deliver(self, events: Sequence[CloudEvent]) -> None:
        """Deliver milestones of one run in order.

        Returns when each was accepted, or permanently refused and replaced by `event.refused`.

        Raises:
            Unavailable: not all were accepted. Repeating the call is safe, since event ids are stable.
        """

    def forward(self, events: Sequence[CloudEvent]) -> None:
        """Deliver milestones of one run in the background, without blocking.

        The run keeps them until a `deliver` confirms them.
        """

    async def announce(self, event: CloudEvent) -> None:
        """Deliver one domain event of an activity (it has no sequence number).

        Raises:
            Unavailable: it was not accepted. Repeating the call is safe.
        """

    def offer(self, event: CloudEvent, *, item: bool = False) -> None:
        """Accept a progress event, best effort; the latest wins. Never blocks or raises; thread-safe.

        A milestone of a step (it has a sequence number) marks the end of the step's progress.

        Args:
            item: the event is about one of several items of a step, whose percentage another event reports.
        """
