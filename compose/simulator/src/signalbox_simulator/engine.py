"""A discrete-event simulation of one task queue and its workers.

The autoscaler is called back at intervals.
"""

import heapq
import random
from collections import deque
from typing import Final, Protocol

from signalbox_simulator.batch_schedule import BatchSchedule
from signalbox_simulator.traces import Trace
from signalbox_simulator.worker import SimulatedWorker, SimulationEvent

HEARTBEAT_TIMEOUT_S: Final = 30.0
"""The activities of a killed worker are queued again after this time."""


class Scaler(Protocol):
    """An autoscaler.

    Attributes:
        every_s: the interval between two ticks.
        idle_exit_s: after how much idle time its workers exit; None: never.
    """

    name: str
    every_s: float
    idle_exit_s: float | None

    def tick(self, simulation: "Simulation") -> None:
        """Launch, drain or stop workers."""
        ...


class Simulation:
    """One trace under one autoscaler.

    Attributes:
        base: the base workers, as a single worker with all their slots.
        bursts: burst workers that are paid for, by number; `gone`: those that have exited.
        waits: the time that each started activity has waited in the backlog.
        reexecuted: activities that had to start again because their worker was killed.
        phantom: tasks of ended workflows that are still counted in the backlog.
    """

    def __init__(
        self,
        trace: Trace,
        scaler: Scaler,
        *,
        seed: int,
        slots: int = 50,
        cold_s: tuple[float, float] = (10.0, 30.0),
    ) -> None:
        self.trace = trace
        self.slots = slots
        self.now = 0.0
        self.base = SimulatedWorker(-1, trace.base_slots, 0.0, "")
        self.base.up_at = 0.0
        self.bursts: dict[int, SimulatedWorker] = {}
        self.gone: list[SimulatedWorker] = []
        self.waits: list[float] = []
        self.reexecuted = 0
        self.phantom = trace.phantom
        self.finished = 0
        self.last_end_s = 0.0
        self._scaler = scaler
        self._cold_s = cold_s
        self._cold_starts = random.Random(f"cold{seed}")
        self._events: list[tuple[float, int, int, int, int]] = []
        self._order = 0
        self._schedule = BatchSchedule(trace.batches)
        self._queued_at = [0.0] * len(self._schedule.durations_s)
        self.versions = sorted({batch.version for batch in trace.batches})
        self.current_version = self.versions[0] if self.versions else 0
        self._backlogs: dict[int, deque[int]] = {version: deque() for version in self.versions}
        self._free: dict[int, deque[SimulatedWorker]] = {version: deque() for version in self.versions}
        self._running = 0
        self._token_at = 0.0
        self._dispatch_at = -1.0
        self._offer(self.base)

    @property
    def backlog(self) -> int:
        return sum(map(len, self._backlogs.values())) + self.phantom

    def backlog_of(self, version: int) -> int:
        """Activities of a version's workflows that wait: only its workers, and the base, can take them."""
        return len(self._backlogs[version])

    @property
    def used(self) -> int:
        """Slots in use."""
        return self._running

    def running_workflows(self, version: int | None = None) -> int:
        """Batches with activities to finish, as `CountWorkflowExecutions` counts them; exact and at once."""
        return self._schedule.unfinished(version)

    @property
    def hint_remaining(self) -> int:
        """Activities that batches with an in-flight limit have yet to schedule."""
        return self._schedule.unscheduled

    @property
    def hint_in_flight(self) -> int:
        """How many activities those batches keep in flight in total."""
        return self._schedule.in_flight_limit(self.now)

    def run(self, *, until_s: float = 86_400.0) -> None:
        """Run until all work is done and every burst worker has exited, or until `until_s`."""
        for number, batch in enumerate(self.trace.batches):
            self._push(batch.at_s, SimulationEvent.ARRIVE, number)
        self._push(0.0, SimulationEvent.TICK)
        while self._events and self.now < until_s:
            self.now, kind, _, number, activity = heapq.heappop(self._events)
            if kind == SimulationEvent.FINISH:
                self._finish(self.bursts.get(number) if number >= 0 else self.base, activity)
            elif kind == SimulationEvent.TICK:
                self._scaler.tick(self)
                if self.finished < len(self._schedule.durations_s) or self.bursts:
                    self._push(self.now + self._scaler.every_s, SimulationEvent.TICK)
            else:
                self._process(kind, number, activity)
                self._dispatch()

    def launch(self, workers: int, launch: str = "", *, version: int | None = None) -> None:
        """Launch workers of a version, by default the newest one, each with its own cold start."""
        for _ in range(workers):
            number = len(self.bursts) + len(self.gone)
            worker = SimulatedWorker(number, self.slots, self.now, launch)
            worker.version = self.current_version if version is None else version
            self.bursts[number] = worker
            self._push(self.now + self._cold_starts.uniform(*self._cold_s), SimulationEvent.UP, number)

    def drain(self, worker: SimulatedWorker, *, grace_s: float | None = None) -> None:
        """Give the worker no more work, and remove it when it is done, or after `grace_s` in any case."""
        worker.draining = True
        if not worker.tasks:
            self._remove(worker)
        elif grace_s is not None:
            self._push(self.now + grace_s, SimulationEvent.KILL, worker.number)

    def _process(self, kind: int, number: int, activity: int) -> None:
        if kind == SimulationEvent.ARRIVE:
            self.current_version = max(self.current_version, self.trace.batches[number].version)
            for arrived in self._schedule.arrive(number):
                self._enqueue(arrived)
        elif kind == SimulationEvent.REQUEUE:
            self._enqueue(activity)
        elif kind == SimulationEvent.UP:
            self._on_up(self.bursts.get(number))
        elif kind == SimulationEvent.IDLE:
            self._on_idle(self.bursts.get(number))
        elif kind == SimulationEvent.KILL:
            self._kill(self.bursts.get(number))

    def _enqueue(self, activity: int) -> None:
        self._queued_at[activity] = self.now
        self._backlogs[self._schedule.version_of(activity)].append(activity)

    def _on_up(self, worker: SimulatedWorker | None) -> None:
        if worker is None:
            return
        worker.up_at = self.now
        self.phantom = 0  # the first poll discards the tasks of ended workflows
        self._offer(worker)
        self._start_idle_timer(worker)

    def _dispatch(self) -> None:
        for version in self.versions:
            self._dispatch_version(version, self._backlogs[version], self._free[version])

    def _dispatch_version(self, version: int, backlog: deque[int], free: deque[SimulatedWorker]) -> None:
        while backlog and free:
            if self.trace.limit_per_s is not None and not self._take_rate_token():
                return
            worker = free[0]
            if worker.draining or worker.gone_at is not None or len(worker.tasks) >= worker.slots:
                free.popleft().queued.discard(version)
                continue
            free.rotate(-1)
            self._start(worker, backlog.popleft())

    def _take_rate_token(self) -> bool:
        """Take one start from Temporal's rate limit; if there is none, dispatch again when there is."""
        if self.now < self._token_at - 1e-9:
            if self._dispatch_at < self._token_at:
                self._dispatch_at = self._token_at
                self._push(self._token_at, SimulationEvent.DISPATCH)
            return False
        self._token_at = max(self.now, self._token_at) + 1 / (self.trace.limit_per_s or 1)
        return True

    def _start(self, worker: SimulatedWorker, activity: int) -> None:
        self.waits.append(self.now - self._queued_at[activity])
        worker.tasks.add(activity)
        worker.idle_since = None
        self._running += 1
        starts_at = self.now
        if self.trace.pace_per_s is not None:
            starts_at = max(self.now, self._token_at)
            self._token_at = starts_at + 1 / self.trace.pace_per_s
        ends_at = starts_at + self._schedule.durations_s[activity]
        self._push(ends_at, SimulationEvent.FINISH, worker.number, activity)

    def _finish(self, worker: SimulatedWorker | None, activity: int) -> None:
        if worker is None or activity not in worker.tasks:
            return
        worker.tasks.discard(activity)
        worker.done += 1
        self._running -= 1
        self.finished += 1
        self.last_end_s = self.now
        following = self._schedule.finish(activity)
        if following is not None:
            self._enqueue(following)
        if worker.draining and not worker.tasks:
            self._remove(worker)
        else:
            self._offer(worker)
            self._dispatch()
            self._start_idle_timer(worker)

    def _offer(self, worker: SimulatedWorker) -> None:
        """Put the worker in the queues of workers with free slots, a base worker in that of every version."""
        if worker.draining or len(worker.tasks) >= worker.slots:
            return
        for version in self.versions if worker is self.base else (worker.version,):
            if version not in worker.queued:
                worker.queued.add(version)
                self._free[version].append(worker)

    def _start_idle_timer(self, worker: SimulatedWorker) -> None:
        if worker.number >= 0 and not worker.tasks and self._scaler.idle_exit_s is not None:
            worker.idle_since = self.now
            self._push(self.now + self._scaler.idle_exit_s, SimulationEvent.IDLE, worker.number)

    def _on_idle(self, worker: SimulatedWorker | None) -> None:
        if worker is None or worker.idle_since is None or worker.tasks:
            return
        if self.now - worker.idle_since >= (self._scaler.idle_exit_s or 0.0) - 1e-9:
            self._remove(worker)

    def _kill(self, worker: SimulatedWorker | None) -> None:
        if worker is None:
            return
        for activity in worker.tasks:
            self.reexecuted += 1
            self._running -= 1
            self._push(self.now + HEARTBEAT_TIMEOUT_S, SimulationEvent.REQUEUE, 0, activity)
        worker.tasks.clear()
        self._remove(worker)

    def _remove(self, worker: SimulatedWorker) -> None:
        worker.draining = True
        worker.gone_at = self.now
        self.gone.append(self.bursts.pop(worker.number))

    def _push(self, at: float, kind: SimulationEvent, number: int = 0, activity: int = 0) -> None:
        """Schedule an event. `number` is that of a batch or a worker, depending on the kind."""
        self._order += 1
        heapq.heappush(self._events, (at, kind, self._order, number, activity))
