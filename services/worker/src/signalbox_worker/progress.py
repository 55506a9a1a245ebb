"""The progress board: what is to be sent next for each step, at most 10 a second, the latest wins. Pure but for its lock."""

import threading
from collections import OrderedDict
from typing import Final

import msgspec
from msgspec import Struct
from signalbox_core.events import CloudEvent, catalogue

INTERVAL_S: Final = 0.1
MAX_STEPS: Final = 1_000
MAX_TEXT_CHARS: Final = 32_000

Key = tuple[str, str]


class Slot(Struct):
    """One step: what waits, when the last one left, the percentage last known."""

    reset: CloudEvent | None = None
    waiting: CloudEvent | None = None
    next_at: float = 0.0
    percent: float | None = None
    is_sending: bool = False


class Board:
    """Bounded: a 1,001st step pushes the one that was silent longest off, with what waited there."""

    def __init__(self) -> None:
        self._slots: OrderedDict[Key, Slot] = OrderedDict()
        self._lock = threading.Lock()
        self.dropped = 0

    def put(self, event: CloudEvent, *, item: bool = False) -> bool:
        """Take an event from any thread; whether there is now something to send."""
        with self._lock:
            slot = self._slot((event.runid, event.stepid or ""))
            if event.name != "step.progress":
                slot.reset, slot.waiting = event, None
                return True
            data = msgspec.json.decode(event.data, type=catalogue.StepProgress)
            if item and slot.percent is None:
                # Nobody here knows how far the step is as a whole; without that, one item's word would wipe the percentage out.
                return False
            if data.percent is None:
                data = msgspec.structs.replace(data, percent=slot.percent)
            slot.percent = data.percent
            if slot.waiting is not None:
                self.dropped += 1
                data = merge(msgspec.json.decode(slot.waiting.data, type=catalogue.StepProgress), data)
            slot.waiting = msgspec.structs.replace(event, data=msgspec.Raw(msgspec.json.encode(data)))
            return True

    def take(self, now: float) -> list[tuple[Key, list[CloudEvent]]]:
        """What may leave now, each step's events in order; a step waits until its last sending ended."""
        with self._lock:
            ready = [(key, slot) for key, slot in self._slots.items() if _has_work(slot) and slot.next_at <= now]
            taken: list[tuple[Key, list[CloudEvent]]] = []
            for key, slot in ready:
                taken.append((key, [event for event in (slot.reset, slot.waiting) if event is not None]))
                slot.reset = slot.waiting = None
                slot.is_sending, slot.next_at = True, now + INTERVAL_S
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
    """The newer one, with the text of both: text is what was added, so none may be skipped."""
    message = older.message if newer.message is None else newer.message
    if older.text is None or older.attempt != newer.attempt:
        return msgspec.structs.replace(newer, message=message)
    text = (older.text + (newer.text or ""))[:MAX_TEXT_CHARS]
    return msgspec.structs.replace(newer, message=message, text=text, offset=older.offset)


def _has_work(slot: Slot) -> bool:
    return not slot.is_sending and (slot.waiting is not None or slot.reset is not None)
