"""A wall clock that a test sets for processes that it starts, by libfaketime; monotonic clocks stay real."""

from collections.abc import Mapping
from pathlib import Path

import pytest

_READ_EVERY_S = 1
"""The processes notice a jump within this time."""


class HostClock:
    """Skips the test where libfaketime is not installed.

    Args:
        folder: for the file that the processes read the offset from.
    """

    def __init__(self, folder: Path) -> None:
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not found:
            pytest.skip("libfaketime is not installed (apt-get install libfaketime)")
        self._library = found[0]
        self._file = folder / "clock"
        self.jump(0)

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables of a process that has this clock; a static program, as Temporal's, keeps its own."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(_READ_EVERY_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def jump(self, offset_s: int) -> None:
        """Set the clock to `offset_s` from the real time."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{offset_s:+d}\n")
        draft.rename(self._file)
