"""The Temporal Worker Controller: one HPA per version on two metrics, as its documentation recommends.

The backlog comes through the metrics pipeline: emitted every 60 s, scraped every 10 s, read by the HPA every
15 s
(about 85 s in total). Slot utilization comes from the pods, with a target of 75 %. An HPA on these metrics
cannot
scale from zero, so one replica always remains.
"""

import math
from typing import Final

from signalbox_simulator.engine import Simulation
from signalbox_simulator.scalers.pods import Hpa, replicas

_EMITTED_S: Final = 60.0
_LAG_S: Final = 10.0
_UTILISATION: Final = 0.75


class WorkerController:
    """Burst replicas in addition to the base; the backlog metric's AverageValue is a pod's slots."""

    name = "worker-controller"
    every_s = 15.0
    idle_exit_s: float | None = None

    def __init__(self, *, most: int = 100) -> None:
        self._hpa = Hpa(most)
        self._seen: list[tuple[float, int]] = []

    def tick(self, simulation: Simulation) -> None:
        if simulation.now % _EMITTED_S == 0:
            self._seen.append((simulation.now, simulation.backlog))
        known = [backlog for at, backlog in self._seen if at + _LAG_S <= simulation.now]
        by_backlog = math.ceil((known[-1] if known else 0) / simulation.slots)
        up = [
            worker
            for worker in simulation.bursts.values()
            if worker.up_at is not None and not worker.draining
        ]
        slots = sum(worker.slots for worker in up)
        busy = sum(len(worker.tasks) for worker in up) / slots if slots else 0.0
        by_slots = math.ceil(replicas(simulation) * busy / _UTILISATION)
        is_finished = simulation.finished == simulation.trace.count
        # The last replica is removed after the work, so that the simulation ends.
        self._hpa.step(simulation, max(by_backlog, by_slots), least=0 if is_finished else 1)
