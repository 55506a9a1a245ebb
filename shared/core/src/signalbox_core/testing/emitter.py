"""A fake of the emitter, which sends a run's events to the receiver."""

import threading
from collections.abc import Sequence

from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent


class FakeEmitter:
    """Records the events that were sent.

    Attributes:
        milestones_down: while True, milestones cannot be delivered.
        refuse_announcements: how many of the next domain events of activities are not accepted.
    """

    def __init__(self) -> None:
        self.milestones: list[CloudEvent] = []
        self.domain: list[CloudEvent] = []
        self.progress: list[CloudEvent] = []
        self.deliveries = 0
        self.milestones_down = False
        self.refuse_announcements = 0
        self._lock = threading.Lock()

    async def deliver(self, events: Sequence[CloudEvent]) -> None:
        self.deliveries += 1
        if self.milestones_down:
            raise Unavailable("the fake receiver is down")
        self._store(events)

    def forward(self, events: Sequence[CloudEvent]) -> None:
        if not self.milestones_down:
            self._store(events)

    def _store(self, events: Sequence[CloudEvent]) -> None:
        known = {event.id for event in self.milestones}
        self.milestones.extend(event for event in events if event.id not in known)

    async def announce(self, event: CloudEvent) -> None:
        if self.refuse_announcements > 0:
            self.refuse_announcements -= 1
            raise Unavailable("the fake receiver does not accept this event")
        if all(known.id != event.id for known in self.domain):
            self.domain.append(event)

    def offer(self, event: CloudEvent, *, item: bool = False) -> None:  # noqa: ARG002 - part of the protocol
        if event.sequence is None:
            with self._lock:
                self.progress.append(event)
