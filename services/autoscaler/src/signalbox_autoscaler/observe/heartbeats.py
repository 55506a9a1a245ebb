"""Finds task queues whose workers poll without sending heartbeats: their capacity is unknown, not zero."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import Gauge

log = logging.getLogger(__name__)

MAX_INTERVAL: Final = timedelta(seconds=75)
"""Longer than a worker's long poll, and than the SDK's interval between heartbeats (both 60 s)."""
_NAMED: Final = 5


def queues_without_heartbeats(
    polled_at: Mapping[str, datetime | None], heartbeat_at: Mapping[str, datetime], now: datetime
) -> frozenset[str]:
    """The queues that were polled recently and had no heartbeat around the time of the poll.

    Temporal lists the pollers of a stopped worker for five minutes, so a poll counts for `MAX_INTERVAL` only.

    Args:
        polled_at: by queue, the latest poll for activities; None: no worker polls.
        heartbeat_at: by queue, the latest heartbeat of any worker, including stopped ones.
    """
    return frozenset(
        queue
        for queue, at in polled_at.items()
        if at is not None
        and now - at <= MAX_INTERVAL
        and (queue not in heartbeat_at or at - heartbeat_at[queue] > MAX_INTERVAL)
    )


class HeartbeatMonitor:
    """Reports missing heartbeats: logs every change and sets the metric to the number of queues.

    Attributes:
        problem: what is wrong and the remedy, for /readyz; None: no heartbeat is missing.
    """

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._before: frozenset[str] = frozenset()
        self.problem: str | None = None

    def report(self, queues: frozenset[str], list_error: str | None) -> None:
        """Report the result of one observation.

        A queue is reported after two observations without heartbeats, because a worker polls before it sends
        its first one.

        Args:
            list_error: why Temporal did not list its workers; None: it did.
        """
        missing, self._before = queues & self._before, queues
        self._gauge.set(len(missing))
        problem = _problem(missing, list_error)
        if problem != self.problem:
            if problem:
                log.warning("no worker heartbeats", extra={"detail": problem})
            else:
                log.info("worker heartbeats seen")
        self.problem = problem


def _problem(queues: frozenset[str], list_error: str | None) -> str | None:
    if list_error:
        return (
            f"{list_error}; the Temporal server must be 1.31 or newer, or have frontend.ListWorkersEnabled"
            " and frontend.WorkerHeartbeatsEnabled switched on"
        )
    if not queues:
        return None
    names = ", ".join(sorted(queues)[:_NAMED]) + (", …" if len(queues) > _NAMED else "")
    return (
        f"no worker heartbeat seen on {names} although workers poll: set frontend.WorkerHeartbeatsEnabled and"
        " frontend.ListWorkersEnabled on the Temporal server. Until then no worker is launched or retired for"
        " these queues"
    )
