"""Corrections of a schedule for the hours that a change of the clocks skips or repeats. Pure.

Temporal compares wall clock times literally: it would miss the times of a skipped hour, and start twice at
those of a repeated one. An expression that does not match in every hour therefore gets corrections for the
coming years: a start for each skipped time, and for each repeated time its first occurrence only.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from signalbox_gateway.schedules.cron import Cron

HORIZON: Final = timedelta(days=365 * 10)
MAX_CORRECTIONS: Final = 100
"""The most corrections of one schedule; reached only by one that starts often within an hour of the night."""
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


class ClockChange(Struct, frozen=True, kw_only=True):
    """A change of a zone's offset from UTC: from `before` to `after` at the instant `at`."""

    at: datetime
    before: timedelta
    after: timedelta


class ClockCorrections(Struct, frozen=True, kw_only=True):
    """What makes up for the clock changes.

    Attributes:
        starts: further instants to start at. They are a second late, so that `skipped` leaves them.
        skipped: wall clock times, without a zone, that must not start a run.
    """

    starts: tuple[datetime, ...] = ()
    skipped: tuple[datetime, ...] = ()


def clock_corrections(crons: Sequence[Cron], zone: ZoneInfo, now: datetime) -> ClockCorrections:
    """Compute the corrections of the coming years; fewer years if there are more than MAX_CORRECTIONS."""
    starts: list[datetime] = []
    skipped: list[datetime] = []
    for change in clock_changes(zone, now, now + HORIZON):
        first, end = sorted((_wall_clock(change.at, change.before), _wall_clock(change.at, change.after)))
        affected = [local for local in _minutes(first, end) if _needs_correction(crons, local)]
        if len(starts) + len(affected) > MAX_CORRECTIONS:
            break
        starts += [(local - change.before).replace(tzinfo=UTC) + _SECOND for local in affected]
        if change.after < change.before:
            skipped += affected
    return ClockCorrections(starts=tuple(starts), skipped=tuple(skipped))


def clock_changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[ClockChange]:
    """The changes of the zone's offset in the period, in order; two on one day count as one."""
    day = start.astimezone(UTC).replace(microsecond=0)
    while day < end:
        if _offset(zone, day) != _offset(zone, day + _DAY):
            yield _find_change(zone, day, day + _DAY)
        day += _DAY


def _find_change(zone: ZoneInfo, low: datetime, high: datetime) -> ClockChange:
    before, after = _offset(zone, low), _offset(zone, high)
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return ClockChange(at=high, before=before, after=after)


def _needs_correction(crons: Sequence[Cron], local: datetime) -> bool:
    matching = [cron for cron in crons if cron.matches(local)]
    # One that matches in every hour starts at the right instants without help.
    return bool(matching) and not any(cron.is_hourly for cron in matching)


def _minutes(first: datetime, end: datetime) -> Iterator[datetime]:
    while first < end:
        yield first
        first += timedelta(minutes=1)


def _wall_clock(at: datetime, offset: timedelta) -> datetime:
    return (at + offset).replace(tzinfo=None)


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()
