"""CPU work on tenants' input, in processes that are killed at their deadline and memory limit.

A parser that a crafted input drives into quadratic time or gigabytes of memory cannot be stopped inside a
thread: it holds the interpreter lock, a thread of the executor and the worker's memory. In a separate process
it costs that process only.
"""

import asyncio
import ctypes
import importlib
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from datetime import timedelta
from functools import cache
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from signalbox_core.errors import LimitExceeded, SignalboxError, Unavailable
from signalbox_core.process.fair_queue import FairQueue

R = TypeVar("R")

_PR_SET_PDEATHSIG: Final = 1
_MAX_CALLS: Final = 200
"""Calls after which a process is replaced, so that what leaks in a native library stays small."""
_MAX_WAITING: Final = 1_000
_STALLED_AFTER_S: Final = 60.0


class CpuPool:
    """A pool of processes, shared by tenants in turn; started by the first call.

    One tenant uses all processes but one at most, so that another's call starts at once.

    Functions and arguments are pickled: pass module-level functions and plain values, and keep both small.

    Args:
        processes: calls in progress at the same time.
        memory_bytes: what one process may allocate beyond what it needs to start (Linux).
        preload: modules that every process has imported when it starts; they share their memory.

    Attributes:
        outcomes: calls by outcome: completed, raised, timeout, memory, died, cancelled.
        on_outcome: called with the outcome of each call.
    """

    def __init__(self, *, processes: int, memory_bytes: int, preload: Sequence[str] = ()) -> None:
        self._queue = FairQueue(processes, max_waiting=_MAX_WAITING)
        self._processes = processes
        self._memory_bytes = memory_bytes
        self._preload = list(preload)
        self._pool: ProcessPool | None = None
        self._busy = 0
        self._calls: set[asyncio.Future[Any]] = set()
        self._last_change = time.monotonic()
        self.outcomes: Counter[str] = Counter()
        self.on_outcome: Callable[[str], None] | None = None

    async def run(
        self, work: Callable[..., R], *arguments: Any, tenant: str, within: timedelta, subject: str = "input"
    ) -> R:
        """Call `work(*arguments)` in a process of the pool.

        Args:
            tenant: whose turn it takes.
            within: after this time of running, not of waiting, the process is killed.
            subject: what is worked on, for the error's sentence ("page", "document").

        Raises:
            LimitExceeded: the deadline or the memory limit was exceeded; the same input would do so again.
            Unavailable: the process died of another cause; the same call may succeed later.
            SignalboxError: what `work` itself raised.
        """
        async with self._queue.permit(tenant):
            self._busy += 1
            self._last_change = time.monotonic()
            try:
                return await self._call(work, arguments, within, subject)
            finally:
                self._busy -= 1
                self._last_change = time.monotonic()

    @property
    def busy(self) -> int:
        """Calls in progress."""
        return self._busy

    @property
    def waiting(self) -> int:
        """Calls that wait for a process."""
        return self._queue.waiting

    @property
    def is_stalled(self) -> bool:
        """Whether calls wait and none has started or ended for a minute."""
        return self.waiting > 0 and time.monotonic() - self._last_change > _STALLED_AFTER_S

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Kill what runs and end the processes; calls in progress raise Unavailable."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]
            await asyncio.to_thread(pool.join)
        # The library leaves the futures of calls that it stopped unresolved.
        for call in tuple(self._calls):
            call.cancel()

    async def _call(
        self, work: Callable[..., R], arguments: tuple[Any, ...], within: timedelta, subject: str
    ) -> R:
        future = self._opened().schedule(_guarded, args=[work, arguments], timeout=within.total_seconds())
        call = asyncio.wrap_future(future)
        self._calls.add(call)
        try:
            outcome = await call
        except (FutureTimeout, TimeoutError):
            self._count("timeout")
            raise LimitExceeded(
                f"working on this {subject} took more than {within.total_seconds():g} s of CPU time;"
                " use a smaller or simpler one",
                limit="time",
            ) from None
        except ProcessExpired as error:
            self._count("died")
            raise Unavailable(f"the process that worked on this {subject} died ({error.exitcode})") from None
        except (asyncio.CancelledError, FutureCancelled):
            # Cancelling the future kills the process.
            future.cancel()  # type: ignore[no-untyped-call]
            self._count("cancelled")
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                raise Unavailable(f"the worker stopped while it worked on this {subject}") from None
            raise
        except Exception:
            self._count("raised")
            raise
        finally:
            self._calls.discard(call)
        if isinstance(outcome, _Raised):
            raise self._error_of(outcome, subject)
        self._count("completed")
        return outcome  # type: ignore[no-any-return]  # pickled: what `work` returned

    def _count(self, outcome: str) -> None:
        self.outcomes[outcome] += 1
        if self.on_outcome is not None:
            self.on_outcome(outcome)

    def _error_of(self, raised: "_Raised", subject: str) -> BaseException:
        if isinstance(raised.error, MemoryError):
            self._count("memory")
            megabytes = self._memory_bytes // 1_000_000
            return LimitExceeded(
                f"working on this {subject} needs more than {megabytes} MB; use a smaller or simpler one",
                limit="memory",
            )
        self._count("raised")
        return raised.rebuilt()

    def _opened(self) -> ProcessPool:
        if self._pool is None or not self._pool.active:
            context = multiprocessing.get_context("forkserver")
            # The fork server is a fresh, single-threaded process: no client library's lock is held at fork.
            context.set_forkserver_preload([__name__, *self._preload])
            self._pool = ProcessPool(
                max_workers=self._processes,
                max_tasks=_MAX_CALLS,
                initializer=_start_process,
                initargs=[self._memory_bytes, self._preload],
                context=context,
            )
        return self._pool


@cache
def small_pool() -> CpuPool:
    """The default pool, for example in a pipeline's own tests; its processes end with this one."""
    return CpuPool(processes=2, memory_bytes=512_000_000)


class _Raised:
    """An error on its way out of a process. Our errors take keyword arguments, which pickle does not pass."""

    def __init__(self, error: BaseException) -> None:
        self.error: BaseException | None = None if isinstance(error, SignalboxError) else error
        self.kind = type(error)
        self.text = str(error)
        self.attributes: Mapping[str, Any] = dict(vars(error)) if isinstance(error, SignalboxError) else {}

    def rebuilt(self) -> BaseException:
        if self.error is not None:
            return self.error
        error = self.kind.__new__(self.kind, self.text)
        vars(error).update(self.attributes)
        return error


def _guarded(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return work(*arguments)
    except SignalboxError as error:
        return _Raised(error)
    except MemoryError:
        # A new one: the original's traceback may hold the memory.
        return _Raised(MemoryError())


def _start_process(memory_bytes: int, preload: Sequence[str]) -> None:
    """Set up a process: it dies with its parent, has a low CPU priority and a memory limit."""
    # Another pool may have started the fork server, without these modules.
    for name in preload:
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = now + memory_bytes
    resource.setrlimit(
        resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard)
    )
