"""The expected result of an import, for tests: every invoice and every total of a company. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date

from msgspec import Struct

from signalbox_devstack.emulators.portal.invoice_index import INVOICE_KINDS, Direction, Family, InvoiceIndex
from signalbox_devstack.emulators.portal.invoices import NOT_COUNTED, Invoice, TaxRateTotal, invoice_at


class ExpectedInvoice(Struct, frozen=True, kw_only=True):
    """One invoice.

    Attributes:
        key: nbmst-khmshdon-khhdon-shdon.
        differs: the difference in đồng between the total of the original and that of the list row.
    """

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
    rates: tuple[TaxRateTotal, ...]


class ExpectedTotal(Struct, frozen=True, kw_only=True):
    """The total of one month (2026-08) and direction, in đồng, without replaced and cancelled invoices
    (`tthai` 4, 6).
    """

    month: str
    direction: Direction
    invoices: int
    amount: int
    tax: int
    total: int
    rates: tuple[TaxRateTotal, ...]


class GroundTruth(Struct, frozen=True, kw_only=True):
    mst: str
    rows: tuple[ExpectedInvoice, ...]
    totals: tuple[ExpectedTotal, ...]


def ground_truth(index: InvoiceIndex, mst: str, first: date, last: date) -> GroundTruth:
    """The expected result for the days from `first` to `last`, both inclusive."""
    rows = tuple(_row(invoice_at(index, mst, slot)) for slot in index.slots(mst, INVOICE_KINDS, first, last))
    return GroundTruth(mst=mst, rows=rows, totals=tuple(_totals(rows)))


def _row(invoice: Invoice) -> ExpectedInvoice:
    kind = invoice.slot.kind
    return ExpectedInvoice(
        key=invoice.key,
        direction=kind.direction,
        family=kind.family,
        day=invoice.slot.day,
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


def _totals(rows: Sequence[ExpectedInvoice]) -> Iterator[ExpectedTotal]:
    groups: defaultdict[tuple[str, Direction], list[ExpectedInvoice]] = defaultdict(list)
    for row in rows:
        if row.is_counted:
            groups[f"{row.day:%Y-%m}", row.direction].append(row)
    for (month, direction), counted in sorted(groups.items()):
        rates = sorted({item.rate for row in counted for item in row.rates})
        yield ExpectedTotal(
            month=month,
            direction=direction,
            invoices=len(counted),
            amount=sum(row.amount for row in counted),
            tax=sum(row.tax for row in counted),
            total=sum(row.total for row in counted),
            rates=tuple(_of_rate(counted, rate) for rate in rates),
        )


def _of_rate(rows: Sequence[ExpectedInvoice], rate: str) -> TaxRateTotal:
    found = [item for row in rows for item in row.rates if item.rate == rate]
    return TaxRateTotal(rate, sum(item.amount for item in found), sum(item.tax for item in found))
