"""The data of events about runs that a run starts."""

from typing import Final, Literal

from msgspec import Struct

ChildStatus = Literal["running", "completed", "failed", "cancelled", "terminated", "timed_out"]
MAX_CHILDREN: Final = 500
"""How many runs one run may start: its snapshot lists them all."""


class ChildStarted(Struct, frozen=True, kw_only=True):
    child_run_id: str
    pipeline: str
    title: str
    step: str | None = None


class ChildEnded(Struct, frozen=True, kw_only=True):
    child_run_id: str
    status: ChildStatus
