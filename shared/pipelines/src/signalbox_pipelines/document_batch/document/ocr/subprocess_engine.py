"""OCR programs: one page a process, one thread each, at most one process a CPU, killed when the activity is cancelled."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from signalbox_core.errors import Rejected, Unavailable

PAGE_TIMEOUT_S: Final = 120.0
_ONE_THREAD: Final = {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1"}


class OcrProgram:
    """Runs an engine's program.

    Args:
        engine: what people call it.
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._free = asyncio.Semaphore(max(1, os.cpu_count() or 1))

    async def read(self, command: Sequence[str], picture: bytes) -> bytes:
        """What the program says of one picture.

        Raises:
            Unavailable: it crashed or took too long; the same page may do the next time.
            Rejected: `ocr_refused`: it cannot read this picture.
        """
        async with self._free:
            return await self.run(command, picture)

    async def run(self, command: Sequence[str], given: bytes) -> bytes:
        """Like `read`, without waiting for a free CPU."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD},
        )
        try:
            async with asyncio.timeout(PAGE_TIMEOUT_S):
                said, complained = await process.communicate(given)
        except TimeoutError as error:
            raise Unavailable(
                f"{self._engine} needed more than {PAGE_TIMEOUT_S:.0f} s for a page", code="ocr_timeout"
            ) from error
        finally:
            await _end(process)
        if process.returncode:
            raise self._complaint(process.returncode, complained.decode("utf-8", "replace"))
        return said

    def _complaint(self, code: int, text: str) -> Rejected | Unavailable:
        if code < 0:
            return Unavailable(
                f"{self._engine} was ended by signal {-code}; the page is tried again", code="ocr_crashed"
            )
        last = text.strip().rpartition("\n")[2][:200]
        return Rejected(
            f"{self._engine} cannot read the page: {last}; give a clearer picture",
            field="url",
            code="ocr_refused",
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what still runs (a cancel, a timeout) and collect it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
