"""Sums over the listed invoices, by direction and by tax rate. Exact decimals; pure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from msgspec import Struct

from signalbox_pipelines.invoice_import.portal.rows import NOT_COUNTED, InvoiceRow, RateAmount
from signalbox_pipelines.invoice_import.results import Direction, DirectionTotal, RateTotal

_ZERO: Final = Decimal(0)


class Sums(Struct, kw_only=True):
    """Running sums of one direction in one currency."""

    counted: int = 0
    excluded: int = 0
    net: Decimal = _ZERO
    tax: Decimal = _ZERO
    gross: Decimal = _ZERO


class RateSums(Struct, kw_only=True):
    invoices: int = 0
    net: Decimal = _ZERO
    tax: Decimal = _ZERO


class Totals:
    """Accumulates the rows of any number of months."""

    def __init__(self) -> None:
        self._sums: dict[tuple[Direction, str], Sums] = {}
        self._rates: dict[tuple[Direction, str, str], RateSums] = {}

    def add(self, direction: Direction, rows: Iterable[InvoiceRow]) -> None:
        for row in rows:
            sums = self._sums.setdefault((direction, row.currency), Sums())
            if row.status in NOT_COUNTED:
                sums.excluded += 1
                continue
            sums.counted += 1
            sums.net += row.net or _ZERO
            sums.tax += row.tax or _ZERO
            sums.gross += row.gross or _ZERO
            self._add_rates(direction, row)

    def _add_rates(self, direction: Direction, row: InvoiceRow) -> None:
        for rate in merge_rates(row.rates):
            sums = self._rates.setdefault((direction, row.currency, rate.rate), RateSums())
            sums.invoices += 1
            sums.net += rate.net
            sums.tax += rate.tax

    def by_direction(self) -> tuple[DirectionTotal, ...]:
        return tuple(
            DirectionTotal(
                direction=direction,
                currency=currency,
                counted=sums.counted,
                excluded=sums.excluded,
                net=sums.net,
                tax=sums.tax,
                gross=sums.gross,
            )
            for (direction, currency), sums in sorted(self._sums.items())
        )

    def by_rate(self) -> tuple[RateTotal, ...]:
        return tuple(
            RateTotal(
                direction=direction,
                rate=rate,
                currency=currency,
                invoices=sums.invoices,
                net=sums.net,
                tax=sums.tax,
            )
            for (direction, currency, rate), sums in sorted(
                self._rates.items(), key=lambda item: (item[0][:2], rate_order(item[0][2]))
            )
        )


def merge_rates(rates: Sequence[RateAmount]) -> list[RateAmount]:
    """Merge entries of the same rate: an invoice may list a rate twice, but counts once."""
    found: dict[str, RateAmount] = {}
    for rate in rates:
        previous = found.get(rate.rate)
        found[rate.rate] = (
            rate
            if previous is None
            else RateAmount(rate=rate.rate, net=previous.net + rate.net, tax=previous.tax + rate.tax)
        )
    return list(found.values())


def rate_order(rate: str) -> tuple[bool, float, str]:
    """Sort key: numeric rates in ascending order, then the others."""
    number = rate.removesuffix("%")
    return (False, float(number), rate) if number.replace(".", "", 1).isdigit() else (True, 0.0, rate)
