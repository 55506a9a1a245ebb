"""Coalesces progress events: each step sends at most ten a second, and the latest state wins."""

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
"""Interval for progress that a workflow counts (items of a `map`); a step that ends sooner sends none."""
MAX_STEPS: Final = 1_000

StepKey = tuple[str, str, str]
"""Tenant, run id and step id."""


class _StepState(Struct):
    """One step: what is pending and when it may be sent.

    Attributes:
        counted: its progress comes from the workflow, not from an activity.
        last: the step's whole state after the last event, without text.
    """

    reset: CloudEvent | None = None
    pending: CloudEvent | None = None
    next_at: float = 0.0
    counted: bool = False
    last: catalogue.StepProgress | None = None
    is_sending: bool = False

    @property
    def has_work(self) -> bool:
        return not self.is_sending and (self.pending is not None or self.reset is not None)


class ProgressCoalescer:
    """Holds the next progress of each step. Thread-safe.

    Bounded: beyond 1,000 steps the one that was silent longest is evicted, and what it had pending is
    dropped.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps: OrderedDict[StepKey, _StepState] = OrderedDict()
        self._lock = threading.Lock()
        self.dropped = 0

    def offer(self, event: CloudEvent, *, item: bool = False) -> bool:
        """Take an event, from any thread.

        Args:
            item: the event reports one of several items; another event states the step's percentage.

        Returns:
            Whether the step now has something to send.
        """
        key = (event.tenantid, event.runid, event.stepid or "")
        with self._lock:
            if event.sequence is not None:
                self._steps.pop(key, None)
                return False
            step = self._step(key)
            if event.name != "step.progress":
                step.reset, step.pending = event, None
                return True
            data = msgspec.json.decode(event.data, type=catalogue.StepProgress)
            if item and (step.last is None or step.last.percent is None):
                # The percentage of the step is unknown here, and an event without one would reset it.
                return False
            self._coalesce(step, event, data)
            return True

    def take_due(self, now: float) -> list[tuple[StepKey, list[CloudEvent]]]:
        """Remove and return what is due, each step's events in order.

        A step is skipped until `mark_sent` has been called for what was taken before.
        """
        taken: list[tuple[StepKey, list[CloudEvent]]] = []
        with self._lock:
            for key, step in self._steps.items():
                if step.has_work and step.next_at <= now:
                    taken.append((key, [event for event in (step.reset, step.pending) if event is not None]))
                    step.reset = step.pending = None
                    step.is_sending = True
                    step.next_at = now + (COUNT_INTERVAL_S if step.counted else INTERVAL_S)
        return taken

    def mark_sent(self, key: StepKey) -> None:
        with self._lock:
            step = self._steps.get(key)
            if step is not None:
                step.is_sending = False

    def next_due_at(self) -> float | None:
        """Return when the next event is due; None when nothing can be sent before `mark_sent` or `offer`."""
        with self._lock:
            return min((step.next_at for step in self._steps.values() if step.has_work), default=None)

    def _step(self, key: StepKey) -> _StepState:
        step = self._steps.get(key)
        if step is None:
            step = self._steps[key] = _StepState()
            if len(self._steps) > MAX_STEPS:
                _, evicted = self._steps.popitem(last=False)
                self.dropped += evicted.pending is not None
        self._steps.move_to_end(key)
        return step

    def _coalesce(self, step: _StepState, event: CloudEvent, data: catalogue.StepProgress) -> None:
        data = _fill_from(step.last, data)
        step.last = msgspec.structs.replace(data, text=None, offset=None)
        if event.attempt is None and not step.counted:
            step.counted, step.next_at = True, max(step.next_at, self._clock() + COUNT_INTERVAL_S)
        if step.pending is not None:
            self.dropped += 1
            data = merge(msgspec.json.decode(step.pending.data, type=catalogue.StepProgress), data)
        step.pending = msgspec.structs.replace(event, data=msgspec.Raw(msgspec.json.encode(data)))


def merge(older: catalogue.StepProgress, newer: catalogue.StepProgress) -> catalogue.StepProgress:
    """Return the newer progress, with the older one's members where it has none.

    Text is always the whole text so far, so the newest one is complete. Text of an earlier attempt is
    discarded.
    """
    message = older.message if newer.message is None else newer.message
    newer = msgspec.structs.replace(
        newer, items=older.items if isinstance(newer.items, UnsetType) else newer.items
    )
    if newer.text is not None or older.attempt != newer.attempt:
        return msgspec.structs.replace(newer, message=message)
    return msgspec.structs.replace(newer, message=message, text=older.text, offset=older.offset)


def _fill_from(last: catalogue.StepProgress | None, data: catalogue.StepProgress) -> catalogue.StepProgress:
    """Fill the members that this progress leaves out from the last known state."""
    if last is None:
        return data
    return msgspec.structs.replace(
        data,
        percent=last.percent if data.percent is None else data.percent,
        message=last.message if data.message is None else data.message,
        items=last.items if isinstance(data.items, UnsetType) else data.items,
    )
