"""Burst workers as processes of this machine: the dev stack's provider, and one for a single large host.

What it launched is written down in a folder, so that another autoscaler on this machine finds it and nothing is launched twice.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_autoscaler.providers.provider import ENDS, Execution, ExecutionState, LaunchRefused, Order

log = logging.getLogger(__name__)

_RECORD: Final = "launch.json"
_KEPT_S: Final = 3_600.0
_DRAIN_WITHIN_S: Final = 8.0
_INDEX: Final = "SIGNALBOX_WORKER_BURST_INDEX"


class _Process(Struct, frozen=True):
    """Attributes:
    born: the kernel's start time of it; tells it from a later process of the same number.
    """

    pid: int
    born: str


class _Launch(Struct, frozen=True, kw_only=True):
    launch_id: str
    began_at: float
    processes: tuple[_Process, ...]


class LocalProcesses:
    """Runs `command` with the order's environment on top of `environ`.

    Args:
        folder: where launches are written down and workers write their logs; shared by every autoscaler of this machine.
    """

    name = "local"
    settles_s = 5.0

    def __init__(
        self, folder: Path, command: Sequence[str], environ: Mapping[str, str], *, max_workers: int = 10
    ) -> None:
        self.max_workers = max_workers
        self._folder = folder
        self._command = tuple(command)
        self._environ = dict(environ)
        self._children: dict[int, asyncio.subprocess.Process] = {}

    async def launch(self, order: Order) -> str:
        place = self._folder / order.launch_id
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            place.mkdir()
        except FileExistsError:
            return order.launch_id
        except OSError as error:
            raise LaunchRefused(
                f"cannot write down launch {order.launch_id} in {self._folder}: {error.strerror}"
            ) from error
        began_at = time.time()
        processes: tuple[_Process, ...] = ()
        for index in range(order.workers):
            process = await self._start(order, index, place)
            processes = (*processes, process) if process else processes
            _write(
                place / _RECORD, _Launch(launch_id=order.launch_id, began_at=began_at, processes=processes)
            )
        if not processes:
            raise LaunchRefused(
                f"launch {order.launch_id}: {self._command[0]} cannot be started; see {place}"
            )
        return order.launch_id

    async def _start(self, order: Order, index: int, place: Path) -> _Process | None:
        environment = {**self._environ, **order.variables, _INDEX: str(index)}
        with (place / f"worker-{index}.log").open("ab") as out:
            try:
                child = await asyncio.create_subprocess_exec(
                    *self._command,
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            except OSError as error:
                out.write(f"cannot start {self._command[0]}: {error.strerror}\n".encode())
                return None
        self._children[child.pid] = child
        return _Process(child.pid, _born(child.pid) or "")

    async def executions(self) -> Sequence[Execution]:
        found = [self._execution(place) for place in sorted(self._folder.glob(f"*/{_RECORD}"))]
        return [execution for execution in found if execution is not None]

    def _execution(self, record: Path) -> Execution | None:
        try:
            launch = msgspec.json.decode(record.read_bytes(), type=_Launch)
        except (OSError, msgspec.MsgspecError):
            return None
        counts = {"running": 0, "succeeded": 0, "failed": 0, "cancelled": 0}
        for process in launch.processes:
            counts[self._outcome(process, record.parent)] += 1
        ended_at = _ended_at(record.parent, is_running=counts["running"] > 0)
        if ended_at and time.time() - ended_at > _KEPT_S:
            shutil.rmtree(record.parent, ignore_errors=True)
            return None
        lasted_s = (ended_at or time.time()) - launch.began_at
        return Execution(
            launch_id=launch.launch_id,
            handle=launch.launch_id,
            state=_state(counts),
            lasted_s=lasted_s,
            **counts,
        )

    def _outcome(self, process: _Process, place: Path) -> str:
        child = self._children.get(process.pid)
        code = child.returncode if child is not None else None
        # A child of ours that has ended and was not waited for yet has no code: it is not over before it has one.
        is_running = code is None if child is not None else _born(process.pid) == process.born
        if is_running:
            return "running"
        if (place / "cancelled").exists():
            return "cancelled"
        # Only the parent learns how a process ended; a worker adopted from another autoscaler counts as done.
        return "failed" if code else "succeeded"

    async def cancel(self, handle: str) -> None:
        place = self._folder / handle
        execution = self._execution(place / _RECORD)
        if execution is None or execution.state in ENDS:
            return
        (place / "cancelled").touch()
        self._signal(place, signal.SIGKILL)

    async def aclose(self) -> None:
        """Workers of this autoscaler drain and end, within 8 s: nobody is left to size them, and it may be their machine that stops."""
        own = [child for child in self._children.values() if child.returncode is None]
        for place in self._folder.glob("*"):
            self._signal(place, signal.SIGTERM, only_own=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_WITHIN_S):
                await asyncio.gather(*(child.wait() for child in own))
        for place in self._folder.glob("*"):
            self._signal(place, signal.SIGKILL, only_own=True)

    def _signal(self, place: Path, number: signal.Signals, *, only_own: bool = False) -> None:
        try:
            launch = msgspec.json.decode((place / _RECORD).read_bytes(), type=_Launch)
        except (OSError, msgspec.MsgspecError):
            return
        for process in launch.processes:
            if _born(process.pid) == process.born and (not only_own or process.pid in self._children):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, number)


def _state(counts: Mapping[str, int]) -> ExecutionState:
    if counts["running"]:
        return ExecutionState.RUNNING
    if counts["cancelled"]:
        return ExecutionState.CANCELLED
    return ExecutionState.FAILED if counts["failed"] or not counts["succeeded"] else ExecutionState.SUCCEEDED


def _ended_at(place: Path, *, is_running: bool) -> float | None:
    """When it was first seen to have ended."""
    mark = place / "ended"
    if is_running:
        return None
    if not mark.exists():
        mark.touch()
    return mark.stat().st_mtime


def _write(path: Path, launch: _Launch) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(launch))
    fresh.replace(path)


def _born(pid: int) -> str | None:
    """The kernel's start time of a living process; None: there is none. Linux only: elsewhere a process is taken for the one it was."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return "" if not Path("/proc/self/stat").exists() and _exists(pid) else None
    except ProcessLookupError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
