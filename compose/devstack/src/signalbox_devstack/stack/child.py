"""One child process in its own process group, with a log file.

The kernel kills it when the supervisor dies.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from signalbox_devstack.stack.folder import PRIVATE_UMASK, open_log
from signalbox_devstack.stack.parts.part import Part

_PR_SET_PDEATHSIG: Final = 1
_TAIL_BYTES: Final = 16_384


class Child:
    """A running child. Its whole process group is killed with it, so nothing it started is left behind."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @classmethod
    async def start(
        cls, part: Part, log: Path, environ: Mapping[str, str], listen_fd: int | None = None
    ) -> "Child":
        """Start the part's program.

        Args:
            listen_fd: an open listening socket that the child inherits.

        Raises:
            OSError: the program cannot be started.
        """
        inherited = () if listen_fd is None else (listen_fd,)
        with open_log(log) as out:
            process = await asyncio.create_subprocess_exec(
                *part.argv,
                *(word for descriptor in inherited for word in ("--listen-fd", str(descriptor))),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=asyncio.subprocess.STDOUT,
                env={**environ, **part.env},
                # Ctrl-C in the terminal reaches the supervisor alone, which stops the children in order.
                start_new_session=True,
                umask=PRIVATE_UMASK,
                pass_fds=inherited,
                preexec_fn=kill_with_parent(os.getpid()),
            )
        return cls(process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait for the exit code; a negative one is the signal that ended the process."""
        code = await self._process.wait()
        self._signal_group(signal.SIGKILL)
        return code

    async def stop(self, within_s: float) -> None:
        """Send SIGTERM, then SIGKILL to whatever is left of the group after `within_s`."""
        if self._process.returncode is None:
            self._signal_group(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._process.wait()
        self._signal_group(signal.SIGKILL)
        await self._process.wait()

    def last_lines(self, count: int = 8) -> list[str]:
        return last_lines(self._log, count)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def last_lines(log: Path, count: int) -> list[str]:
    """The last lines of a log file, oldest first; empty when there is no such file."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()[-count:]


def kill_with_parent(parent_pid: int) -> Callable[[], None] | None:
    """A `preexec_fn` that makes the kernel send SIGKILL when the parent dies (Linux only, else None).

    SIGKILL, because no process is left to escalate after SIGTERM; every part survives kill -9.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # resolved before the fork: after it, locks may be held

    def set_death_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:  # the parent died before the line above
            os.kill(os.getpid(), signal.SIGKILL)

    return set_death_signal
