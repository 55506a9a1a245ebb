"""Validates when a schedule starts runs, and translates it to Temporal. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec.structs import replace
from temporalio.client import ScheduleCalendarSpec, ScheduleIntervalSpec, ScheduleRange, ScheduleSpec

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.contract.scheduled_start import ScheduleTiming
from signalbox_gateway.schedules.clock_changes import clock_corrections
from signalbox_gateway.schedules.cron import Cron, check_dates, least_gap, parse_cron

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HALF_CENTURY: Final = timedelta(days=18_250)
"""The interval of a single instant. Temporal finds no time before an interval's offset, so the instant must
be the second one since 1970."""


def checked_timing(timing: ScheduleTiming, *, min_interval: timedelta, now: datetime) -> ScheduleTiming:
    """Return the timing with its expressions in five fields.

    Raises:
        InvalidInput: neither or both of cron and interval are given, an expression or the time zone is
            invalid, or starts would follow each other faster than `min_interval`.
    """
    if bool(timing.cron) == (timing.every_s is not None):
        raise InvalidInput("give either `cron` or `every_s`", field="cron")
    if timing.every_s is not None:
        return _checked_interval(timing, timing.every_s, min_interval)
    if timing.offset_s:
        raise InvalidInput("`offset_s` shifts an interval; leave it out with `cron`", field="offset_s")
    zone, crons = find_zone(timing.time_zone), [parse_cron(text) for text in timing.cron]
    check_dates(crons, now.astimezone(zone).date())
    if (gap := least_gap(crons)) < min_interval:
        raise InvalidInput(
            f"starts may follow each other after {int(gap.total_seconds())} s; "
            f"the minimum is {int(min_interval.total_seconds())} s",
            field="cron",
            code="interval_too_short",
        )
    return replace(timing, cron=tuple(cron.text for cron in crons))


def _checked_interval(timing: ScheduleTiming, every_s: int, min_interval: timedelta) -> ScheduleTiming:
    if timedelta(seconds=every_s) < min_interval:
        raise InvalidInput(
            f"the minimum interval is {int(min_interval.total_seconds())} s",
            field="every_s",
            code="interval_too_short",
        )
    if timing.offset_s >= every_s:
        raise InvalidInput("`offset_s` must be less than `every_s`", field="offset_s")
    find_zone(timing.time_zone)
    return timing


def find_zone(name: str) -> ZoneInfo:
    """Raises: InvalidInput: there is no such time zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            f"there is no time zone {name[:60]!r}; use an IANA name, as in Europe/Berlin or Asia/Ho_Chi_Minh",
            field="time_zone",
        ) from None


def temporal_spec(timing: ScheduleTiming, now: datetime) -> ScheduleSpec:
    """Translate a checked timing to Temporal, with corrections for the coming changes of the clocks."""
    jitter = timedelta(seconds=timing.jitter_s) or None
    if timing.every_s is not None:
        interval = ScheduleIntervalSpec(
            every=timedelta(seconds=timing.every_s), offset=timedelta(seconds=timing.offset_s)
        )
        return ScheduleSpec(intervals=[interval], jitter=jitter)
    crons: Sequence[Cron] = [parse_cron(text) for text in timing.cron]
    corrections = clock_corrections(crons, find_zone(timing.time_zone), now)
    return ScheduleSpec(
        cron_expressions=[cron.text for cron in crons],
        intervals=[
            ScheduleIntervalSpec(every=_HALF_CENTURY, offset=(at - _EPOCH) % _HALF_CENTURY)
            for at in corrections.starts
        ],
        skip=[_calendar_time(local) for local in corrections.skipped],
        time_zone_name=timing.time_zone,
        jitter=jitter,
    )


def _calendar_time(local: datetime) -> ScheduleCalendarSpec:
    return ScheduleCalendarSpec(
        year=[ScheduleRange(local.year)],
        month=[ScheduleRange(local.month)],
        day_of_month=[ScheduleRange(local.day)],
        hour=[ScheduleRange(local.hour)],
        minute=[ScheduleRange(local.minute)],
    )
