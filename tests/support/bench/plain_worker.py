"""A process with a plain SDK worker of `support.whole`, the peer of several benchmarks."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TESTS = Path(__file__).parents[2]


@contextmanager
def plain_worker(address: str) -> Iterator[int]:
    """Run the worker for the duration of the block; yields its pid."""
    command = [sys.executable, "-m", "support.whole.plain_worker", address]
    with subprocess.Popen(command, cwd=_TESTS, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.terminate()
