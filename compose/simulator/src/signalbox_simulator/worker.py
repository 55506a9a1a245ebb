"""A simulated worker, and the events of a simulation."""

from dataclasses import dataclass, field
from enum import IntEnum


class SimulationEvent(IntEnum):
    """The kinds of events, in the order in which events of the same instant are processed.

    Work finishes before new work is dispatched, and the autoscaler runs last.
    """

    FINISH = 0
    ARRIVE = 1
    REQUEUE = 2
    UP = 3
    DISPATCH = 4
    IDLE = 5
    KILL = 6
    TICK = 7


@dataclass(slots=True, eq=False)
class SimulatedWorker:
    """One worker.

    Attributes:
        number: -1 for the base worker.
        launch: the launch it belongs to.
        up_at: None while it starts.
        gone_at: None while it is paid for.
        queued: the versions in whose queue of workers with free slots it is.
        tasks: the activities it runs.
        done: how many it has finished.
        version: the build that it has; base workers have every build.
    """

    number: int
    slots: int
    launched_at: float
    launch: str
    up_at: float | None = None
    gone_at: float | None = None
    idle_since: float | None = None
    draining: bool = False
    queued: set[int] = field(default_factory=set)
    version: int = 0
    tasks: set[int] = field(default_factory=set)
    done: int = 0
