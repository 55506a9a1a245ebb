"""The content of a mailbox: waits and events of one business key, and how they are matched. Pure."""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.ids import run_id_of
from signalbox_core.pipeline.contract.external_event import (
    MAX_KEPT,
    MAX_KEPT_BYTES,
    MAX_MAILBOX_WAITS,
    InboundEvent,
    InboundEventRecord,
    KeptEvent,
    MailboxContent,
    MailboxWait,
    ReturnedEvent,
    SettledEvent,
)

MAX_SETTLED: Final = 500
"""How many received events a mailbox remembers to recognize duplicates."""
MAX_REFUSED: Final = 100
"""How many refused deliveries a mailbox remembers, so that their senders learn of the refusal."""


class MailboxState:
    """Each event goes to one wait: the oldest event to the wait that began first."""

    def __init__(self, content: MailboxContent) -> None:
        self._content = content
        self._keep = timedelta(seconds=content.keep_s)
        self._waits = list(content.waits)
        self._kept = list(content.kept)
        self._settled = {item.record.event_id: item for item in content.settled}
        self._refused = BoundedDict[tuple[str, str], None](MAX_REFUSED)
        self._refused.update(dict.fromkeys(content.refused))
        self._returned: set[tuple[str, str, str | None]] = set()

    def lacks_room_for(self, wait: MailboxWait) -> bool:
        """Whether the wait is new and as many wait as may."""
        return len(self._waits) >= MAX_MAILBOX_WAITS and wait not in self._waits

    def add_wait(self, wait: MailboxWait) -> None:
        """Add a wait unless it is there.

        Without room the oldest one gives way, as recorded histories of an earlier release require.
        """
        if wait not in self._waits:
            self._waits = [*self._waits, wait][-MAX_MAILBOX_WAITS:]

    def remove_wait(self, wait: MailboxWait) -> None:
        self._waits = [each for each in self._waits if each != wait]

    def add_event(self, event: InboundEvent, now: datetime) -> None:
        """Keep an event until a wait receives it. A duplicate changes nothing; when full, it is refused."""
        if self._find(event.event_id) is not None:
            return
        kept_bytes = sum(len(bytes(kept.event.data)) for kept in self._kept)
        if len(self._kept) >= MAX_KEPT or kept_bytes + len(bytes(event.data)) > MAX_KEPT_BYTES:
            self._refused[event.event_id, event.delivery_id] = None
            return
        self._refused.pop((event.event_id, event.delivery_id), None)
        self._kept.append(KeptEvent(event=event, kept_at=now))

    def next_match(self) -> tuple[InboundEvent, MailboxWait] | None:
        """Return the next event and the wait that receives it."""
        if not self._kept or not self._waits:
            return None
        return self._kept[0].event, self._waits[0]

    def settle(self, event: InboundEvent, wait: MailboxWait, now: datetime) -> None:
        """Note that a run has received an event, unless the run has returned it already."""
        self.remove_wait(wait)
        if (event.event_id, wait.workflow_id, wait.wait_id) in self._returned:
            self._returned.remove((event.event_id, wait.workflow_id, wait.wait_id))
            return
        self._kept = [kept for kept in self._kept if kept.event.event_id != event.event_id]
        record = InboundEventRecord(
            event_id=event.event_id,
            status="received",
            run_id=run_id_of(wait.workflow_id),
            wait_id=wait.wait_id,
        )
        self._settled[event.event_id] = SettledEvent(
            record=record, delivery_id=event.delivery_id, settled_at=now
        )
        while len(self._settled) > MAX_SETTLED:
            del self._settled[next(iter(self._settled))]

    def take_back(self, returned: ReturnedEvent, now: datetime) -> None:
        """Keep an event again whose wait had ended when it reached the run. Idempotent."""
        event, run_id = returned.event, run_id_of(returned.workflow_id)
        settled = self._settled.get(event.event_id)
        if settled is not None:
            if (settled.record.run_id, settled.record.wait_id) != (run_id, event.wait_id):
                return  # Another wait has received it since.
            del self._settled[event.event_id]
        elif any(kept.event.event_id == event.event_id for kept in self._kept):
            # `settle` follows: a signal may be handled before the answer to the one that it responds to.
            self._returned.add((event.event_id, returned.workflow_id, event.wait_id))
            return
        self._kept.insert(0, KeptEvent(event=replace(event, wait_id=None), kept_at=now))

    def expire(self, now: datetime) -> None:
        """Forget waits after their deadline, and events that were kept for long enough."""
        self._waits = [wait for wait in self._waits if wait.expires_at > now]
        self._kept = [kept for kept in self._kept if kept.kept_at + self._keep > now]
        self._settled = {
            event_id: item for event_id, item in self._settled.items() if item.settled_at + self._keep > now
        }

    def next_expiry(self) -> datetime | None:
        """Return when something expires next; None for an empty mailbox."""
        times = [wait.expires_at for wait in self._waits]
        times += [kept.kept_at + self._keep for kept in self._kept]
        times += [item.settled_at + self._keep for item in self._settled.values()]
        return min(times, default=None)

    def outcome(self, event_id: str, delivery_id: str) -> InboundEventRecord | None:
        """Return the outcome of a delivery; None while it has not arrived, or is being forwarded to a run."""
        if (event_id, delivery_id) in self._refused:
            return InboundEventRecord(event_id=event_id, status="refused")
        found = self._find(event_id)
        match = self.next_match()
        if found is None or (match is not None and match[0].event_id == event_id):
            return None
        record, first_delivery = found
        if first_delivery == delivery_id:
            return record
        return InboundEventRecord(
            event_id=event_id, status="duplicate", run_id=record.run_id, wait_id=record.wait_id
        )

    def content(self) -> MailboxContent:
        """Return the state for the mailbox's next execution."""
        return MailboxContent(
            name=self._content.name,
            key=self._content.key,
            keep_s=self._content.keep_s,
            waits=tuple(self._waits),
            kept=tuple(self._kept),
            settled=tuple(self._settled.values()),
            refused=tuple(self._refused),
        )

    def _find(self, event_id: str) -> tuple[InboundEventRecord, str] | None:
        if (settled := self._settled.get(event_id)) is not None:
            return settled.record, settled.delivery_id
        kept = next((item.event for item in self._kept if item.event.event_id == event_id), None)
        return (InboundEventRecord(event_id=event_id, status="kept"), kept.delivery_id) if kept else None
