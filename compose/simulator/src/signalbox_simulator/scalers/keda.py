"""KEDA 2.22 with its Temporal scaler, as documented at keda.sh (scalers/temporal, concepts/scaling-jobs)."""

import math

from signalbox_simulator.engine import Simulation
from signalbox_simulator.scalers.pods import Hpa, replicas, scale


class ScaledObject:
    """A ScaledObject with KEDA's defaults.

    targetQueueSize 5, pollingInterval 30 s (0 → 1), HPA every 15 s (1 → n), cooldownPeriod 300 s (n → 0), at
    most 100 replicas.

    Args:
        counts_workflows: `includeRunningWorkflowCount`: active while a workflow runs, too. It postpones only
            the scale-in to zero; the metric, and so the number of replicas above one, remains the backlog.
        version: `workerDeploymentBuildId`: backlog and workflows are those of this version alone.
    """

    every_s = 15.0
    idle_exit_s: float | None = None

    def __init__(
        self,
        *,
        target: int = 5,
        most: int = 100,
        name: str = "keda",
        counts_workflows: bool = False,
        version: int | None = None,
    ) -> None:
        self.name = name
        self._version = version
        self._counts_workflows = counts_workflows
        self._target = target
        self._hpa = Hpa(most, version)
        self._active_at = -math.inf

    def tick(self, simulation: Simulation) -> None:
        version = self._version
        backlog = simulation.backlog if version is None else simulation.backlog_of(version)
        is_active = backlog > 0 or (self._counts_workflows and simulation.running_workflows(version) > 0)
        if is_active:
            self._active_at = simulation.now
        if replicas(simulation, version) == 0:
            if is_active and simulation.now % 30 == 0:
                scale(simulation, 1, version)
        elif simulation.now - self._active_at > 300:
            scale(simulation, 0, version)
        else:
            self._hpa.step(simulation, math.ceil(backlog / self._target), least=1)


class VersionedScaledObjects:
    """A Deployment and a ScaledObject for each version of a worker deployment, which counts workflows too.

    The ScaledObject of a draining version stays active until its last workflow has ended.
    """

    every_s = 15.0
    idle_exit_s: float | None = None

    def __init__(self, *, most: int = 100) -> None:
        self.name = "keda-versions"
        self._most = most
        self._scalers: dict[int, ScaledObject] = {}

    def tick(self, simulation: Simulation) -> None:
        for version in simulation.versions:
            if version > simulation.current_version:
                continue
            if version not in self._scalers:
                self._scalers[version] = ScaledObject(most=self._most, counts_workflows=True, version=version)
            self._scalers[version].tick(simulation)


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
