"""A heap of deadlines: the ends of leases, backoff delays and blocked ordering keys."""

import heapq
from collections.abc import Iterator
from itertools import count
from typing import Final

from signalbox_devstack.emulators.pubsub.deliveries import Delivery, DeliveryState, KeyQueue

_SWEEP_AT: Final = 1_000


class DeadlineHeap:
    """Deliveries and key queues by deadline.

    Outdated entries are skipped. They are removed in bulk when there are many; otherwise settled messages
    would
    stay in memory until their lease ends.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Delivery | KeyQueue, int]] = []
        self._numbers = count()
        self._sweep_at = _SWEEP_AT

    def add(self, at_s: float, target: Delivery | KeyQueue) -> None:
        lease = target.lease if isinstance(target, Delivery) else 0
        heapq.heappush(self._heap, (at_s, next(self._numbers), target, lease))
        if len(self._heap) > self._sweep_at:
            self._heap = [entry for entry in self._heap if _is_live(entry[2], entry[3])]
            heapq.heapify(self._heap)
            self._sweep_at = max(_SWEEP_AT, 2 * len(self._heap))

    def next_at(self) -> float | None:
        while self._heap and not _is_live(self._heap[0][2], self._heap[0][3]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Iterator[Delivery | KeyQueue]:
        while self._heap and self._heap[0][0] <= now:
            _, _, target, lease = heapq.heappop(self._heap)
            if _is_live(target, lease):
                yield target

    def clear(self) -> None:
        self._heap.clear()


def _is_live(target: Delivery | KeyQueue, lease: int) -> bool:
    if isinstance(target, KeyQueue):
        return bool(target.waiting)
    # A message acknowledged before earlier ones of its key waits for them without a lease.
    return (
        target.lease == lease
        and target.state in (DeliveryState.LEASED, DeliveryState.DELAYED)
        and not target.acked
    )
