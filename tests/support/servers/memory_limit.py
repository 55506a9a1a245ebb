"""A limit of memory for the processes of a test, by a control group (version 1 or 2)."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path("/sys/fs/cgroup")
_JOIN: Final = 'echo $$ > "$0" && exec "$@"'


class MemoryLimit:
    """A control group: its processes are killed if they need more memory than its limit."""

    def __init__(self, folder: Path, *, is_unified: bool) -> None:
        self._folder = folder
        self._is_unified = is_unified

    @property
    def prefix(self) -> Sequence[str]:
        """A command that joins the group and then becomes the command that follows."""
        return ("sh", "-c", _JOIN, str(self._folder / "cgroup.procs"))

    @property
    def peak_bytes(self) -> int:
        """The most memory that was in use, page cache included."""
        name = "memory.peak" if self._is_unified else "memory.max_usage_in_bytes"
        return int((self._folder / name).read_text())

    @property
    def kills(self) -> int:
        """How often the kernel has killed a process because of the limit."""
        lines = (self._folder / ("memory.events" if self._is_unified else "memory.oom_control")).read_text()
        counts = dict(line.split() for line in lines.splitlines())
        return int(counts.get("oom_kill", 0))


@contextmanager
def memory_limit(limit_bytes: int) -> Iterator[MemoryLimit]:
    """Make a group for the block; skips the test where that is not permitted."""
    is_unified = (_ROOT / "cgroup.controllers").exists()
    folder = (_ROOT if is_unified else _ROOT / "memory") / f"signalbox-test-{os.getpid()}"
    try:
        folder.mkdir()
        limit = folder / ("memory.max" if is_unified else "memory.limit_in_bytes")
        limit.write_text(str(limit_bytes))
    except OSError as error:
        if folder.exists():
            folder.rmdir()
        pytest.skip(f"needs the permission to limit memory: {error}")
    try:
        yield MemoryLimit(folder, is_unified=is_unified)
    finally:
        folder.rmdir()
