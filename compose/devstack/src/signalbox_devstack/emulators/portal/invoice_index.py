"""Computes which invoices a company has, of which kind and on which day, without storing any."""

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, Literal

from msgspec import Struct

from signalbox_devstack.emulators.portal.companies import has_cash_register

Direction = Literal["purchase", "sold"]
Family = Literal["query", "sco-query"]


class InvoiceKind(Struct, frozen=True):
    """Consecutively numbered invoices of one kind.

    Attributes:
        status: the portal's `ttxly`.
        weight: its share of a company's invoices.
    """

    code: str
    direction: Direction
    family: Family
    status: int
    weight: int


INVOICE_KINDS: Final = (
    InvoiceKind("PC", "purchase", "query", 5, 40),
    InvoiceKind("PK", "purchase", "query", 6, 10),
    InvoiceKind("PM", "purchase", "sco-query", 8, 6),
    InvoiceKind("SC", "sold", "query", 5, 30),
    InvoiceKind("SK", "sold", "query", 6, 8),
    InvoiceKind("SM", "sold", "sco-query", 8, 6),
)


class MonthRange(Struct, frozen=True):
    """Consecutive months, starting with `year` and `month`."""

    year: int
    month: int
    count: int

    def months(self) -> tuple[tuple[int, int], ...]:
        first = self.year * 12 + self.month - 1
        return tuple((at // 12, at % 12 + 1) for at in range(first, first + self.count))


class InvoiceSlot(Struct, frozen=True):
    """The position of an invoice: its number within its kind, from 0, and its day."""

    kind: InvoiceKind
    number: int
    day: date


class InvoiceIndex(Struct, frozen=True):
    """The invoices of all companies: `invoices` per company, spread over `months`."""

    seed: int
    invoices: int
    months: MonthRange

    def count(self, mst: str, kind: InvoiceKind) -> int:
        """The number of invoices of this kind over all months. All kinds add up to `invoices`."""
        kinds = _kinds_of(mst)
        if kind not in kinds:
            return 0
        total, before = sum(item.weight for item in kinds), 0
        for item in kinds:
            if item == kind:
                break
            before += item.weight
        return self.invoices * (before + kind.weight) // total - self.invoices * before // total

    def slot(self, mst: str, kind: InvoiceKind, number: int) -> InvoiceSlot | None:
        """The slot with this number; None when there is none."""
        count, months = self.count(mst, kind), self.months.months()
        if not 0 <= number < count:
            return None
        index = _month_of(number, count, len(months))
        return _slot(
            kind,
            number,
            months[index],
            _first(index, count, len(months)),
            _first(index + 1, count, len(months)),
        )

    def slots(self, mst: str, kinds: Sequence[InvoiceKind], first: date, last: date) -> Iterator[InvoiceSlot]:
        """The slots of the days from `first` to `last`, newest first, ordered by kind and number within a
        day.
        """
        found = [slot for kind in kinds for slot in self._in_months(mst, kind, first, last)]
        found.sort(key=lambda slot: (slot.day, slot.kind.code, slot.number), reverse=True)
        return (slot for slot in found if first <= slot.day <= last)

    def _in_months(self, mst: str, kind: InvoiceKind, first: date, last: date) -> Iterator[InvoiceSlot]:
        count, months = self.count(mst, kind), self.months.months()
        for index, month in enumerate(months):
            if (first.year, first.month) <= month <= (last.year, last.month):
                begin, end = _first(index, count, len(months)), _first(index + 1, count, len(months))
                yield from (_slot(kind, number, month, begin, end) for number in range(begin, end))


def kinds_of(direction: Direction, family: Family) -> tuple[InvoiceKind, ...]:
    return tuple(kind for kind in INVOICE_KINDS if (kind.direction, kind.family) == (direction, family))


def _kinds_of(mst: str) -> tuple[InvoiceKind, ...]:
    return (
        INVOICE_KINDS
        if has_cash_register(mst)
        else tuple(kind for kind in INVOICE_KINDS if kind.family == "query")
    )


def _first(index: int, count: int, months: int) -> int:
    """The number of the first invoice in the month with this index."""
    return count * index // months


def _month_of(number: int, count: int, months: int) -> int:
    return next(
        index
        for index in range(months)
        if _first(index, count, months) <= number < _first(index + 1, count, months)
    )


def _slot(kind: InvoiceKind, number: int, month: tuple[int, int], begin: int, end: int) -> InvoiceSlot:
    days = monthrange(*month)[1]
    return InvoiceSlot(kind, number, date(*month, 1 + (number - begin) * days // (end - begin)))
