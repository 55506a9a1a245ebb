"""One execution of a job in an emulated provider: starts its tasks as processes, enforces timeouts, counts
outcomes.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from signalbox_devstack.stack.child import kill_with_parent

_KILL_AFTER_S: Final = 10.0


class JobExecution:
    """One execution with `count` tasks.

    Args:
        environment: the environment of the task with this index, added to that of this process.
        command: what each task runs; empty: the task waits until it is cancelled.
        log: file for the output of all tasks.
    """

    def __init__(
        self,
        name: str,
        environment: Callable[[int], Mapping[str, str]],
        *,
        count: int,
        timeout_s: float,
        command: Sequence[str],
        log: Path | None,
    ) -> None:
        self.name = name
        self.count = count
        self.created_at = datetime.now(UTC)
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.counts = {"succeeded": 0, "failed": 0, "cancelled": 0}
        self.running_count = 0
        self._environment = environment
        self._timeout_s = timeout_s
        self._command = tuple(command)
        self._log = log
        self._cancel = asyncio.Event()

    async def run(self, *, cold_start_s: float = 0.0, is_zombie: bool = False, fails: bool = False) -> None:
        """Run until every task has ended. A zombie is reported as running but starts no process."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(cold_start_s):
                await self._cancel.wait()
        self.started_at = datetime.now(UTC)
        async with asyncio.TaskGroup() as group:
            for index in range(self.count):
                group.create_task(self._task(index, is_zombie=is_zombie, fails=fails))
        self.ended_at = datetime.now(UTC)

    def cancel(self) -> None:
        self._cancel.set()

    async def _task(self, index: int, *, is_zombie: bool, fails: bool) -> None:
        self.running_count += 1
        try:
            outcome = "failed" if fails else await self._outcome(index, is_zombie=is_zombie)
        finally:
            self.running_count -= 1
        self.counts[outcome] += 1

    async def _outcome(self, index: int, *, is_zombie: bool) -> str:
        if self._cancel.is_set():
            return "cancelled"
        process = None if is_zombie or not self._command else await self._start(index)
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._cancel.wait())]
        if process is not None:
            waits.append(asyncio.create_task(process.wait()))
        await asyncio.wait(waits, timeout=self._timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if process is not None:
            if process.returncode is None:
                await _stop(process)
            elif not self._cancel.is_set():
                return "failed" if process.returncode else "succeeded"
        return "cancelled" if self._cancel.is_set() else "failed"

    async def _start(self, index: int) -> asyncio.subprocess.Process:
        out = self._log.open("ab") if self._log else None
        try:
            return await asyncio.create_subprocess_exec(
                *self._command,
                env={**os.environ, **self._environment(index)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out or asyncio.subprocess.DEVNULL,
                stderr=out or asyncio.subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=kill_with_parent(os.getpid()),
            )
        finally:
            if out:
                out.close()


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Stop like Cloud Run: SIGTERM, then SIGKILL ten seconds later."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_KILL_AFTER_S):
            await process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
