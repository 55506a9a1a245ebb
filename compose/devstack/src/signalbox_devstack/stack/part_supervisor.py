"""Supervises one part: starts it, waits until it is ready, and restarts it with exponential backoff when it
exits.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal

from msgspec import Struct

from signalbox_core.errors import Unavailable
from signalbox_devstack.stack.child import Child
from signalbox_devstack.stack.demand import DemandSocket
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.parts.part import Part
from signalbox_devstack.stack.probes import is_ready, wait_until_ready

PartStatus = Literal[
    "waiting", "on_demand", "starting", "ready", "unhealthy", "restarting", "held", "stopped"
]
"""`on_demand`: starts on its first connection; `unhealthy`: it was ready, and its probe fails now; `held`:
stopped with `signalbox-dev stop`, and not restarted; `stopped`: the whole stack is stopping.
"""
Report = Callable[[str], None]
_RUNNING: Final = frozenset({"ready", "unhealthy"})

_FIRST_DELAY_S: Final = 0.2
_MAX_DELAY_S: Final = 10.0
_RESET_AFTER_S: Final = 30.0
"""A part that ran this long starts over with the first delay."""
_HOLD_POLL_S: Final = 0.05
_DEMAND_POLL_S: Final = 0.25
_HEALTH_INTERVAL_S: Final = 2.0
_UNHEALTHY_AFTER: Final = 2
"""Failed probes in a row, so that one slow response of a busy machine does not count."""


class PartState(Struct, frozen=True, kw_only=True):
    """What `signalbox-dev status` shows of one part."""

    name: str
    address: str
    status: PartStatus
    pid: int | None = None
    restarts: int = 0
    log: str = ""


def restart_delay_s(consecutive_exits: int) -> float:
    """0.2, 0.4, 0.8 … at most 10 seconds."""
    return float(min(_MAX_DELAY_S, _FIRST_DELAY_S * 2 ** (consecutive_exits - 1)))


class PartSupervisor:
    """Owns the child process of one part from its first start until `stop`."""

    def __init__(
        self,
        part: Part,
        folder: StateFolder,
        environ: Mapping[str, str],
        on_change: Callable[[], None],
        report: Report,
    ) -> None:
        self.part = part
        self._folder = folder
        self._environ = environ
        self._on_change = on_change
        self._report = report
        self._child: Child | None = None
        self._demand = DemandSocket(part.demand_port) if part.demand_port is not None else None
        self._status: PartStatus = "waiting"
        self._restarts = 0

    def state(self) -> PartState:
        child = self._child
        return PartState(
            name=self.part.name,
            address=self.part.address,
            status=self._status,
            pid=child.pid if child and child.is_alive else None,
            restarts=self._restarts,
            log=str(self._folder.log(self.part.name)),
        )

    async def start(self) -> None:
        """Start the part for the first time, or listen in its place if it starts on demand.

        Raises:
            Unavailable: it exited or did not become ready; the message carries its last log lines.
        """
        if self._demand is not None:
            self._listen(self._demand)
            self._set_status("on_demand")
            self._report(f"{self.part.name} starts on demand on {self.part.address}")
            return
        started_at = time.monotonic()
        self._set_status("starting")
        await self._spawn()
        failure = await self._readiness_failure()
        if failure:
            raise Unavailable(f"{self.part.name} {failure}{self._cause()}")
        self._set_status("ready")
        took_s = time.monotonic() - started_at
        self._report(f"{self.part.name} ready after {took_s:.1f} s on {self.part.address}")

    async def supervise(self) -> None:
        """After `start`: restart the part whenever it exits, until cancelled."""
        if self._demand is not None:
            await self._start_on_demand(self._demand)
        exits = 0
        while self._child:
            started_at = time.monotonic()
            code = await self._child.wait()
            exits = 1 if time.monotonic() - started_at > _RESET_AFTER_S else exits + 1
            await self._wait_before_restart(code, exits)
            await self._restart()

    async def watch_health(self) -> None:
        """Probe the part while it runs, until cancelled: `ready` becomes `unhealthy`, and back."""
        failures = 0
        while True:
            await asyncio.sleep(_HEALTH_INTERVAL_S)
            child = self._child
            is_healthy = self._status not in _RUNNING or await is_ready(self.part.probe)
            failures = 0 if is_healthy or self._child is not child else failures + 1
            self._set_health(failures)

    def _set_health(self, failures: int) -> None:
        if self._status == "ready" and failures >= _UNHEALTHY_AFTER:
            self._report(f"{self.part.name} is unhealthy{self._cause()}")
            self._set_status("unhealthy")
        elif self._status == "unhealthy" and failures == 0:
            self._report(f"{self.part.name} is healthy again")
            self._set_status("ready")

    async def stop(self) -> None:
        if self._child:
            await self._child.stop(self.part.stop_within_s)
        self._child = None
        if self._demand is not None:
            self._demand.close()
        self._set_status("stopped")

    async def _start_on_demand(self, demand: DemandSocket) -> None:
        """Start the part on its first connection, or when it is started after a stop."""
        while self._child is None:
            if self._folder.is_held(self.part.name):
                await self._wait_while_held()
            elif not await demand.has_connection(within_s=_DEMAND_POLL_S):
                continue
            self._report(f"{self.part.name} is needed; starting it")
            await self._launch("starting")
            if self._child is None:
                await asyncio.sleep(_MAX_DELAY_S)

    async def _wait_before_restart(self, code: int, exits: int) -> None:
        name = self.part.name
        if self._folder.is_held(name):
            await self._wait_while_held()
            return
        self._set_status("restarting")
        delay_s = restart_delay_s(exits)
        self._report(f"{name} {_describe_exit(code)}; restarting in {delay_s:.1f} s{self._cause()}")
        await asyncio.sleep(delay_s)

    async def _wait_while_held(self) -> None:
        name = self.part.name
        if self._demand is not None:
            self._demand.close()
        self._report(f"{name} was stopped; start it with: signalbox-dev start {name}")
        self._set_status("held")
        while self._folder.is_held(name):  # noqa: ASYNC110 - another process removes the file
            await asyncio.sleep(_HOLD_POLL_S)
        if self._demand is not None:
            await self._listen_again(self._demand)

    async def _restart(self) -> None:
        self._restarts += 1
        await self._launch("restarting")

    async def _launch(self, status: PartStatus) -> None:
        """Start the child. On failure it has exited, so that `supervise` tries again."""
        try:
            child = await self._spawn()
        except Unavailable as error:
            self._report(error.detail)
            return
        self._set_status(status)
        failure = await self._readiness_failure()
        if failure is None:
            self._set_status("ready")
            self._report(f"{self.part.name} is ready{' again' if self._restarts else ''} (pid {child.pid})")
        elif child.is_alive:
            self._report(f"{self.part.name} {failure}; stopping it")
            await child.stop(self.part.stop_within_s)

    async def _spawn(self) -> Child:
        log = self._folder.log(self.part.name)
        listen_fd = self._demand.descriptor if self._demand is not None else None
        try:
            self._child = await Child.start(self.part, log, self._environ, listen_fd)
        except OSError as error:
            raise Unavailable(
                f"{self.part.name}: cannot start {self.part.argv[0]}: {error.strerror}"
            ) from error
        return self._child

    def _listen(self, demand: DemandSocket) -> None:
        try:
            demand.open()
        except OSError as error:
            raise Unavailable(f"{self.part.name}: cannot listen on {self.part.address}: {error}") from error

    async def _listen_again(self, demand: DemandSocket) -> None:
        while True:
            try:
                return self._listen(demand)
            except Unavailable as error:
                self._report(error.detail)
                await asyncio.sleep(_MAX_DELAY_S)

    async def _readiness_failure(self) -> str | None:
        """Wait until the probe succeeds: None, or the reason why it did not."""
        if self._child is None:
            return "was not started"
        ready = asyncio.create_task(wait_until_ready(self.part.probe))
        exited = asyncio.create_task(self._child.wait())
        try:
            done, _ = await asyncio.wait(
                (ready, exited), timeout=self.part.ready_within_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ready.cancel()
            exited.cancel()
        if exited in done:
            return _describe_exit(exited.result())
        return None if ready in done else f"was not ready within {self.part.ready_within_s:g} s"

    def _set_status(self, status: PartStatus) -> None:
        self._status = status
        self._on_change()

    def _cause(self) -> str:
        """Why it failed: a full disk, which also cuts off the log, or the last lines of the log."""
        problem = self._folder.disk_problem()
        if problem:
            return f": {problem}"
        lines = self._child.last_lines() if self._child else []
        return "".join(f"\n    {line[:400]}" for line in lines)


def _describe_exit(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
