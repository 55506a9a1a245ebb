"""KEDA 2.22 with its Temporal scaler, as documented at keda.sh (scalers/temporal, concepts/scaling-jobs)."""

import math

from signalbox_simulator.engine import Simulation
from signalbox_simulator.scalers.pods import Hpa, replicas, scale


class ScaledObject:
    """A ScaledObject with KEDA's defaults.

    targetQueueSize 5, pollingInterval 30 s (0 → 1), HPA every 15 s (1 → n), cooldownPeriod 300 s (n → 0), at
    most 100 replicas.
    """

    every_s = 15.0
    idle_exit_s: float | None = None

    def __init__(self, *, target: int = 5, most: int = 100, name: str = "keda") -> None:
        self.name = name
        self._target = target
        self._hpa = Hpa(most)
        self._active_at = -math.inf

    def tick(self, simulation: Simulation) -> None:
        if simulation.backlog > 0:
            self._active_at = simulation.now
        if replicas(simulation) == 0:
            if simulation.backlog > 0 and simulation.now % 30 == 0:
                scale(simulation, 1)
        elif simulation.now - self._active_at > 300:
            scale(simulation, 0)
        else:
            self._hpa.step(simulation, math.ceil(simulation.backlog / self._target), least=1)


class ScaledJob:
    """A ScaledJob whose targetQueueSize equals the slots of a job.

    Every 30 s the default strategy launches ceil(backlog / target) minus the running jobs. Jobs exit when
    idle,
    because KEDA never stops one.
    """

    name = "keda-job"
    every_s = 30.0
    idle_exit_s: float | None = 15.0

    def __init__(self, *, most: int = 100) -> None:
        self._most = most

    def tick(self, simulation: Simulation) -> None:
        running = len(simulation.bursts)
        wanted = min(self._most, math.ceil(simulation.backlog / simulation.slots))
        simulation.launch(max(0, min(wanted, self._most - running) - running if wanted > running else 0))
