"""Invoices as the portal lists them: decodes the portal's field names into ours. Pure."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_pipelines.invoice_import.months import hanoi_date
from signalbox_pipelines.invoice_import.portal.faults import UnexpectedResponse, WrongTaxpayer
from signalbox_pipelines.invoice_import.results import Direction, Family
from signalbox_pipelines.invoice_import.tax_codes import same_taxpayer
from signalbox_pipelines.invoice_import.tax_rates import normalise_rate

REPLACED: Final = 4
CANCELLED: Final = 6
NOT_COUNTED: Final = frozenset({REPLACED, CANCELLED})
"""Excluded from totals. An adjusted invoice (5) counts: its adjustment (3) holds only the difference."""


class RateAmount(Struct, frozen=True, kw_only=True):
    """Net and tax amount of an invoice at one tax rate."""

    rate: str
    net: Decimal
    tax: Decimal


def rate_amount(rate: str | None, net: Decimal | None, tax: Decimal | None) -> RateAmount:
    """Return the amounts at a rate as it is written; a missing amount is 0."""
    net, tax = net or Decimal(0), tax or Decimal(0)
    return RateAmount(rate=normalise_rate(rate, net, tax), net=net, tax=tax)


class InvoiceRow(Struct, frozen=True, kw_only=True):
    """One listed invoice, identified by (seller, form, series, number).

    Amounts are in `currency`, and None where the portal has none.
    """

    seller: str
    form: int
    series: str
    number: int
    family: Family
    issued_on: date
    status: int
    processing: int
    buyer: str | None = None
    seller_name: str | None = None
    buyer_name: str | None = None
    currency: str = "VND"
    net: Decimal | None = None
    tax: Decimal | None = None
    gross: Decimal | None = None
    rates: tuple[RateAmount, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.seller}-{self.form}-{self.series}-{self.number}"


class ListPage(Struct, frozen=True, kw_only=True):
    """One page of a list. `state` is the cursor of the next page; None on the last one."""

    rows: tuple[InvoiceRow, ...]
    total: int
    state: str | None


class _WireRate(Struct, frozen=True):
    tsuat: str | None = None
    thtien: Decimal | None = None
    tthue: Decimal | None = None


class WireRow(Struct, frozen=True):
    """The members of the portal's invoice that are used."""

    nbmst: str
    khmshdon: int
    khhdon: str
    shdon: int
    tdlap: datetime
    tthai: int
    ttxly: int
    nmmst: str | None = None
    nbten: str | None = None
    nmten: str | None = None
    dvtte: str | None = None
    tgtcthue: Decimal | None = None
    tgtthue: Decimal | None = None
    tgtttbso: Decimal | None = None
    thttltsuat: tuple[_WireRate, ...] | None = None


class _WirePage(Struct, frozen=True):
    datas: tuple[WireRow, ...]
    total: int
    state: str | None = None


def read_page(body: bytes, family: Family) -> ListPage:
    """Decode a page of a list.

    Raises:
        UnexpectedResponse: the body has another shape.
    """
    try:
        wire = msgspec.json.decode(body, type=_WirePage, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnexpectedResponse(f"the portal's list has an unknown shape: {str(error)[:200]}") from None
    return ListPage(
        rows=tuple(row_of(row, family) for row in wire.datas), total=wire.total, state=wire.state or None
    )


def read_detail(body: bytes, family: Family) -> InvoiceRow:
    """Decode a detail: the same object as a row of a list, with more members.

    Raises:
        UnexpectedResponse: the body has another shape.
    """
    try:
        return row_of(msgspec.json.decode(body, type=WireRow, strict=False), family)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnexpectedResponse(f"the portal's detail has an unknown shape: {str(error)[:200]}") from None


def row_of(wire: WireRow, family: Family) -> InvoiceRow:
    rates = tuple(rate_amount(item.tsuat, item.thtien, item.tthue) for item in wire.thttltsuat or ())
    return InvoiceRow(
        seller=wire.nbmst,
        form=wire.khmshdon,
        series=wire.khhdon,
        number=wire.shdon,
        family=family,
        issued_on=hanoi_date(wire.tdlap),
        status=wire.tthai,
        processing=wire.ttxly,
        buyer=wire.nmmst or None,
        seller_name=wire.nbten,
        buyer_name=wire.nmten,
        currency=wire.dvtte or "VND",
        net=wire.tgtcthue,
        tax=wire.tgtthue,
        gross=wire.tgtttbso,
        rates=rates,
    )


def check_taxpayer(rows: Sequence[InvoiceRow], tax_code: str, direction: Direction) -> None:
    """Check that every row belongs to the taxpayer: as buyer of a purchase, as seller of a sale.

    Raises:
        WrongTaxpayer: a row of another taxpayer; nothing of the page may be used.
    """
    for row in rows:
        found = row.buyer if direction == "purchase" else row.seller
        if found is None or not same_taxpayer(found, tax_code):
            detail = (
                f"the portal returned an invoice of {found or 'nobody'} in the {direction} list of "
                f"{tax_code}; the page was discarded: report it to the portal's operator"
            )
            raise WrongTaxpayer(detail)
