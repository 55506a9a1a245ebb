"""The progress board: what is to be sent next for each step, at most 10 a second, the latest wins."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct, UnsetType

from signalbox_core.events import CloudEvent, catalogue

INTERVAL_S: Final = 0.1
COUNT_INTERVAL_S: Final = 0.25
"""For what a workflow counts (items of a `map`): it need not be the first to know, and a quick step needs none at all."""
MAX_STEPS: Final = 1_000

Key = tuple[str, str]


class Slot(Struct):
    """One step: what waits, when the last one left, what was said last (without text): each progress tells the step's whole state."""

    reset: CloudEvent | None = None
    waiting: CloudEvent | None = None
    next_at: float = 0.0
    counted: bool = False
    last: catalogue.StepProgress | None = None
    is_sending: bool = False


class Board:
    """Bounded: a 1,001st step pushes the one that was silent longest off, with what waited there."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slots: OrderedDict[Key, Slot] = OrderedDict()
        self._lock = threading.Lock()
        self.dropped = 0

    def put(self, event: CloudEvent, *, item: bool = False) -> bool:
        """Take an event from any thread; whether there is now something to send."""
        key = (event.runid, event.stepid or "")
        with self._lock:
            if event.sequence is not None:
                self._slots.pop(key, None)
                return False
            slot = self._slot(key)
            if event.name != "step.progress":
                slot.reset, slot.waiting = event, None
                return True
            data = msgspec.json.decode(event.data, type=catalogue.StepProgress)
            if item and (slot.last is None or slot.last.percent is None):
                # Nobody here knows how far the step is as a whole; without that, one item's word would wipe the percentage out.
                return False
            data = _whole(slot.last, data)
            slot.last = msgspec.structs.replace(data, text=None, offset=None)
            if event.attempt is None and not slot.counted:
                slot.counted, slot.next_at = True, max(slot.next_at, self._clock() + COUNT_INTERVAL_S)
            if slot.waiting is not None:
                self.dropped += 1
                data = merge(msgspec.json.decode(slot.waiting.data, type=catalogue.StepProgress), data)
            slot.waiting = msgspec.structs.replace(event, data=msgspec.Raw(msgspec.json.encode(data)))
            return True

    def take(self, now: float) -> list[tuple[Key, list[CloudEvent]]]:
        """What may leave now, each step's events in order; a step waits until its last sending ended."""
        with self._lock:
            ready = [
                (key, slot) for key, slot in self._slots.items() if _has_work(slot) and slot.next_at <= now
            ]
            taken: list[tuple[Key, list[CloudEvent]]] = []
            for key, slot in ready:
                taken.append((key, [event for event in (slot.reset, slot.waiting) if event is not None]))
                slot.reset = slot.waiting = None
                slot.is_sending, slot.next_at = True, now + (COUNT_INTERVAL_S if slot.counted else INTERVAL_S)
            return taken

    def sent(self, key: Key) -> None:
        with self._lock:
            slot = self._slots.get(key)
            if slot is not None:
                slot.is_sending = False

    def next_at(self) -> float | None:
        """When something may leave next; None when nothing waits (or only for a sending to end)."""
        with self._lock:
            return min((slot.next_at for slot in self._slots.values() if _has_work(slot)), default=None)

    def _slot(self, key: Key) -> Slot:
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = Slot()
            if len(self._slots) > MAX_STEPS:
                _, pushed = self._slots.popitem(last=False)
                self.dropped += pushed.waiting is not None
        self._slots.move_to_end(key)
        return slot


def merge(older: catalogue.StepProgress, newer: catalogue.StepProgress) -> catalogue.StepProgress:
    """The newer one. Text is the whole so far, so the newest that has any is enough; of an earlier attempt it is forgotten."""
    message = older.message if newer.message is None else newer.message
    newer = msgspec.structs.replace(
        newer, items=older.items if isinstance(newer.items, UnsetType) else newer.items
    )
    if newer.text is not None or older.attempt != newer.attempt:
        return msgspec.structs.replace(newer, message=message)
    return msgspec.structs.replace(newer, message=message, text=older.text, offset=older.offset)


def _whole(last: catalogue.StepProgress | None, data: catalogue.StepProgress) -> catalogue.StepProgress:
    """What this progress leaves unsaid is as it was."""
    if last is None:
        return data
    return msgspec.structs.replace(
        data,
        percent=last.percent if data.percent is None else data.percent,
        message=last.message if data.message is None else data.message,
        items=last.items if isinstance(data.items, UnsetType) else data.items,
    )


def _has_work(slot: Slot) -> bool:
    return not slot.is_sending and (slot.waiting is not None or slot.reset is not None)
