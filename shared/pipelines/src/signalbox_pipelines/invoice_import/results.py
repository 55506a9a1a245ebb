"""The results and events of an import. The console reads them; fields are only added."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from signalbox_core.patterns import whole

Direction = Literal["purchase", "sold"]
Family = Literal["ordinary", "cash_register"]
Status = Literal["complete", "partial"]
"""`partial`: an invoice failed or is missing. An invoice without an original is not a failure."""


class MonthLine(Struct, frozen=True, kw_only=True):
    """One line of the table: what was found in a month, and how far its import is.

    Attributes:
        month: `2026-08`; the first and the last month of a range may be incomplete.
        rows: invoices listed; None until the month has been listed.
        missing: invoices that the portal counts but does not list.
        details, xml: invoices whose detail or original is stored.
        no_original: invoices for which the portal has no file; final, and not a failure.
        failed: invoices in the list of failures.
        mismatches: invoices whose original differs from the list.
        note: why there are no invoices ("no cash registers"), else None.
    """

    month: str
    direction: Direction
    family: Family
    rows: int | None = None
    missing: int = 0
    details: int = 0
    xml: int = 0
    no_original: int = 0
    failed: int = 0
    mismatches: int = 0
    note: str | None = None


class RateTotal(Struct, frozen=True, kw_only=True):
    """Sums of the counted invoices at one tax rate, as the portal writes it: `8%`, `KCT` (not taxable), …"""

    direction: Direction
    rate: str
    currency: str
    invoices: int
    net: Decimal
    tax: Decimal


class DirectionTotal(Struct, frozen=True, kw_only=True):
    """Sums of one direction and currency.

    Replaced (4) and cancelled (6) invoices are listed and stored, but not counted.
    """

    direction: Direction
    currency: str
    counted: int
    excluded: int
    net: Decimal
    tax: Decimal
    gross: Decimal


class ItemFailure(Struct, frozen=True, kw_only=True):
    """An invoice that could not be fetched completely. `key` is seller-form-series-number."""

    key: str
    month: str
    direction: Direction
    family: Family
    part: Literal["detail", "xml"]
    code: str
    message: str


class Mismatch(Struct, frozen=True, kw_only=True):
    """A field on which the list and the signed original differ."""

    key: str
    month: str
    direction: Direction
    family: Family
    field: str
    listed: str
    original: str


class ImportResult(Struct, frozen=True, kw_only=True):
    """The result; the artifacts `invoices.csv`, `failed.csv` and `mismatches.csv` list the single invoices.

    Attributes:
        details, xml, no_original: how many of `rows` have one.
        first_failed, first_mismatches: the first 50 of each.
    """

    tax_code: str
    first_day: date
    last_day: date
    status: Status
    rows: int
    missing: int
    details: int
    xml: int
    no_original: int
    failed: int
    mismatches: int
    sign_ins: int
    months: tuple[MonthLine, ...]
    totals: tuple[DirectionTotal, ...]
    rates: tuple[RateTotal, ...]
    first_failed: tuple[ItemFailure, ...] = ()
    first_mismatches: tuple[Mismatch, ...] = ()


class ImportTable(Struct, frozen=True, kw_only=True):
    """The artifact `table.json`: the months so far, written again after each of them."""

    tax_code: str
    months: tuple[MonthLine, ...]


class ImportedInvoice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One invoice of an `invoice.imported` event. `xml` is the object of the original, if there is one."""

    key: str
    issued_on: date
    total: Decimal | None = None
    currency: str = "VND"
    status: int = 1
    xml: str | None = None


class InvoicesImported(Struct, frozen=True, kw_only=True):
    """Data of `invoice.imported`: up to 15 invoices that are now stored."""

    tax_code: str
    month: str
    direction: Direction
    invoices: tuple[ImportedInvoice, ...]


class ImportCompleted(Struct, frozen=True, kw_only=True):
    """Data of `import.completed`."""

    tax_code: str
    first_day: date
    last_day: date
    status: Status
    rows: int
    xml: int
    no_original: int
    failed: int
    mismatches: int
    report: str


def completed_event(result: ImportResult, report: str) -> ImportCompleted:
    """Build the event of a result; `report` is the key of `report.json`."""
    return ImportCompleted(
        tax_code=result.tax_code,
        first_day=result.first_day,
        last_day=result.last_day,
        status=result.status,
        rows=result.rows,
        xml=result.xml,
        no_original=result.no_original,
        failed=result.failed,
        mismatches=result.mismatches,
        report=report,
    )


_TITLE: Final = "Secret"
_DESCRIPTION: Final = (
    "The name under which the operator keeps the portal's password; never the password itself"
)
Reference = Annotated[
    str,
    Meta(
        title=_TITLE,
        description=_DESCRIPTION,
        pattern=whole(r"[a-z0-9][a-z0-9._-]{0,63}"),
        examples=["gdt-portal"],
    ),
]
AnsweredReference = Annotated[
    str,
    Meta(
        title=_TITLE,
        description=_DESCRIPTION,
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        examples=["gdt-portal"],
    ),
]
"""A secret's name in an answer. Its schema is part of the digests of open questions, so the pattern must not
change; `TroubleDecision` rejects the trailing line feed that it accepts."""
