"""Replicas of a Kubernetes Deployment: scaled down newest first, with SIGTERM and SIGKILL 30 s later."""

from typing import Final

from signalbox_simulator.engine import Simulation
from signalbox_simulator.worker import SimulatedWorker

GRACE_S: Final = 30.0


def replicas(simulation: Simulation, version: int | None = None) -> int:
    """The number of replicas that are not terminating, of a version's Deployment or of the only one."""
    return len(_present(simulation, version))


def scale(simulation: Simulation, wanted: int, version: int | None = None) -> None:
    """Scale the Deployment to `wanted` replicas."""
    present = _present(simulation, version)
    if wanted >= len(present):
        simulation.launch(wanted - len(present), version=version)
        return
    for worker in sorted(present, key=lambda worker: -worker.launched_at)[: len(present) - wanted]:
        simulation.drain(worker, grace_s=GRACE_S)


class Hpa:
    """A HorizontalPodAutoscaler with the defaults of autoscaling/v2.

    Scale-up: at most 4 pods or 100 % per 15 s, whichever is more, without stabilization. Scale-down: to the
    highest
    recommendation of the last 300 s.
    """

    def __init__(self, most: int, version: int | None = None) -> None:
        self._most = most
        self._version = version
        self._wanted: list[tuple[float, int]] = []

    def step(self, simulation: Simulation, wanted: int, *, least: int = 0) -> None:
        present = replicas(simulation, self._version)
        wanted = max(least, min(self._most, wanted))
        self._wanted = [
            *((at, count) for at, count in self._wanted if simulation.now - at <= 300),
            (simulation.now, wanted),
        ]
        if wanted > present:
            scale(simulation, min(wanted, max(present + 4, present * 2)), self._version)
        else:
            scale(simulation, min(present, max(count for _, count in self._wanted)), self._version)


def _present(simulation: Simulation, version: int | None) -> list[SimulatedWorker]:
    return [
        worker
        for worker in simulation.bursts.values()
        if not worker.draining and version in (None, worker.version)
    ]
