"""Amounts of money: a number beside a currency.

An amount is valid only when its number can be read in one way, by its own form, by its currency or by the
other numbers of the page.
"""

import re
from collections.abc import Iterator
from typing import Final

from signalbox_core.formats.currencies import (
    AFTER_THE_NUMBER_ONLY,
    CODES,
    SIGNS,
    WORDS_TOO,
    has_decimals,
)
from signalbox_core.formats.numerals import (
    NUMERAL,
    SPACES,
    DecimalSeparator,
    Numeral,
    read_numeral,
)
from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.extract.finder import TextMatch


def _alternatives(names: frozenset[str] | set[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))


_AFTER: Final = _alternatives(CODES | set(SIGNS))
_BEFORE: Final = _alternatives(CODES | (set(SIGNS) - AFTER_THE_NUMBER_ONLY))
_GAP: Final = rf"[{SPACES}]?"
_AMOUNT: Final = re.compile(
    rf"(?<![\w.,/])(?P<minus>[-−]{_GAP})?"
    rf"(?:(?P<before>{_BEFORE}){_GAP}(?P<minus2>[-−])?(?P<number>{NUMERAL})"
    # "2024 EUR 1,428.00" names the currency before its number, "10 EUR 20 EUR" after it.
    rf"|(?P<number2>{NUMERAL}){_GAP}(?P<after>{_AFTER})(?!\w|{_GAP}(?>{NUMERAL})(?!{_GAP}(?:{_AFTER}))))"
)
# What shows a page's decimal separator: any number with both separators, or with one or two decimals.
_UNMISTAKABLE: Final = re.compile(
    r"(?<![\w.,])\d{1,3}(?:,\d{3}){1,7}(?P<point>\.)\d{1,2}(?![\w.,]*\d)"
    r"|(?<![\w.,])\d{1,3}(?:\.\d{3}){1,7}(?P<comma>,)\d{1,2}(?![\w.,]*\d)"
)
_GROUPED_BY_MARK: Final = re.compile(r"(?<![\w.,])\d{1,3}[.,'’]\d{3}[.,]\d{2}(?![\w.,]*\d)")
_SAMPLES: Final = 50


def find_amounts(text: str, language: Language) -> Iterator[TextMatch]:
    """Find amounts. One that can be read in two ways is invalid, with both readings in its note."""
    decimal = _decimal_separator(text)
    groups_by_mark = _GROUPED_BY_MARK.search(text) is not None
    for match in _AMOUNT.finditer(text):
        written = match["number"] or match["number2"]
        sign = match["before"] or match["after"]
        code = SIGNS.get(sign, sign)
        if sign in WORDS_TOO and written.isdigit():
            continue
        amount = read_numeral(
            written, decimal=decimal or _usual_separator(match, language), whole_only=not has_decimals(code)
        )
        if amount is not None:
            problem = _problem(amount) or _space_problem(written, amount, groups_by_mark)
            minus = "-" if match["minus"] or match["minus2"] else ""
            yield TextMatch(
                start=match.start(),
                end=match.end(),
                value=minus + amount.value,
                currency=code,
                problem=problem,
            )


def _space_problem(written: str, amount: Numeral, groups_by_mark: bool) -> str | None:
    """Return a problem when a space may stand between two numbers: `2 150.00 €`, two pieces at 150.00."""
    whole, _, last = written.rpartition(" ")
    if not whole or not (groups_by_mark or "." in last):
        return None
    return f"could be {amount.value} or {last.replace(',', '.')}"


def _problem(amount: Numeral) -> str | None:
    return f"could be {amount.value} or {amount.alternative}" if amount.alternative else None


def _decimal_separator(text: str) -> DecimalSeparator | None:
    """Return the decimal separator of a page whose unmistakable numbers agree, else None."""
    seen: set[DecimalSeparator] = set()
    for count, match in enumerate(_UNMISTAKABLE.finditer(text)):
        seen.add("." if match["point"] else ",")
        if count == _SAMPLES or len(seen) > 1:
            break
    return seen.pop() if len(seen) == 1 else None


def _usual_separator(match: re.Match[str], language: Language) -> DecimalSeparator | None:
    """Return the point where English writes "$1,250": no one means a fraction there."""
    is_english = language == "en" and match["before"] is not None and "," in match["number"]
    return "." if is_english else None
