"""Keeping one part alive: start it, see it ready, and when it dies say so and start it again after a growing pause."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal

from msgspec import Struct

from signalbox_core.errors import Unavailable
from signalbox_devstack.stack.child import Child
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.parts import Part
from signalbox_devstack.stack.probes import until_ready

PartStatus = Literal["waiting", "starting", "ready", "restarting", "held", "stopped"]
Report = Callable[[str], None]

_FIRST_PAUSE_S: Final = 0.2
_MAX_PAUSE_S: Final = 10.0
_STEADY_AFTER_S: Final = 30.0
_HELD_EVERY_S: Final = 0.05


class PartState(Struct, frozen=True, kw_only=True):
    """What `status` shows of one part."""

    name: str
    address: str
    status: PartStatus
    pid: int | None = None
    restarts: int = 0
    log: str = ""


def pause_s(deaths_in_a_row: int) -> float:
    """0.2, 0.4, 0.8 … 10 seconds."""
    return float(min(_MAX_PAUSE_S, _FIRST_PAUSE_S * 2 ** (deaths_in_a_row - 1)))


class Keeper:
    """Owns the child of one part from its first start to `stop`."""

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
        """The first start, which must succeed.

        Raises:
            Unavailable: the program ended or did not become ready; the message carries its last log lines.
        """
        began = time.monotonic()
        self._become("starting")
        await self._spawn()
        trouble = await self._trouble_getting_ready()
        if trouble:
            raise Unavailable(f"{self.part.name} {trouble}{self._last_lines()}")
        self._become("ready")
        self._report(f"{self.part.name} ready after {time.monotonic() - began:.1f} s on {self.part.address}")

    async def keep(self) -> None:
        """After `start`: watch the child, start it again whenever it dies. Ends by cancellation only."""
        deaths = 0
        while self._child:
            began = time.monotonic()
            code = await self._child.wait()
            deaths = 1 if time.monotonic() - began > _STEADY_AFTER_S else deaths + 1
            await self._after_death(code, deaths)
            await self._start_again()

    async def stop(self) -> None:
        if self._child:
            await self._child.stop(self.part.stop_within_s)
        self._child = None
        self._become("stopped")

    async def _after_death(self, code: int, deaths: int) -> None:
        if self._folder.held(self.part.name):
            self._report(f"{self.part.name} is held down")
            self._become("held")
            while self._folder.held(self.part.name):  # noqa: ASYNC110 - another process removes the file
                await asyncio.sleep(_HELD_EVERY_S)
            return
        self._become("restarting")
        self._report(
            f"{self.part.name} {_ending(code)}; starting it again in {pause_s(deaths):.1f} s{self._last_lines()}"
        )
        await asyncio.sleep(pause_s(deaths))

    async def _start_again(self) -> None:
        """Leaves either a ready child or an ended one, for which `keep` comes back."""
        self._restarts += 1
        try:
            child = await self._spawn()
        except Unavailable as error:
            self._report(error.detail)
            return
        self._become("restarting")
        trouble = await self._trouble_getting_ready()
        if trouble is None:
            self._become("ready")
            self._report(f"{self.part.name} is ready again (pid {child.pid})")
        elif child.is_alive:
            self._report(f"{self.part.name} {trouble}; ending it")
            await child.stop(self.part.stop_within_s)

    async def _spawn(self) -> Child:
        try:
            self._child = await Child.start(self.part, self._folder.log(self.part.name), self._environ)
        except OSError as error:
            raise Unavailable(
                f"{self.part.name}: cannot start {self.part.argv[0]}: {error.strerror}"
            ) from error
        return self._child

    async def _trouble_getting_ready(self) -> str | None:
        """None once the part answers; otherwise what went wrong."""
        if self._child is None:
            return "was not started"
        ready, ended = (
            asyncio.create_task(until_ready(self.part.probe)),
            asyncio.create_task(self._child.wait()),
        )
        try:
            done, _ = await asyncio.wait(
                (ready, ended), timeout=self.part.ready_within_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ready.cancel()
            ended.cancel()
        if ended in done:
            return _ending(ended.result())
        return None if ready in done else f"was not ready within {self.part.ready_within_s:g} s"

    def _become(self, status: PartStatus) -> None:
        self._status = status
        self._on_change()

    def _last_lines(self) -> str:
        lines = self._child.last_lines() if self._child else []
        return "".join(f"\n    {line[:400]}" for line in lines)


def _ending(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
