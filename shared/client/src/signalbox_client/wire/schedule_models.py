"""Response types of schedules. Unknown members are ignored."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from signalbox_core.events.catalogue import Failure
from signalbox_core.events.snapshot import RunStatus

Overlap = Literal["skip", "buffer_one", "buffer_all", "cancel_other", "allow_all"]


class ScheduledRun(Struct, frozen=True, kw_only=True):
    """A run that a schedule started; `starting` until a worker takes it."""

    run_id: str
    scheduled_at: datetime
    status: Literal[RunStatus, "starting"]
    error: Failure | None = None


class ScheduleFault(Struct, frozen=True, kw_only=True):
    """Why the next run would not start or would fail."""

    code: str
    detail: str


class Schedule(Struct, frozen=True, kw_only=True):
    """A schedule: `next_at` has its next five times, `runs` its latest runs (in a list only one)."""

    schedule_id: str
    pipeline: str
    title: str
    cron: tuple[str, ...] = ()
    every_s: int | None = None
    offset_s: int = 0
    time_zone: str = "UTC"
    jitter_s: int = 0
    overlap: Overlap = "skip"
    catch_up_s: int = 86_400
    priority: int | None = None
    paused: bool = False
    note: str = ""
    created_by: str = ""
    created_at: datetime | None = None
    updated_by: str = ""
    updated_at: datetime | None = None
    next_at: tuple[datetime, ...] = ()
    runs: tuple[ScheduledRun, ...] = ()
    last_error: Failure | None = None
    problem: ScheduleFault | None = None
    missed: int = 0
    skipped: int = 0
    input: msgspec.Raw = msgspec.Raw(b"null")
    masked: tuple[str, ...] = ()


class ScheduleList(Struct, frozen=True, kw_only=True):
    schedules: tuple[Schedule, ...]


class Triggered(Struct, frozen=True, kw_only=True):
    """`run_id` is None while the start waits."""

    schedule_id: str
    run_id: str | None = None


class Backfilled(Struct, frozen=True, kw_only=True):
    """`times`: how many times of the schedule the period has."""

    schedule_id: str
    times: int
