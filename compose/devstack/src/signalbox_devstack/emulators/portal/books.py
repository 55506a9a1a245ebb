"""How many invoices a company has, of which kind and on which day: arithmetic only, so a hundred companies cost nothing until asked."""

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, Literal

from msgspec import Struct

from signalbox_devstack.emulators.portal.companies import has_cash_register

Direction = Literal["purchase", "sold"]
Family = Literal["query", "sco-query"]


class Stream(Struct, frozen=True):
    """A run of numbered invoices. `status` is what the portal calls ttxly; sold ones alternate between 5 and 6 by series."""

    code: str
    direction: Direction
    family: Family
    status: int
    weight: int


STREAMS: Final = (
    Stream("PC", "purchase", "query", 5, 40),
    Stream("PK", "purchase", "query", 6, 10),
    Stream("PM", "purchase", "sco-query", 8, 6),
    Stream("SC", "sold", "query", 5, 30),
    Stream("SK", "sold", "query", 6, 8),
    Stream("SM", "sold", "sco-query", 8, 6),
)


class Span(Struct, frozen=True):
    """Consecutive months, the first as (year, month)."""

    year: int
    month: int
    count: int

    def months(self) -> tuple[tuple[int, int], ...]:
        first = self.year * 12 + self.month - 1
        return tuple((at // 12, at % 12 + 1) for at in range(first, first + self.count))


class Place(Struct, frozen=True):
    """Where an invoice stands: the `number`th of its stream (from 0), its day, whether it is the last of its month."""

    stream: Stream
    number: int
    day: date


class Books(Struct, frozen=True):
    """All companies' books: `invoices` a company, spread over `span`."""

    seed: int
    invoices: int
    span: Span

    def count(self, mst: str, stream: Stream) -> int:
        """Invoices of that stream, all months together; over all streams they add up to `invoices`."""
        streams = _streams_of(mst)
        if stream not in streams:
            return 0
        total, before = sum(item.weight for item in streams), 0
        for item in streams:
            if item == stream:
                break
            before += item.weight
        return self.invoices * (before + stream.weight) // total - self.invoices * before // total

    def place(self, mst: str, stream: Stream, number: int) -> Place | None:
        """None when the stream has no invoice of that number."""
        count, months = self.count(mst, stream), self.span.months()
        if not 0 <= number < count:
            return None
        index = _month_of(number, count, len(months))
        return _place(
            stream,
            number,
            months[index],
            _first(index, count, len(months)),
            _first(index + 1, count, len(months)),
        )

    def places(self, mst: str, streams: Sequence[Stream], first: date, last: date) -> Iterator[Place]:
        """Those of the days `first` … `last`, newest first; within a day by stream and number, so the order is total."""
        found = [place for stream in streams for place in self._in_months(mst, stream, first, last)]
        found.sort(key=lambda place: (place.day, place.stream.code, place.number), reverse=True)
        return (place for place in found if first <= place.day <= last)

    def _in_months(self, mst: str, stream: Stream, first: date, last: date) -> Iterator[Place]:
        count, months = self.count(mst, stream), self.span.months()
        for index, month in enumerate(months):
            if (first.year, first.month) <= month <= (last.year, last.month):
                begin, end = _first(index, count, len(months)), _first(index + 1, count, len(months))
                yield from (_place(stream, number, month, begin, end) for number in range(begin, end))


def streams_of(direction: Direction, family: Family) -> tuple[Stream, ...]:
    return tuple(stream for stream in STREAMS if (stream.direction, stream.family) == (direction, family))


def _streams_of(mst: str) -> tuple[Stream, ...]:
    return (
        STREAMS if has_cash_register(mst) else tuple(stream for stream in STREAMS if stream.family == "query")
    )


def _first(index: int, count: int, months: int) -> int:
    """The number of the first invoice of the month with that index."""
    return count * index // months


def _month_of(number: int, count: int, months: int) -> int:
    return next(
        index
        for index in range(months)
        if _first(index, count, months) <= number < _first(index + 1, count, months)
    )


def _place(stream: Stream, number: int, month: tuple[int, int], begin: int, end: int) -> Place:
    days = monthrange(*month)[1]
    return Place(stream, number, date(*month, 1 + (number - begin) * days // (end - begin)))
