"""Amounts without a currency next to them: numbers after the label of a total.

`Gesamtbetrag 529,87` is an amount of euros when every currency in the document is the euro.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from signalbox_core.formats.numerals import read_numeral
from signalbox_pipelines.document_batch.document.extract.finder import TextMatch

_LABEL: Final = re.compile(
    r"(?<!\w)(?:\w{0,20}(?:summe|betrag|bedrag|steuer)|total[ei]?|totaal|sub-?total[ei]?|subtotaal|brutto"
    r"|netto|mwst|ust|tva|btw|iva|vat|gst|montant|somme|(?:net|reste|solde) à payer|te betalen|te voldoen"
    r"|importe|base imponible|imponibile|imposta|importo|balance due|amount|tax|tổng tiền|tiền thuế"
    r"|cộng tiền)(?!\w)",
    re.IGNORECASE,
)
_OTHER_UNIT: Final = re.compile(
    r"(?<!\w)(?:hours?|hrs|std|stunden|heures|uren|horas|ore|kg|km|kwh|points?|pages?|menge|qty|quantity"
    r"|rate)(?!\w)",
    re.IGNORECASE,
)
_MONEY: Final = re.compile(
    r"(?<![\w.,/-])(?P<minus>[-−] ?)?"
    r"(?P<number>\d{1,3}(?:[.,'’\u00a0\u202f]\d{3}){0,5}[.,]\d{2}|\d{1,12}[.,]\d{2})"
    r"(?![\w.,/]|-\d| ?%)"
)
_GROUP_BEFORE: Final = re.compile(r"\d \Z")
"""In `19 163,16` the first number may be a tax rate or a group of the second."""
_VALUES_ONLY: Final = re.compile(r"[-−\d.,'’\s€$£]{1,40}")
_TAX_RATES: Final = frozenset(
    {"5.00", "5.50", "6.00", "7.00", "8.00", "9.00", "10.00", "12.00", "13.00", "16.00", "19.00", "20.00"}
    | {"21.00", "22.00", "23.00", "24.00", "25.00"}
)
_MAX_LINE_CHARS: Final = 300
_MAX_PER_LINE: Final = 6
_REMARK: Final = "the currency is the only one that the document names"


def find_labelled_amounts(text: str, currency: str) -> Iterator[TextMatch]:
    """Find the numbers with two decimals after the label of a total.

    A number that is also a usual tax rate is left out, since it may be one.

    Args:
        currency: the only one that the document names.
    """
    start, has_label = 0, False
    for line in text.split("\n"):
        if len(line) <= _MAX_LINE_CHARS:
            label = _LABEL.search(line)
            begin = label.end() if label else 0
            if label or (has_label and _VALUES_ONLY.fullmatch(line.strip() or "-")):
                yield from _amounts(line, begin, start, currency)
            has_label = label is not None and not any(sign.isdigit() for sign in line[begin:])
        start += len(line) + 1


def _amounts(line: str, begin: int, start: int, currency: str) -> Iterator[TextMatch]:
    if _OTHER_UNIT.search(line):
        return
    for match in islice(_MONEY.finditer(line, begin), _MAX_PER_LINE):
        amount = read_numeral(match["number"])
        before = line[max(0, match.start() - 2) : match.start()]
        is_group = match["number"][3:4] in (".", ",") and _GROUP_BEFORE.search(before) is not None
        if amount is None or amount.value in _TAX_RATES or is_group:
            continue
        yield TextMatch(
            start=start + match.start(),
            end=start + match.end(),
            value=f"-{amount.value}" if match["minus"] else amount.value,
            currency=currency,
            remark=_REMARK,
        )
