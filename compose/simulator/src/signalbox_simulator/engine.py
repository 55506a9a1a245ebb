"""The discrete events: a backlog, workers with slots, cold starts, drains and kills. Knows no autoscaler; one calls it back."""

import heapq
import random
from collections import deque
from enum import IntEnum
from typing import Final, Protocol

from signalbox_simulator.traces import Trace

REQUEUE_S: Final = 30.0
"""A killed worker's activities start again after their heartbeat timeout."""


class EventKind(IntEnum):
    """At one instant, work ends before new work is handed out, and the autoscaler looks last."""

    FINISH = 0
    ARRIVE = 1
    REQUEUE = 2
    UP = 3
    DISPATCH = 4
    IDLE = 5
    KILL = 6
    TICK = 7


class SimulatedWorker:
    """A worker of the simulation. `tasks`: running; `up_at`: None while it starts; `gone_at`: None while it is paid."""

    __slots__ = (
        "done",
        "draining",
        "gone_at",
        "idle_since",
        "launch",
        "launched_at",
        "number",
        "queued",
        "slots",
        "tasks",
        "up_at",
    )

    def __init__(self, number: int, slots: int, launched_at: float, launch: str) -> None:
        self.number = number
        self.slots = slots
        self.launched_at = launched_at
        self.launch = launch
        self.up_at: float | None = None
        self.gone_at: float | None = None
        self.idle_since: float | None = None
        self.draining = False
        self.queued = False
        self.tasks: set[int] = set()
        self.done = 0


class Scaler(Protocol):
    """An autoscaler of the simulation.

    Attributes:
        every_s: between two looks; idle_exit_s: after which its workers leave by themselves, None: never.
    """

    name: str
    every_s: float
    idle_exit_s: float | None

    def tick(self, simulation: "Simulation") -> None:
        """Launch, drain or stop workers of the simulation."""
        ...


class Simulation:
    """One run of one trace under one autoscaler."""

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
        self._cold = random.Random(f"cold{seed}")
        self._events: list[tuple[float, int, int, int, int]] = []
        self._order = 0
        self._durations = [duration for batch in trace.batches for duration in batch.durations_s]
        self._batch_of = [number for number, batch in enumerate(trace.batches) for _ in batch.durations_s]
        self._next = [0] * len(trace.batches)
        first = 0
        self._first = []
        for batch in trace.batches:
            self._first.append(first)
            first += len(batch.durations_s)
        self._came = [0.0] * len(self._durations)
        self._backlog: deque[int] = deque()
        self._free: deque[SimulatedWorker] = deque()
        self._running = 0
        self._token_at = 0.0
        self._dispatch_at = -1.0
        self._unscheduled = 0
        self._offer(self.base)

    @property
    def backlog(self) -> int:
        return len(self._backlog) + self.phantom

    @property
    def used(self) -> int:
        return self._running

    @property
    def hint_remaining(self) -> int:
        """What batches with a bound in flight have still to schedule."""
        return self._unscheduled

    @property
    def hint_in_flight(self) -> int:
        """What those batches keep in flight together."""
        open_batches = (
            (number, batch)
            for number, batch in enumerate(self.trace.batches)
            if batch.in_flight is not None and batch.at_s <= self.now
        )
        return sum(
            batch.in_flight or 0
            for number, batch in open_batches
            if self._next[number] < len(batch.durations_s)
        )

    def run(self, *, until_s: float = 86_400.0) -> None:
        """To the end of the work and of the last burst worker, or to `until_s`."""
        for number, batch in enumerate(self.trace.batches):
            self._push(batch.at_s, EventKind.ARRIVE, number)
        self._push(0.0, EventKind.TICK)
        while self._events and self.now < until_s:
            self.now, kind, _, a, b = heapq.heappop(self._events)
            if kind == EventKind.FINISH:
                self._finish(self.bursts.get(a) if a >= 0 else self.base, b)
            elif kind == EventKind.TICK:
                self._scaler.tick(self)
                if self.finished < len(self._durations) or self.bursts:
                    self._push(self.now + self._scaler.every_s, EventKind.TICK)
            else:
                self._other(kind, a, b)

    def launch(self, workers: int, launch: str = "") -> None:
        """Request workers; each takes a cold start of its own."""
        for _ in range(workers):
            number = len(self.bursts) + len(self.gone)
            worker = SimulatedWorker(number, self.slots, self.now, launch)
            self.bursts[number] = worker
            self._push(self.now + self._cold.uniform(*self._cold_s), EventKind.UP, number)

    def drain(self, worker: SimulatedWorker, *, grace_s: float | None = None) -> None:
        """Take no more work, leave when the present is done; after `grace_s`, with whatever is not."""
        worker.draining = True
        if not worker.tasks:
            self._leave(worker)
        elif grace_s is not None:
            self._push(self.now + grace_s, EventKind.KILL, worker.number)

    def _other(self, kind: int, a: int, b: int) -> None:
        if kind == EventKind.ARRIVE:
            self._arrive(a)
        elif kind == EventKind.REQUEUE:
            self._enqueue(b)
        elif kind == EventKind.UP:
            self._up(self.bursts.get(a))
        elif kind == EventKind.IDLE:
            self._idle(self.bursts.get(a))
        elif kind == EventKind.KILL:
            self._kill(self.bursts.get(a))
        self._dispatch()

    def _arrive(self, number: int) -> None:
        batch = self.trace.batches[number]
        count = (
            len(batch.durations_s)
            if batch.in_flight is None
            else min(batch.in_flight, len(batch.durations_s))
        )
        self._next[number] = count
        self._unscheduled += len(batch.durations_s) - count
        for task in range(self._first[number], self._first[number] + count):
            self._enqueue(task)

    def _enqueue(self, task: int) -> None:
        self._came[task] = self.now
        self._backlog.append(task)

    def _up(self, worker: SimulatedWorker | None) -> None:
        if worker is None:
            return
        worker.up_at = self.now
        # The first poll finds the tasks of ended workflows and discards them.
        self.phantom = 0
        self._offer(worker)
        self._rest(worker)

    def _dispatch(self) -> None:
        backlog, free = self._backlog, self._free
        while backlog and free:
            if self.trace.limit_per_s is not None and not self._token():
                return
            worker = free[0]
            if worker.draining or worker.gone_at is not None or len(worker.tasks) >= worker.slots:
                free.popleft().queued = False
                continue
            free.rotate(-1)
            self._start(worker, backlog.popleft())

    def _token(self) -> bool:
        """Take one start of Temporal's limit; without one, come again when there is."""
        if self.now < self._token_at - 1e-9:
            if self._dispatch_at < self._token_at:
                self._dispatch_at = self._token_at
                self._push(self._token_at, EventKind.DISPATCH)
            return False
        self._token_at = max(self.now, self._token_at) + 1 / (self.trace.limit_per_s or 1)
        return True

    def _start(self, worker: SimulatedWorker, task: int) -> None:
        self.waits.append(self.now - self._came[task])
        worker.tasks.add(task)
        worker.idle_since = None
        self._running += 1
        begin = self.now
        if self.trace.pace_per_s is not None:
            begin = max(self.now, self._token_at)
            self._token_at = begin + 1 / self.trace.pace_per_s
        self._push(begin + self._durations[task], EventKind.FINISH, worker.number, task)

    def _finish(self, worker: SimulatedWorker | None, task: int) -> None:
        if worker is None or task not in worker.tasks:
            return
        worker.tasks.discard(task)
        worker.done += 1
        self._running -= 1
        self.finished += 1
        self.last_end_s = self.now
        self._schedule_next(self._batch_of[task])
        if worker.draining and not worker.tasks:
            self._leave(worker)
        else:
            self._offer(worker)
            self._dispatch()
            self._rest(worker)

    def _schedule_next(self, number: int) -> None:
        batch = self.trace.batches[number]
        if batch.in_flight is not None and self._next[number] < len(batch.durations_s):
            self._enqueue(self._first[number] + self._next[number])
            self._next[number] += 1
            self._unscheduled -= 1

    def _offer(self, worker: SimulatedWorker) -> None:
        if not worker.queued and not worker.draining and len(worker.tasks) < worker.slots:
            worker.queued = True
            self._free.append(worker)

    def _rest(self, worker: SimulatedWorker) -> None:
        if worker.number >= 0 and not worker.tasks and self._scaler.idle_exit_s is not None:
            worker.idle_since = self.now
            self._push(self.now + self._scaler.idle_exit_s, EventKind.IDLE, worker.number)

    def _idle(self, worker: SimulatedWorker | None) -> None:
        idle_s = self._scaler.idle_exit_s or 0.0
        if (
            worker is not None
            and worker.idle_since is not None
            and self.now - worker.idle_since >= idle_s - 1e-9
            and not worker.tasks
        ):
            self._leave(worker)

    def _kill(self, worker: SimulatedWorker | None) -> None:
        if worker is None:
            return
        for task in worker.tasks:
            self.reexecuted += 1
            self._running -= 1
            self._push(self.now + REQUEUE_S, EventKind.REQUEUE, 0, task)
        worker.tasks.clear()
        self._leave(worker)

    def _leave(self, worker: SimulatedWorker) -> None:
        worker.draining = True
        worker.gone_at = self.now
        self.gone.append(self.bursts.pop(worker.number))

    def _push(self, at: float, kind: EventKind, a: int = 0, b: int = 0) -> None:
        self._order += 1
        heapq.heappush(self._events, (at, kind, self._order, a, b))
