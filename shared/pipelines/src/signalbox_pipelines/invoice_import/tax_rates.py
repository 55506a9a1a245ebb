"""Tax rates as invoices write them, in one form: `10%`, `5.26%`, or a code such as `KCT`. Pure.

Sellers' programs write the same rate as `10%`, `10`, `10.0%`, `0.1` or `KHAC:10%`, and some leave it out.
"""

import re
from decimal import Decimal
from typing import Final

OTHER: Final = "KHAC"
"""A rate that is neither stated nor follows from the amounts."""
_NUMBER: Final = re.compile(r"(?:KHAC\s*:?\s*)?(\d{1,3}(?:[.,]\d{1,6})?)\s*(%?)", re.IGNORECASE)
_LEGAL: Final = (Decimal(5), Decimal(8), Decimal(10))
_ROUNDING: Final = Decimal("0.005")
"""Largest difference of the tax, as a share of it, that rounding on the lines of an invoice explains."""


def normalise_rate(text: str | None, net: Decimal, tax: Decimal) -> str:
    """Return the rate in its usual form.

    Args:
        text: the rate as written; None or empty where it is left out. Then a legal rate is taken that the
            amounts have, else `KHAC`.
    """
    written = (text or "").strip()
    match = _NUMBER.fullmatch(written)
    if match:
        value = Decimal(match[1].replace(",", "."))
        is_fraction = not match[2] and 0 < value < 1
        return f"{_plain(value * 100 if is_fraction else value)}%"
    if written and written.upper() != OTHER:
        return written.upper()
    return _rate_of(net, tax)


def _rate_of(net: Decimal, tax: Decimal) -> str:
    for rate in _LEGAL:
        expected = net * rate / 100
        if tax and abs(expected - tax) <= max(Decimal(1), abs(expected) * _ROUNDING):
            return f"{rate}%"
    return OTHER


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
