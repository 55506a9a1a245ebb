"""Comparing the signed original with the listed row, field by field. Pure."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from signalbox_pipelines.invoice_import.portal.originals import Original
from signalbox_pipelines.invoice_import.portal.rows import InvoiceRow
from signalbox_pipelines.invoice_import.report.totals import merge_rates


class FieldDifference(Struct, frozen=True):
    """A field on which list and original differ, both values as text."""

    field: str
    listed: str
    original: str


def differences(row: InvoiceRow, original: Original) -> tuple[FieldDifference, ...]:
    """Return every field on which list and original differ; a missing value is not a difference."""
    return tuple(
        FieldDifference(field, _text(listed), _text(signed))
        for field, listed, signed in _pairs(row, original)
        if _differ(listed, signed)
    )


def _pairs(row: InvoiceRow, original: Original) -> Iterator[tuple[str, object, object]]:
    yield "seller", row.seller, original.seller
    yield "form", row.form, original.form
    yield "series", row.series, original.series
    yield "number", row.number, original.number
    yield "issued_on", row.issued_on, original.issued_on
    yield "buyer", row.buyer, original.buyer
    yield "currency", row.currency, original.currency
    yield "net", row.net, original.net
    yield "tax", row.tax, original.tax
    yield "gross", row.gross, original.gross
    if row.rates and original.rates:
        listed = {rate.rate: rate for rate in merge_rates(row.rates)}
        signed = {rate.rate: rate for rate in merge_rates(original.rates)}
        for name in sorted({*listed, *signed}):
            yield (
                f"net at {name}",
                listed[name].net if name in listed else Decimal(0),
                signed[name].net if name in signed else Decimal(0),
            )
            yield (
                f"tax at {name}",
                listed[name].tax if name in listed else Decimal(0),
                signed[name].tax if name in signed else Decimal(0),
            )


def _differ(listed: object, signed: object) -> bool:
    return listed is not None and signed is not None and listed != signed


def _text(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
