"""Cron expressions with five fields, as Temporal evaluates them: a time must match every field. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from msgspec import Struct

from signalbox_core.errors import InvalidInput

_MACROS: Final[Mapping[str, str]] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART: Final = re.compile(r"(\*|([a-z0-9]+)(-[a-z0-9]+)?)(/\d{1,4})?")
_MINUTES_A_DAY: Final = 1_440
_SEARCHED_DAYS: Final = 366 * 8
"""The longest time between two dates of the rarest expression, 29 February."""


class _Field(Struct, frozen=True, kw_only=True):
    name: str
    low: int
    high: int
    names: Mapping[str, int] = {}


_FIELDS: Final = (
    _Field(name="minute", low=0, high=59),
    _Field(name="hour", low=0, high=23),
    _Field(name="day of month", low=1, high=31),
    _Field(name="month", low=1, high=12, names={name: at for at, name in enumerate(_MONTHS, start=1)}),
    _Field(name="day of week", low=0, high=7, names={name: at for at, name in enumerate(_DAYS)}),
)


class Cron(Struct, frozen=True, kw_only=True):
    """A parsed expression: the values that each field matches. Sunday is 0.

    Attributes:
        text: the expression with five fields, macros replaced.
    """

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @property
    def is_hourly(self) -> bool:
        """Whether it matches in every hour, so that it follows the elapsed time when the clocks change."""
        return len(self.hours) == len(range(24))

    def matches(self, local: datetime) -> bool:
        """Whether a wall clock time with second 0 matches."""
        return local.minute in self.minutes and local.hour in self.hours and self.matches_date(local.date())

    def matches_date(self, day: date) -> bool:
        return day.day in self.days and day.month in self.months and day.isoweekday() % 7 in self.weekdays

    def has_date(self, after: date) -> bool:
        """Whether any date matches; that of `0 0 31 2 *` never comes."""
        return any(self.matches_date(after + timedelta(days=days)) for days in range(_SEARCHED_DAYS))


def parse_cron(text: str) -> Cron:
    """Parse an expression.

    Raises:
        InvalidInput: it is malformed; the message names the field and the remedy.
    """
    words = _MACROS.get(text.strip().lower(), text).lower().split()
    if len(words) != len(_FIELDS):
        raise InvalidInput(
            f"{text[:80]!r} must have five fields: minute, hour, day of month, month, day of week; "
            "as in '0 6 * * 1-5'",
            field="cron",
        )
    minutes, hours, days, months, weekdays = (
        _values(word, field) for word, field in zip(words, _FIELDS, strict=True)
    )
    return Cron(
        text=" ".join(words),
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
    )


def least_gap(crons: Iterable[Cron]) -> timedelta:
    """Return the shortest time between two starts, as if every expression matched on every day."""
    times = sorted({hour * 60 + minute for cron in crons for hour in cron.hours for minute in cron.minutes})
    following = [*times[1:], times[0] + _MINUTES_A_DAY]
    return timedelta(minutes=min(after - before for before, after in zip(times, following, strict=True)))


def check_dates(crons: Sequence[Cron], today: date) -> None:
    """Raises: InvalidInput: an expression never matches."""
    for cron in crons:
        if not cron.has_date(today):
            raise InvalidInput(
                f"{cron.text!r} matches no date; correct its day, month or weekday", field="cron"
            )


def _values(text: str, field: _Field) -> frozenset[int]:
    return frozenset(value for part in text.split(",") for value in _part_values(part, field))


def _part_values(part: str, field: _Field) -> range:
    found = _PART.fullmatch(part)
    if found is None:
        raise _malformed(
            part, field, "use a number, a range as in 1-5, a list as in 1,3, or a step as in */2"
        )
    body, first, last, step = found.groups()
    if step is not None and body != "*" and last is None:
        raise _malformed(
            part, field, f"a step needs a range, as in */{step[1:]} or {first}-{field.high}{step}"
        )
    low, high = (field.low, field.high) if body == "*" else _bounds(part, first, last, field)
    every = int(step[1:]) if step is not None else 1
    if every < 1 or low > high:
        raise _malformed(part, field, "a range must ascend, and a step must be 1 or more")
    return range(low, high + 1, every)


def _bounds(part: str, first: str, last: str | None, field: _Field) -> tuple[int, int]:
    low = _number(part, first, field)
    return low, low if last is None else _number(part, last[1:], field)


def _number(part: str, text: str, field: _Field) -> int:
    value = field.names.get(text, int(text) if text.isdecimal() else -1)
    if not field.low <= value <= field.high:
        names = f" or {min(field.names, key=lambda name: field.names[name])}, …" if field.names else ""
        raise _malformed(part, field, f"it takes {field.low} to {field.high}{names}")
    return value


def _malformed(part: str, field: _Field, remedy: str) -> InvalidInput:
    return InvalidInput(f"{part[:40]!r} is not valid in the field {field.name}: {remedy}", field="cron")
