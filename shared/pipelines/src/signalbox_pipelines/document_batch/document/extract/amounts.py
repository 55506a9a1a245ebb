"""Amounts of money: a number next to a currency.

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
from signalbox_pipelines.document_batch.document.extract.conventions import Conventions
from signalbox_pipelines.document_batch.document.extract.finder import TextMatch


def _alternatives(names: frozenset[str] | set[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))


_SIGNS_ONLY: Final = frozenset(SIGNS) - AFTER_THE_NUMBER_ONLY
_ANY: Final = _alternatives(CODES | set(SIGNS))
_GAP: Final = rf"[{SPACES}]?"


def _amount_pattern(after: frozenset[str], *, sign_ends: str) -> re.Pattern[str]:
    """Build the pattern of an amount.

    Args:
        after: the currencies after a number that may as well belong to the next one.
        sign_ends: what may follow any other sign after a number.
    """
    others = _alternatives(frozenset(SIGNS) - after) or "(?!)"
    return re.compile(
        rf"(?<![\w.,/])(?P<minus>[-−]{_GAP})?"
        rf"(?:(?P<before>{_alternatives(CODES | _SIGNS_ONLY)}){_GAP}(?P<minus2>[-−])?(?P<number>{NUMERAL})"
        rf"|(?P<number2>{NUMERAL}){_GAP}(?:(?P<sign>{others}){sign_ends}"
        # "2024 EUR 1,428.00" names the currency before its number, "10 EUR 20 EUR" after it.
        rf"|(?P<after>{_alternatives(after)})(?!\w|{_GAP}(?>{NUMERAL})(?!{_GAP}(?:{_ANY})))))"
    )


_EITHER: Final = _amount_pattern(CODES | frozenset(SIGNS), sign_ends="")
_SIGN_BEFORE: Final = _amount_pattern(CODES | AFTER_THE_NUMBER_ONLY, sign_ends=rf"(?!\w|{_GAP}(?>{NUMERAL}))")
_SIGN_AFTER: Final = _amount_pattern(CODES, sign_ends=r"(?!\w)")
_SIGN: Final = "|".join(re.escape(sign) for sign in sorted(_SIGNS_ONLY, key=len, reverse=True))
_LINE_ENDS_WITH_NUMBER: Final = re.compile(rf"(?:{_SIGN}){_GAP}[-−]?(?>{NUMERAL})[ \t]*$", re.MULTILINE)
_LINE_ENDS_WITH_SIGN: Final = re.compile(rf"\d{_GAP}(?:{_SIGN})[ \t]*$", re.MULTILINE)
# What shows a page's decimal separator: any number with both separators, or with one or two decimals.
_UNMISTAKABLE: Final = re.compile(
    r"(?<![\w.,])\d{1,3}(?:,\d{3}){1,7}(?P<point>\.)\d{1,2}(?![\w.,]*\d)"
    r"|(?<![\w.,])\d{1,3}(?:\.\d{3}){1,7}(?P<comma>,)\d{1,2}(?![\w.,]*\d)"
)
_GROUPED_BY_MARK: Final = re.compile(r"(?<![\w.,])\d{1,3}[.,'’]\d{3}[.,]\d{2}(?![\w.,]*\d)")
_SAMPLES: Final = 50
_DOLLARS: Final = "$ is the sign of several currencies; read as US dollars"


def find_amounts(text: str, conventions: Conventions) -> Iterator[TextMatch]:
    """Find amounts. One that can be read in two ways is invalid, with both readings in its note."""
    decimal = _decimal_separator(text)
    groups_by_mark = _GROUPED_BY_MARK.search(text) is not None
    for match in _pattern_of(text).finditer(text):
        written = match["number"] or match["number2"]
        sign = match["before"] or match["sign"] or match["after"]
        code = SIGNS.get(sign, sign)
        if sign in WORDS_TOO and written.isdigit():
            continue
        amount = read_numeral(
            written,
            decimal=decimal or _usual_separator(match, conventions),
            whole_only=not has_decimals(code),
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
                remark=_DOLLARS if sign == "$" else None,
            )


def _pattern_of(text: str) -> re.Pattern[str]:
    """Choose the pattern by the ends of the page's lines, since `1 € 20 € 20` can be read in two ways."""
    ends_with_number = _LINE_ENDS_WITH_NUMBER.search(text) is not None
    ends_with_sign = _LINE_ENDS_WITH_SIGN.search(text) is not None
    if ends_with_number == ends_with_sign:
        return _EITHER
    return _SIGN_BEFORE if ends_with_number else _SIGN_AFTER


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


def _usual_separator(match: re.Match[str], conventions: Conventions) -> DecimalSeparator | None:
    """Return the point where English writes "$1,250": no one means a fraction there."""
    is_english = conventions.language == "en" and match["before"] is not None and "," in match["number"]
    return "." if is_english else None
