"""Burst workers as processes of this machine: for the dev stack, and for a single large host.

Launches are recorded in a folder that all autoscalers of the machine share, so that none is started twice.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_autoscaler.providers.provider import (
    ENDS,
    Execution,
    ExecutionState,
    LaunchRefused,
    LaunchSpec,
    parse_accepted,
)

log = logging.getLogger(__name__)

_RECORD: Final = "launch.json"
_RECENT_S: Final = 3_600.0
_DRAIN_TIMEOUT_S: Final = 8.0
_INDEX: Final = "SIGNALBOX_WORKER_BURST_INDEX"


class _Process(Struct, frozen=True):
    """A worker process.

    Attributes:
        born: the kernel's start time, which distinguishes it from a later process with the same pid.
    """

    pid: int
    born: str


class _Launch(Struct, frozen=True, kw_only=True):
    launch_id: str
    began_at: float
    processes: tuple[_Process, ...]
    variables: Mapping[str, str] = {}


class LocalProcesses:
    """Runs `command` with the environment of the launch on top of `environ`.

    Args:
        folder: of launch records and worker logs; shared by all autoscalers of this machine.
    """

    name = "local"
    listing_delay_s = 5.0

    def __init__(
        self, folder: Path, command: Sequence[str], environ: Mapping[str, str], *, max_workers: int = 10
    ) -> None:
        self.max_workers = max_workers
        self._folder = folder
        self._command = tuple(command)
        self._environ = dict(environ)
        self._children: dict[int, asyncio.subprocess.Process] = {}

    async def launch(self, spec: LaunchSpec) -> str:
        launch_folder = self._folder / spec.launch_id
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            launch_folder.mkdir()
        except FileExistsError:
            return spec.launch_id
        except OSError as error:
            raise LaunchRefused(
                f"cannot record launch {spec.launch_id} in {self._folder}: {error.strerror}"
            ) from error
        began_at = time.time()
        processes: tuple[_Process, ...] = ()
        for index in range(spec.workers):
            process = await self._start(spec, index, launch_folder)
            processes = (*processes, process) if process else processes
            _write(
                launch_folder / _RECORD,
                _Launch(
                    launch_id=spec.launch_id,
                    began_at=began_at,
                    processes=processes,
                    variables=spec.variables,
                ),
            )
        if not processes:
            raise LaunchRefused(
                f"launch {spec.launch_id}: {self._command[0]} cannot be started; see {launch_folder}"
            )
        return spec.launch_id

    async def _start(self, spec: LaunchSpec, index: int, launch_folder: Path) -> _Process | None:
        environment = {**self._environ, **spec.variables, _INDEX: str(index)}
        with (launch_folder / f"worker-{index}.log").open("ab") as out:
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
        found = [self._execution(record) for record in sorted(self._folder.glob(f"*/{_RECORD}"))]
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
        if ended_at and time.time() - ended_at > _RECENT_S:
            shutil.rmtree(record.parent, ignore_errors=True)
            return None
        lasted_s = (ended_at or time.time()) - launch.began_at
        return Execution(
            launch_id=launch.launch_id,
            handle=launch.launch_id,
            state=_state(counts),
            lasted_s=lasted_s,
            accepted=parse_accepted(
                launch.variables,
                workers=len(launch.processes),
                accepted_at=datetime.fromtimestamp(launch.began_at, UTC),
            ),
            **counts,
        )

    def _outcome(self, process: _Process, launch_folder: Path) -> str:
        child = self._children.get(process.pid)
        code = child.returncode if child is not None else None
        # A child counts as running until its exit code is known, even if the process is already gone.
        is_running = code is None if child is not None else _born(process.pid) == process.born
        if is_running:
            return "running"
        if (launch_folder / "cancelled").exists():
            return "cancelled"
        # Only the parent learns the exit code; a worker that another autoscaler started counts as succeeded.
        return "failed" if code else "succeeded"

    async def cancel(self, handle: str) -> None:
        launch_folder = self._folder / handle
        execution = self._execution(launch_folder / _RECORD)
        if execution is None or execution.state in ENDS:
            return
        (launch_folder / "cancelled").touch()
        self._signal(launch_folder, signal.SIGKILL)

    async def aclose(self) -> None:
        """Drain the workers that this autoscaler started, and kill them after 8 s: the machine may be
        shutting down."""
        own = [child for child in self._children.values() if child.returncode is None]
        for launch_folder in self._folder.glob("*"):
            self._signal(launch_folder, signal.SIGTERM, only_own=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_TIMEOUT_S):
                await asyncio.gather(*(child.wait() for child in own))
        for launch_folder in self._folder.glob("*"):
            self._signal(launch_folder, signal.SIGKILL, only_own=True)

    def _signal(self, launch_folder: Path, signum: signal.Signals, *, only_own: bool = False) -> None:
        try:
            launch = msgspec.json.decode((launch_folder / _RECORD).read_bytes(), type=_Launch)
        except (OSError, msgspec.MsgspecError):
            return
        for process in launch.processes:
            if _born(process.pid) == process.born and (not only_own or process.pid in self._children):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signum)


def _state(counts: Mapping[str, int]) -> ExecutionState:
    if counts["running"]:
        return ExecutionState.RUNNING
    if counts["cancelled"]:
        return ExecutionState.CANCELLED
    return ExecutionState.FAILED if counts["failed"] or not counts["succeeded"] else ExecutionState.SUCCEEDED


def _ended_at(launch_folder: Path, *, is_running: bool) -> float | None:
    """When the launch was first seen to have ended; recorded in a marker file."""
    mark = launch_folder / "ended"
    if is_running:
        return None
    if not mark.exists():
        mark.touch()
    return mark.stat().st_mtime


def _write(path: Path, launch: _Launch) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec.json.encode(launch))
    temporary.replace(path)


def _born(pid: int) -> str | None:
    """The kernel's start time of a process; None: it does not run.

    Only Linux has it. Elsewhere it is empty, and any process with the pid counts as the recorded one.
    """
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
