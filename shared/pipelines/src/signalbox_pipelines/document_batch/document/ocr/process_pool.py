"""OCR subprocesses: one page and one thread each, at most one per CPU, killed on cancellation."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from signalbox_core.errors import Rejected, Unavailable

PAGE_TIMEOUT_S: Final = 120.0
_ONE_THREAD: Final = {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1"}


class OcrProcessPool:
    """Runs an engine's command line.

    Args:
        engine: the engine's name, for error messages.
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._cpus = asyncio.Semaphore(max(1, os.cpu_count() or 1))

    async def run(self, command: Sequence[str], image: bytes) -> bytes:
        """Wait for a free CPU, feed the image to the command and return its standard output.

        Raises:
            Unavailable: `ocr_crashed` or `ocr_timeout`; a retry of the same page may succeed.
            Rejected: `ocr_refused`: the engine cannot read this image.
        """
        async with self._cpus:
            return await self.run_now(command, image)

    async def run_now(self, command: Sequence[str], stdin: bytes) -> bytes:
        """Like `run`, without waiting for a free CPU."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD},
        )
        try:
            async with asyncio.timeout(PAGE_TIMEOUT_S):
                stdout, stderr = await process.communicate(stdin)
        except TimeoutError as error:
            raise Unavailable(
                f"{self._engine} needed more than {PAGE_TIMEOUT_S:.0f} s for a page", code="ocr_timeout"
            ) from error
        finally:
            await _kill(process)
        if process.returncode:
            raise self._error(process.returncode, stderr.decode("utf-8", "replace"))
        return stdout

    def _error(self, returncode: int, stderr: str) -> Rejected | Unavailable:
        if returncode < 0:
            detail = f"{self._engine} was killed by signal {-returncode}; the page is retried"
            return Unavailable(detail, code="ocr_crashed")
        last_line = stderr.strip().rpartition("\n")[2][:200]
        detail = f"{self._engine} cannot read the page: {last_line}; give a clearer picture"
        return Rejected(detail, field="url", code="ocr_refused")


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill the process if it still runs (cancellation, timeout), and reap it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
