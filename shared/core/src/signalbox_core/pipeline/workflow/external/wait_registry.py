"""What a run waits for, and what arrived before it waited."""

import asyncio
from datetime import datetime
from itertools import chain
from typing import Any, Final

from msgspec import Struct

from signalbox_core.pipeline.contract.external_event import (
    MAX_KEPT,
    MAX_KEPT_BYTES,
    ExternalEvent,
    InboundEvent,
    InboundEventRecord,
    KeptEvent,
    MailboxAddress,
    MailboxWait,
)
from signalbox_core.pipeline.workflow.external.recurring_patch import RETURNED_EVENTS, RecurringPatch

MAX_REMEMBERED: Final = 1_000
"""How many event ids a run remembers to recognize duplicates; beyond it the oldest is forgotten."""


class OpenWait:
    """One wait of the run. `received` is the event that ended it; `is_refused`, that its mailbox is full.

    Args:
        is_callback: only an event that is addressed to this wait ends it.
    """

    def __init__(
        self,
        wait_id: str,
        event: ExternalEvent[Any],
        key: str | None,
        deadline_at: datetime,
        *,
        is_callback: bool = False,
    ) -> None:
        self.wait_id = wait_id
        self.event = event
        self.key = key
        self.deadline_at = deadline_at
        self.is_callback = is_callback
        self.received: InboundEvent | None = None
        self.is_refused = False

    def matches(self, event: InboundEvent) -> bool:
        """Whether the event ends this wait. A missing key matches every key."""
        if self.is_callback or event.is_for_callback:
            return event.is_for_callback and self.is_callback and event.wait_id == self.wait_id
        is_keyed = self.key is not None and event.key is not None
        return event.name == self.event.name and (self.key == event.key or not is_keyed)


class LeftMailbox(Struct, frozen=True, kw_only=True):
    """A wait that has ended without an event of its mailbox, which is to be informed."""

    address: MailboxAddress
    wait: MailboxWait


class CarriedWaits(Struct, frozen=True, kw_only=True):
    """What a run's next execution takes over.

    Attributes:
        remembered: ids of events, each with the wait that received it.
        leaving: waits of which their mailboxes are not informed yet.
        returning: events on their way back to their mailboxes.
    """

    kept: tuple[KeptEvent, ...] = ()
    remembered: tuple[tuple[str, str | None], ...] = ()
    leaving: tuple[LeftMailbox, ...] = ()
    returning: tuple[InboundEvent, ...] = ()


class WaitRegistry:
    """Matches events with waits: each event ends one wait, the one that began first."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._open: dict[str, OpenWait] = {}
        self._kept: list[KeptEvent] = []
        self._remembered: dict[str, str | None] = {}
        self._leaving: dict[str, LeftMailbox] = {}
        self._carried_returns: tuple[InboundEvent, ...] = ()
        self.returns_events = RecurringPatch(RETURNED_EVENTS)
        self.returning: list[InboundEvent] = []
        """Events on their way back to their mailboxes."""
        self.closing: set[asyncio.Task[Any]] = set()
        """Messages to mailboxes in flight; asyncio itself holds tasks only weakly."""

    @property
    def open_waits(self) -> tuple[OpenWait, ...]:
        return tuple(wait for wait in self._open.values() if wait.received is None)

    @property
    def unreturned(self) -> tuple[OpenWait, ...]:
        """The waits that have received their event and not returned it yet."""
        return tuple(wait for wait in self._open.values() if wait.received is not None)

    @property
    def leaving(self) -> tuple[LeftMailbox, ...]:
        """The waits of which their mailboxes are not informed yet."""
        return tuple(self._leaving.values())

    @property
    def has_unreceived(self) -> bool:
        """Whether a mailbox has forwarded an event that no wait has returned."""
        events = (*(item.event for item in self._kept), *(wait.received for wait in self.unreturned))
        return any(event is not None and event.is_from_mailbox for event in events)

    def expects(self, event: InboundEvent) -> bool:
        """Whether an open wait would receive the event."""
        return self._find_wait(event) is not None

    def take_unreceived(self) -> tuple[InboundEvent, ...]:
        """Remove and return the events that mailboxes have forwarded and no wait has returned."""
        ended = tuple(wait for wait in self.unreturned if wait.received and wait.received.is_from_mailbox)
        for wait in ended:
            self.close(wait.wait_id)
        kept = tuple(item.event for item in self._kept if item.event.is_from_mailbox)
        self._kept = [item for item in self._kept if not item.event.is_from_mailbox]
        return (*(wait.received for wait in ended if wait.received), *kept)

    def take_carried_returns(self) -> tuple[InboundEvent, ...]:
        """Return, once, the events that the previous execution was returning as it ended."""
        taken, self._carried_returns = self._carried_returns, ()
        return taken

    def leave(self, left: LeftMailbox) -> None:
        """Note that a mailbox is to be informed of the end of a wait."""
        self._leaving[left.wait.wait_id] = left

    def mark_left(self, left: LeftMailbox) -> None:
        """Note that it is informed."""
        self._leaving.pop(left.wait.wait_id, None)

    def open(self, wait: OpenWait, now: datetime) -> None:
        """Begin a wait; the oldest event that was kept for it ends it at once."""
        self._drop_stale(wait.event, now)
        self._open[wait.wait_id] = wait
        found = next((kept for kept in self._kept if wait.matches(kept.event)), None)
        if found is not None:
            self._kept.remove(found)
            self._end(wait, found.event)

    def refuse(self, wait_id: str) -> None:
        """End a wait for which its mailbox has no room."""
        wait = self._open.get(wait_id)
        if wait is not None:
            wait.is_refused = True

    def close(self, wait_id: str) -> None:
        self._open.pop(wait_id, None)

    def give_back(self, wait: OpenWait, now: datetime) -> OpenWait | None:
        """Give the event of a wait that did not return it to another wait, or keep it; not a callback's.

        Returns:
            The other wait.
        """
        self.close(wait.wait_id)
        event = wait.received
        if event is None or event.is_for_callback:
            return None
        other = self._find_wait(event)
        if other is not None:
            self._end(other, event)
            return other
        self._kept.insert(0, KeptEvent(event=event, kept_at=now))
        self._remember(event, None)
        return None

    def give_all_back(self, now: datetime) -> None:
        """Keep the events that their waits did not return, in their order, before those that are kept."""
        for wait in reversed(self.unreturned):
            self.give_back(wait, now)

    def find_duplicate(self, event: InboundEvent) -> InboundEventRecord | None:
        """Return the outcome of an event of the same id; None for a new one."""
        identity = _identity(event)
        if identity not in self._remembered:
            return None
        wait_id = self._remembered[identity]
        run_id = self._run_id if wait_id is not None else None
        return InboundEventRecord(event_id=event.event_id, status="duplicate", run_id=run_id, wait_id=wait_id)

    def has_room(self, event: InboundEvent) -> bool:
        """Whether the event can be accepted: a wait receives it, or it can be kept."""
        if self._find_wait(event) is not None:
            return True
        if event.is_for_callback:
            return False
        kept_bytes = sum(len(bytes(kept.event.data)) for kept in self._kept)
        return len(self._kept) < MAX_KEPT and kept_bytes + len(bytes(event.data)) <= MAX_KEPT_BYTES

    def accept(self, event: InboundEvent, now: datetime) -> InboundEventRecord:
        """Give the event to its wait, or keep it."""
        duplicate = self.find_duplicate(event)
        if duplicate is not None:
            return duplicate
        if not self.has_room(event):
            return InboundEventRecord(event_id=event.event_id, status="refused")
        self._remember(event, None)
        wait = self._find_wait(event)
        if wait is None:
            self._kept.append(KeptEvent(event=event, kept_at=now))
            return InboundEventRecord(event_id=event.event_id, status="kept")
        self._end(wait, event)
        return InboundEventRecord(
            event_id=event.event_id, status="received", run_id=self._run_id, wait_id=wait.wait_id
        )

    def carried(self) -> CarriedWaits:
        """Return the state for the next execution. Waits that are open do not continue."""
        return CarriedWaits(
            kept=tuple(self._kept),
            remembered=tuple(self._remembered.items()),
            leaving=self.leaving,
            returning=(*self._carried_returns, *self.returning),
        )

    def restore(self, carried: CarriedWaits) -> None:
        self._kept = list(carried.kept)
        self._remembered = dict(carried.remembered)
        self._leaving = {left.wait.wait_id: left for left in carried.leaving}
        self._carried_returns = carried.returning

    def _find_wait(self, event: InboundEvent) -> OpenWait | None:
        waits = [wait for wait in self.open_waits if not wait.is_callback]
        addressed = (wait for wait in waits if wait.wait_id == event.wait_id and not event.is_for_callback)
        matching = (wait for wait in self.open_waits if wait.matches(event))
        return next(chain(addressed, matching), None)

    def _end(self, wait: OpenWait, event: InboundEvent) -> None:
        wait.received = event
        self._remember(event, wait.wait_id)

    def _remember(self, event: InboundEvent, wait_id: str | None) -> None:
        self._remembered[_identity(event)] = wait_id
        while len(self._remembered) > MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]

    def _drop_stale(self, event: ExternalEvent[Any], now: datetime) -> None:
        self._kept = [
            kept for kept in self._kept if kept.event.name != event.name or now - kept.kept_at <= event.keep
        ]


def _identity(event: InboundEvent) -> str:
    if event.is_for_callback:
        return f"callback {event.wait_id}"  # No event is named so: names have a dot.
    return f"{event.name} {event.event_id}"
