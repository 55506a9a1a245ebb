"""The resident memory of a process, from /proc."""

import os
from pathlib import Path
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int | str = "self") -> int:
    """Bytes of physical memory that the process holds now.

    Raises:
        OSError: the process has ended.
    """
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
