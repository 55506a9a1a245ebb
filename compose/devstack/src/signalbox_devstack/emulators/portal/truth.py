"""What is true of a company's books, for tests: every invoice and every total that an import has to come to. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date

from msgspec import Struct

from signalbox_devstack.emulators.portal.books import STREAMS, Books, Direction, Family
from signalbox_devstack.emulators.portal.invoices import NOT_COUNTED, Invoice, Sum, invoice_at


class TrueRow(Struct, frozen=True, kw_only=True):
    """`differs`: by how many đồng the signed original's total is off the row's; `key` is nbmst-khmshdon-khhdon-shdon."""

    key: str
    direction: Direction
    family: Family
    day: date
    status: int
    state: int
    is_counted: bool
    has_original: bool
    differs: int
    amount: int
    tax: int
    total: int
    rates: tuple[Sum, ...]


class TrueTotal(Struct, frozen=True, kw_only=True):
    """Of the counted invoices (tthai is neither 4 nor 6) of a month (2026-08) and direction, in đồng."""

    month: str
    direction: Direction
    invoices: int
    amount: int
    tax: int
    total: int
    rates: tuple[Sum, ...]


class Truth(Struct, frozen=True, kw_only=True):
    mst: str
    rows: tuple[TrueRow, ...]
    totals: tuple[TrueTotal, ...]


def truth_of(books: Books, mst: str, first: date, last: date) -> Truth:
    """Of the days `first` … `last`, both inclusive."""
    rows = tuple(_row(invoice_at(books, mst, place)) for place in books.places(mst, STREAMS, first, last))
    return Truth(mst=mst, rows=rows, totals=tuple(_totals(rows)))


def _row(invoice: Invoice) -> TrueRow:
    stream = invoice.place.stream
    return TrueRow(
        key=invoice.key,
        direction=stream.direction,
        family=stream.family,
        day=invoice.place.day,
        status=invoice.status,
        state=invoice.state,
        is_counted=invoice.state not in NOT_COUNTED,
        has_original=invoice.has_original,
        differs=invoice.differs,
        amount=invoice.amount,
        tax=invoice.tax,
        total=invoice.total,
        rates=invoice.sums,
    )


def _totals(rows: Sequence[TrueRow]) -> Iterator[TrueTotal]:
    groups: defaultdict[tuple[str, Direction], list[TrueRow]] = defaultdict(list)
    for row in rows:
        if row.is_counted:
            groups[f"{row.day:%Y-%m}", row.direction].append(row)
    for (month, direction), counted in sorted(groups.items()):
        rates = sorted({item.rate for row in counted for item in row.rates})
        yield TrueTotal(
            month=month,
            direction=direction,
            invoices=len(counted),
            amount=sum(row.amount for row in counted),
            tax=sum(row.tax for row in counted),
            total=sum(row.total for row in counted),
            rates=tuple(_of_rate(counted, rate) for rate in rates),
        )


def _of_rate(rows: Sequence[TrueRow], rate: str) -> Sum:
    found = [item for row in rows for item in row.rates if item.rate == rate]
    return Sum(rate, sum(item.amount for item in found), sum(item.tax for item in found))
