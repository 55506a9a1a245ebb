"""Days and months in Hanoi time, which the portal uses. Pure."""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Final

from msgspec import Struct

from signalbox_core.errors import InvalidInput

HANOI: Final = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Vietnam has had no daylight saving time since 1979, so a fixed offset is enough."""
MAX_MONTHS: Final = 36
_ONE_DAY: Final = timedelta(days=1)


class Days(Struct, frozen=True, order=True):
    """A range of whole days in Hanoi, both included."""

    first: date
    last: date

    @property
    def name(self) -> str:
        return f"{self.first:%Y%m%d}-{self.last:%Y%m%d}"


def hanoi_date(instant: datetime) -> date:
    """The day in Hanoi of an instant. The portal's `tdlap` is in UTC, where the day begins at 17:00."""
    return instant.astimezone(HANOI).date()


def split_months(first_day: date, last_day: date) -> Sequence[Days]:
    """Split the range at the ends of months, since a query of the portal may cover one month at most.

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


def split_in_half(days: Days) -> tuple[Days, ...]:
    """Split the range in two; a single day is returned as it is."""
    if days.first == days.last:
        return (days,)
    middle = days.first + (days.last - days.first) // 2
    return Days(days.first, middle), Days(middle + _ONE_DAY, days.last)


def month_title(day: date) -> str:
    """`August 2026`."""
    return f"{_MONTHS[day.month - 1]} {day.year}"


_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
"""Not from strftime, which follows the locale of the machine."""
