"""Invoices as the portal lists them: the wire's words in, ours out. Pure."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_pipelines.invoice_import.months import hanoi_date
from signalbox_pipelines.invoice_import.portal.faults import Drift, Mismatch
from signalbox_pipelines.invoice_import.results import Direction, Family
from signalbox_pipelines.invoice_import.tax_codes import same_taxpayer

REPLACED: Final = 4
CANCELLED: Final = 6
NOT_COUNTED: Final = frozenset({REPLACED, CANCELLED})
"""Left out of totals. An adjusted invoice (5) counts, as what adjusts it (3) carries the signed difference only."""


class Rate(Struct, frozen=True, kw_only=True):
    """Net and tax at one rate of an invoice."""

    rate: str
    net: Decimal
    tax: Decimal


class Row(Struct, frozen=True, kw_only=True):
    """One listed invoice. (seller, form, series, number) is its natural key; amounts are in `currency`, None where the portal has none."""

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
    rates: tuple[Rate, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.seller}-{self.form}-{self.series}-{self.number}"


class Page(Struct, frozen=True, kw_only=True):
    """One page of a list. `state` is where the next one begins; None when the portal says that nothing follows."""

    rows: tuple[Row, ...]
    total: int
    state: str | None


class _WireRate(Struct, frozen=True):
    tsuat: str | None = None
    thtien: Decimal | None = None
    tthue: Decimal | None = None


class WireRow(Struct, frozen=True):
    """The members of the portal's invoice that are used here."""

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


def read_page(body: bytes, family: Family) -> Page:
    """A page of a list.

    Raises:
        Drift: the body is no JSON of this shape.
    """
    try:
        wire = msgspec.json.decode(body, type=_WirePage, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Drift(f"the portal's list is not of the known shape: {str(error)[:200]}") from None
    return Page(
        rows=tuple(row_of(row, family) for row in wire.datas), total=wire.total, state=wire.state or None
    )


def read_detail(body: bytes, family: Family) -> Row:
    """The row of a detail: the same object with more of it filled in.

    Raises:
        Drift: the body is no JSON of this shape.
    """
    try:
        return row_of(msgspec.json.decode(body, type=WireRow, strict=False), family)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Drift(f"the portal's detail is not of the known shape: {str(error)[:200]}") from None


def row_of(wire: WireRow, family: Family) -> Row:
    rates = tuple(
        Rate(rate=item.tsuat or "KHAC", net=item.thtien or Decimal(0), tax=item.tthue or Decimal(0))
        for item in wire.thttltsuat or ()
    )
    return Row(
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


def guard(rows: Sequence[Row], own: str, direction: Direction) -> None:
    """Every row must be the taxpayer's own: as the buyer of a purchase, as the seller of a sale.

    Raises:
        Mismatch: another taxpayer's row; nothing of the page may be used.
    """
    for row in rows:
        found = row.buyer if direction == "purchase" else row.seller
        if found is None or not same_taxpayer(found, own):
            detail = f"the portal gave an invoice of {found or 'nobody'} in the {direction} list of {own}; nothing of it is kept"
            raise Mismatch(f"{detail}, report it to the portal's operator")
