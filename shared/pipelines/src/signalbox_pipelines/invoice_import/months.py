"""Days and months as the portal counts them: in Hanoi, where a day begins seven hours before UTC's. Pure."""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Final

from msgspec import Struct

from signalbox_core.errors import InvalidInput

HANOI: Final = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""No summer time since 1979, so a fixed offset is the zone."""
MAX_MONTHS: Final = 36
_ONE_DAY: Final = timedelta(days=1)


class Days(Struct, frozen=True, order=True):
    """Whole days in Hanoi, both included."""

    first: date
    last: date

    @property
    def name(self) -> str:
        return f"{self.first:%Y%m%d}-{self.last:%Y%m%d}"


def hanoi_date(instant: datetime) -> date:
    """The day of an instant. The portal's `tdlap` is UTC: 17:00 there is midnight in Hanoi, of the next day."""
    return instant.astimezone(HANOI).date()


def months_of(first_day: date, last_day: date) -> Sequence[Days]:
    """The range cut at the ends of months: the portal answers for a month at most.

    Raises:
        InvalidInput: the range is empty or too long.
    """
    if first_day > last_day:
        raise InvalidInput(
            f"the first day {first_day} is after the last day {last_day}; swap them", field="first_day"
        )
    months: list[Days] = []
    start = first_day
    while start <= last_day:
        end = start.replace(day=monthrange(start.year, start.month)[1])
        months.append(Days(start, min(end, last_day)))
        start = end + _ONE_DAY
        if len(months) > MAX_MONTHS:
            raise InvalidInput(
                f"{first_day} to {last_day} is more than {MAX_MONTHS} months; import it in parts",
                field="last_day",
            )
    return months


def halves_of(days: Days) -> tuple[Days, ...]:
    """Two parts of it; itself when it is one day."""
    if days.first == days.last:
        return (days,)
    middle = days.first + (days.last - days.first) // 2
    return Days(days.first, middle), Days(middle + _ONE_DAY, days.last)


def month_title(day: date) -> str:
    """`August 2026`."""
    return f"{_MONTHS[day.month - 1]} {day.year}"


_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
"""Not strftime's: that follows the machine's language."""
