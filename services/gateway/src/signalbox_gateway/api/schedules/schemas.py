"""The JSON bodies of schedules."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from signalbox_core.events.catalogue import Failure
from signalbox_core.events.snapshot import RunStatus
from signalbox_core.patterns import whole
from signalbox_gateway.schedules.definition import Overlap

ScheduleId = Annotated[
    str,
    Meta(
        pattern=whole(r"[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?"),
        description="1 to 60 lower case letters, digits or hyphens",
    ),
]
CronTexts = Annotated[
    tuple[Annotated[str, Meta(max_length=200)], ...],
    Meta(min_length=1, max_length=10, description="Expressions with five fields, as in `0 6 * * 1-5`"),
]
EverySeconds = Annotated[int, Meta(ge=1, le=31_536_000, description="The interval in seconds")]
OffsetSeconds = Annotated[
    int, Meta(ge=0, le=31_536_000, description="Shifts the interval, which counts from 1970-01-01T00:00:00Z")
]
TimeZone = Annotated[str, Meta(min_length=1, max_length=60, description="The IANA time zone of `cron`")]
JitterSeconds = Annotated[
    int, Meta(ge=0, le=86_400, description="Each start is delayed by a random time up to this")
]
CatchUpSeconds = Annotated[
    int, Meta(ge=10, le=31_536_000, description="How late a start may be, for example after an outage")
]
Comment = Annotated[str, Meta(max_length=500)]
Priority = Annotated[int, Meta(ge=1, le=5, description="1 is the highest; 3 is the default")]


class CreateSchedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Creates a schedule: at the times of `cron` in `time_zone`, or every `every_s` seconds.

    `overlap` is what happens at a time while the run of an earlier one is open: `skip` the time, start the
    run afterwards (`buffer_one`: of one time at most, `buffer_all`: of every time), cancel the open run first
    (`cancel_other`), or `allow_all`.
    """

    schedule_id: ScheduleId
    pipeline: Annotated[str, Meta(description="A name from GET /v1/pipelines")]
    input: msgspec.Raw
    cron: CronTexts | None = None
    every_s: EverySeconds | None = None
    offset_s: OffsetSeconds = 0
    time_zone: TimeZone = "UTC"
    jitter_s: JitterSeconds = 0
    overlap: Overlap = "skip"
    catch_up_s: CatchUpSeconds = 86_400
    priority: Priority | None = None
    paused: bool = False
    note: Comment = ""


class UpdateSchedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes the given members. `cron` replaces an interval, and `every_s` replaces `cron`.

    `input` replaces the whole input, secrets included. A paused schedule starts no runs; resuming it does not
    make up for the times in between, as a backfill does.
    """

    input: msgspec.Raw | UnsetType = UNSET
    cron: CronTexts | None = None
    every_s: EverySeconds | None = None
    offset_s: OffsetSeconds | None = None
    time_zone: TimeZone | None = None
    jitter_s: JitterSeconds | None = None
    overlap: Overlap | None = None
    catch_up_s: CatchUpSeconds | None = None
    priority: Priority | None = None
    paused: bool | None = None
    note: Comment | None = None


class TriggerSchedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Starts a run now. `overlap` is that of the schedule unless given."""

    overlap: Overlap | None = None


class BackfillSchedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Starts the runs of the times from `from` to `to`, both included, which must be past.

    A time whose run was started before starts no second one.
    """

    from_: datetime = msgspec.field(name="from")
    to: datetime
    overlap: Overlap = "buffer_all"


class ScheduleRunView(Struct, frozen=True, kw_only=True):
    """A run that the schedule started. `starting`: its workflow waits for a worker."""

    run_id: str
    scheduled_at: datetime
    status: Literal[RunStatus, "starting"]
    error: Failure | None


class ScheduleProblem(Struct, frozen=True, kw_only=True):
    """Why the next run would not start or would fail: `unknown_pipeline`, `invalid_input`,
    `task_queue_changed` or `no_worker`. `detail` has the remedy."""

    code: str
    detail: str


class ScheduleView(Struct, frozen=True, kw_only=True):
    """A schedule.

    `next_at`: the next five times, none while it is paused. `runs`: the latest, the newest first; in a list
    only one. `last_error`: of the newest run that has ended, if it failed. `missed`: times at which no run
    was started within `catch_up_s`. `skipped`: times that `overlap` left out. `input` is null in a list;
    secrets read `***`, and `masked` has their paths.
    """

    schedule_id: str
    pipeline: str
    title: str
    cron: tuple[str, ...]
    every_s: int | None
    offset_s: int
    time_zone: str
    jitter_s: int
    overlap: Overlap
    catch_up_s: int
    priority: int | None
    paused: bool
    note: str
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime | None
    next_at: tuple[datetime, ...]
    runs: tuple[ScheduleRunView, ...]
    last_error: Failure | None
    problem: ScheduleProblem | None
    missed: int
    skipped: int
    input: Mapping[str, Any] | None
    masked: tuple[str, ...]


class ScheduleListView(Struct, frozen=True, kw_only=True):
    schedules: tuple[ScheduleView, ...]


class TriggeredView(Struct, frozen=True, kw_only=True):
    """`run_id` is null while the start waits: behind an open run, or for Temporal."""

    schedule_id: str
    run_id: str | None


class BackfilledView(Struct, frozen=True, kw_only=True):
    """`times`: how many times of the schedule the period has."""

    schedule_id: str
    times: int
