"""What the run side needs of whoever sends events: the worker's signed HTTP client, or a fake in a test."""

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

from signalbox_core.events import CloudEvent

SOURCE: Final = "/signalbox/worker"
"""The CloudEvents source of everything that a run emits."""


class EventBatch(Struct, frozen=True, kw_only=True):
    events: tuple[CloudEvent, ...]


class Emitter(Protocol):
    """Sends events to the receiver."""

    async def deliver(self, events: Sequence[CloudEvent]) -> None:
        """Deliver milestones of one run in order; returns when every one is accepted, or refused for good and dead-lettered.

        Raises:
            Unavailable: not all were accepted; the same call again is safe (ids are stable).
        """

    def forward(self, events: Sequence[CloudEvent]) -> None:
        """Deliver milestones of one run in the background. Never waits; the run keeps them until a `deliver` confirms them."""

    async def announce(self, event: CloudEvent) -> None:
        """Deliver one domain event that an activity sends (no sequence).

        Raises:
            Unavailable: not accepted; the same call again is safe.
        """

    def offer(self, event: CloudEvent, *, item: bool = False) -> None:
        """Take a progress event, best effort; latest wins. Never waits, never raises, callable from any thread.

        A milestone of a step (it has a sequence) is no progress: it says that the step's progress is over.

        Args:
            item: it speaks of one of several items of a step, whose percentage another event states.
        """
