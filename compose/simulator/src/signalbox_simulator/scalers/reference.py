"""Reference points: no autoscaler, and a clairvoyant one."""

import math

from signalbox_simulator.engine import Simulation


class BaseOnly:
    """Launches nothing."""

    name = "base only"
    every_s = 60.0
    idle_exit_s: float | None = None

    def tick(self, simulation: Simulation) -> None:
        """Do nothing."""


class Clairvoyant:
    """Launches the right fleet at the instant the work arrives; its workers exit as soon as they are idle.

    Args:
        slots: activities that can run at the same time, including on base workers.
        at_s: when the work arrives.
    """

    name = "clairvoyant"
    idle_exit_s: float | None = 0.0

    def __init__(self, slots: int, *, at_s: float) -> None:
        self._slots = slots
        self.every_s = at_s
        self._launched = False

    def tick(self, simulation: Simulation) -> None:
        if simulation.now > 0 and not self._launched:
            self._launched = True
            self.every_s = 3_600.0
            simulation.launch(math.ceil(max(0, self._slots - simulation.base.slots) / simulation.slots))
