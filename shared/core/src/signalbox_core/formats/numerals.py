"""Reading written numbers, whose separators differ from country to country: 1,234.50, 1.234,50, 1 234,50.

Pure. A number is read only as far as its own form, or the convention of its page, leaves no doubt.
"""

import re
from typing import Final, Literal

from msgspec import Struct

DecimalSeparator = Literal[".", ","]

SPACES: Final = "\u00a0\u202f\u2009 "
_GROUPING_ONLY: Final = re.compile(rf"['’{SPACES}]")
NUMERAL: Final = (
    rf"(?:\d{{1,3}}(?:['’{SPACES}]\d{{3}}(?!\d)){{1,8}}(?:[.,]\d{{1,24}}){{0,9}}"
    r"|\d{1,24}(?:[.,]\d{1,24}){0,9})"
)
"""Pattern of a written number; spaces and apostrophes stand between groups of three digits only."""


class Numeral(Struct, frozen=True):
    """A written number.

    Attributes:
        value: with a point as the decimal separator and no grouping.
        alternative: the other possible value, when the form is ambiguous ("1.234").
        decimal: the decimal separator, where the form shows it.
    """

    value: str
    alternative: str | None = None
    decimal: DecimalSeparator | None = None


def read_numeral(
    text: str, *, decimal: DecimalSeparator | None = None, whole_only: bool = False
) -> Numeral | None:
    """Read a written number.

    Args:
        text: a match of NUMERAL.
        decimal: the decimal separator of the page, where it is known.
        whole_only: the number has no decimals (an amount in yen): three digits after a separator are a group.

    Returns:
        None when the groups are those of no number ("1.23.4").
    """
    bare = _GROUPING_ONLY.sub("", text)
    marks = [sign for sign in bare if sign in ".,"]
    if not marks:
        return Numeral(bare)
    if len(set(marks)) == 2:
        return _with_both(bare, marks)
    if len(marks) > 1:
        return _grouped(bare, marks[0])
    return _with_one(bare, marks[0], decimal, whole_only, has_groups=bare != text)


def _with_both(bare: str, marks: list[str]) -> Numeral | None:
    grouping, last = marks[0], marks[-1]
    if marks.count(last) > 1:
        return None
    whole, fraction = bare.rsplit(last, 1)
    groups = whole.split(grouping)
    return Numeral(f"{''.join(groups)}.{fraction}", decimal=_mark(last)) if _are_groups(groups) else None


def _grouped(bare: str, grouping: str) -> Numeral | None:
    groups = bare.split(grouping)
    decimal = _mark("," if grouping == "." else ".")
    return Numeral("".join(groups), decimal=decimal) if _are_groups(groups) else None


def _with_one(
    bare: str, mark: str, decimal: DecimalSeparator | None, whole_only: bool, *, has_groups: bool
) -> Numeral:
    whole, fraction = bare.split(mark)
    as_decimal, as_group = f"{whole}.{fraction}", whole + fraction
    if len(fraction) != 3:
        return Numeral(as_decimal, decimal=_mark(mark))
    if whole.startswith("0") or len(whole) > 3 or has_groups:
        # No group begins with a zero or is longer than three digits.
        return Numeral(as_decimal, decimal=_mark(mark))
    if whole_only:
        return Numeral(as_group)
    if decimal is not None:
        return Numeral(as_decimal if decimal == mark else as_group)
    return Numeral(as_group, alternative=as_decimal)


def _are_groups(groups: list[str]) -> bool:
    """Whether these are groups of three digits, or of two before the last one as in India."""
    first, *others = groups
    if not 1 <= len(first) <= 3 or first.startswith("0") or not others:
        return False
    return len(others[-1]) == 3 and (
        all(len(group) == 3 for group in others) or all(len(group) == 2 for group in others[:-1])
    )


def _mark(text: str) -> DecimalSeparator:
    return "," if text == "," else "."
