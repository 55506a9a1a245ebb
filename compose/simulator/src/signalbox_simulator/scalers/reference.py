"""No autoscaler at all, and one that knows the future."""

import math

from signalbox_simulator.engine import Simulation


class BaseOnly:
    """Never launches."""

    name = "base only"
    every_s = 60.0
    idle_exit_s: float | None = None

    def tick(self, simulation: Simulation) -> None:
        """There is nothing to do."""


class Clairvoyant:
    """Knows the trace: launches `slots` beside the base at the instant at which the work arrives; its workers leave at once when idle.

    Args:
        slots: activities that can run at once.
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
