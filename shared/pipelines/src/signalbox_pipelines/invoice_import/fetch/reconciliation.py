"""The signed original against the listed row, field by field. Pure."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from signalbox_pipelines.invoice_import.portal.originals import Original
from signalbox_pipelines.invoice_import.portal.rows import Row
from signalbox_pipelines.invoice_import.report.totals import merged


class Difference(Struct, frozen=True):
    """A field on which the two differ, each as text."""

    field: str
    listed: str
    original: str


def differences(row: Row, original: Original) -> tuple[Difference, ...]:
    """Every field on which list and original differ; an amount that one of them does not state is no difference."""
    return tuple(
        Difference(field, _text(listed), _text(said))
        for field, listed, said in _pairs(row, original)
        if _differ(listed, said)
    )


def _pairs(row: Row, original: Original) -> Iterator[tuple[str, object, object]]:
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
        listed = {rate.rate: rate for rate in merged(row.rates)}
        said = {rate.rate: rate for rate in merged(original.rates)}
        for name in sorted({*listed, *said}):
            yield (
                f"net at {name}",
                listed[name].net if name in listed else Decimal(0),
                said[name].net if name in said else Decimal(0),
            )
            yield (
                f"tax at {name}",
                listed[name].tax if name in listed else Decimal(0),
                said[name].tax if name in said else Decimal(0),
            )


def _differ(listed: object, said: object) -> bool:
    return listed is not None and said is not None and listed != said


def _text(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
