"""Amounts of money: a number next to a currency. Patterns find candidates, price-parser reads the numbers."""

import re
from collections.abc import Iterator
from typing import Final

from price_parser import Price

from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.extract.finder import TextMatch

_CODES: Final = {
    "VND": "VND",
    "VNĐ": "VND",
    "đ": "VND",
    "₫": "VND",
    "đồng": "VND",
    "USD": "USD",
    "US$": "USD",
    "$": "USD",
    "EUR": "EUR",
    "€": "EUR",
    "GBP": "GBP",
    "£": "GBP",
}
_NUMBER: Final = r"\d{1,3}(?:[.,\u00a0 ]\d{3}){1,8}(?:[.,]\d{1,2})?|\d{1,24}(?:[.,]\d{1,2})?"
_SIGN: Final = r"VNĐ|VND|₫|đồng|đ|USD|US\$|\$|EUR|€|GBP|£"
_AMOUNT: Final = re.compile(
    rf"(?<![\w.,])(?:(?P<before>VNĐ|VND|₫|USD|US\$|\$|EUR|€|GBP|£)\s?(?P<number>{_NUMBER})"
    rf"|(?P<number2>{_NUMBER})\s?(?P<after>{_SIGN})(?!\w))"
)


def find_amounts(text: str, _language: Language) -> Iterator[TextMatch]:
    for match in _AMOUNT.finditer(text):
        number = match["number"] or match["number2"]
        currency = _CODES[match["before"] or match["after"]]
        amount = _amount(number, currency)
        if amount is not None:
            yield TextMatch(start=match.start(), end=match.end(), value=amount, currency=currency)


def _amount(number: str, currency: str) -> str | None:
    # The dong has no fractions, so three digits after a separator are thousands.
    bare = re.sub(r"[.,\u00a0 ](?=\d{3}(?!\d))", "", number) if currency == "VND" else number
    price = Price.fromstring(bare)
    return str(price.amount) if price.amount is not None else None
