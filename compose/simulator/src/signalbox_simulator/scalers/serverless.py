"""Temporal's serverless workers on a worker set.

Models the `rate-based` algorithm of temporalio/temporal-auto-scaled-workers.

Every 60 s it smooths the add and dispatch rates (EWMA, 0.45) and sizes the fleet at (adds + 2 per second
while there is a
backlog) / capacity of a worker, at 80 % utilization or with square-root staffing. It adds at most 4 workers,
or
removes 1 after 90 s in which every task found a poller. A task that found none adds one worker, at most every
2 s.
The default maximum of 30 is raised to 100, as for the other autoscalers.
"""

import math

from signalbox_simulator.engine import Simulation
from signalbox_simulator.scalers.pods import replicas, scale

_ALPHA, _UP, _QUIET_S, _POLL_S = 0.45, 4, 90.0, 60.0


class Serverless:
    name = "serverless"
    every_s = 2.0
    idle_exit_s: float | None = None

    def __init__(self, *, most: int = 100) -> None:
        self._most = most
        self._missed_at = -math.inf
        self._adds = self._capacity = 0.0
        self._capacity = 2.0
        self._last = (0.0, 0, 0)

    def tick(self, simulation: Simulation) -> None:
        present = replicas(simulation)
        if simulation.backlog > 0:
            self._missed_at = simulation.now
            if present < self._most and simulation.now % _POLL_S:
                scale(simulation, present + 1)
                return
        if simulation.now and simulation.now % _POLL_S == 0:
            self._poll(simulation, present)

    def _poll(self, simulation: Simulation, present: int) -> None:
        at, finished, backlog = self._last
        dispatched = (simulation.finished - finished) / max(1.0, simulation.now - at)
        adds = max(0.0, dispatched + (simulation.backlog - backlog) / max(1.0, simulation.now - at))
        self._last = (simulation.now, simulation.finished, simulation.backlog)
        self._adds = _ALPHA * adds + (1 - _ALPHA) * self._adds if self._adds else adds
        if simulation.backlog >= 50 and present and dispatched:
            self._capacity = _ALPHA * dispatched / present + (1 - _ALPHA) * self._capacity
        load = (self._adds + (2.0 if simulation.backlog else 0.0)) / self._capacity
        wanted = min(self._most, math.ceil(max(load / 0.8, load + 0.5 * math.sqrt(load))))
        if wanted > present:
            scale(simulation, min(wanted, present + _UP))
        elif wanted < present and simulation.now - self._missed_at >= _QUIET_S:
            scale(simulation, present - 1)
