"""Bank accounts and tax numbers, validated by their check digits with python-stdnum.

Text on a page does not say where a number ends ("DE136695976 IBAN"): an IBAN has the length of its country,
a VAT number ends where it is valid.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from stdnum import iban, numdb
from stdnum.eu import vat
from stdnum.exceptions import InvalidChecksum, InvalidLength, ValidationError
from stdnum.vn import mst

from signalbox_pipelines.document_batch.document.extract.conventions import Conventions
from signalbox_pipelines.document_batch.document.extract.finder import TextMatch

_GAP: Final = "[-.\u00a0\u202f ]"
_IBAN_START: Final = re.compile(rf"(?<![A-Za-z0-9])[A-Z]{{2}}\d{{2}}(?={_GAP}?[A-Z0-9])")
_COUNTRIES: Final = "|".join(code.upper() for code in sorted({*vat.MEMBER_STATES, "el"} - {"gr"}))
_VAT_START: Final = re.compile(rf"(?<![A-Za-z0-9])(?:{_COUNTRIES})(?={_GAP}?[A-Z0-9])")
_WORD: Final = re.compile(rf"{_GAP}?([A-Z0-9]{{1,40}})")
_TAX_ID: Final = re.compile(
    r"(?:MST|m[ãa] s[ốo] thu[ếe]|tax\s*(?:code|id|number|no\.?)"
    r"|VAT\s*(?:no\.?|number|code|reg(?:istration)?\.?))"
    r"[^\d\n]{0,12}(?P<number>\d(?:[ .]?\d){8,9}(?:\s?-\s?\d{3})?)(?!\d)",
    re.IGNORECASE,
)
_SHORTEST_IBAN: Final = 15
_LONGEST_VAT: Final = 14
_MIN_VAT_DIGITS: Final = 7


def find_ibans(text: str, _conventions: Conventions) -> Iterator[TextMatch]:
    end = 0
    for match in _IBAN_START.finditer(text):
        length = _iban_length(match.group()[:2])
        if length is None or match.start() < end:
            continue
        candidates = list(_prefixes(text, match.start(), length))
        if not candidates:
            continue
        number, stop = candidates[-1]
        if len(number) == length:
            end = stop
            yield _match(match.start(), stop, number, _problem(iban.validate, number))
        elif len(number) >= _SHORTEST_IBAN and number[2:].isdigit():
            end = stop
            yield _match(match.start(), stop, number, "the length is wrong")


def find_vat_ids(text: str, _conventions: Conventions) -> Iterator[TextMatch]:
    """Find EU VAT numbers. An invalid one is reported only when it has about as many digits as a real one."""
    for match in _VAT_START.finditer(text):
        candidates = list(_prefixes(text, match.start(), _LONGEST_VAT))
        valid = [(number, stop) for number, stop in candidates if _is_vat(number)]
        if valid:
            number, stop = valid[-1]
            yield _match(match.start(), stop, number, None)
            continue
        for number, stop in candidates:
            digits = sum(sign.isdigit() for sign in number)
            if digits >= _MIN_VAT_DIGITS and digits >= len(number) - 3:
                yield _match(match.start(), stop, number, _problem(vat.validate, number))
                break


def find_tax_ids(text: str, _conventions: Conventions) -> Iterator[TextMatch]:
    """Find Vietnamese tax codes by their label, since ten bare digits could be a phone number."""
    for match in _TAX_ID.finditer(text):
        number = re.sub(r"[ .]", "", match["number"])
        yield _match(match.start("number"), match.end("number"), number, _problem(mst.validate, number))


def _prefixes(text: str, start: int, longest: int) -> Iterator[tuple[str, int]]:
    """Yield the number from `start` on, one word longer each time, and where each ends in the text."""
    number, position = "", start
    while match := _WORD.match(text, position):
        number, position = number + match[1], match.end()
        if len(number) > longest or text[position : position + 1].islower():
            return
        yield number, position


@cache
def _iban_length(country: str) -> int | None:
    """Return the length of the country's IBANs, from python-stdnum's registry; None when it has none."""
    _, fields = numdb.get("iban").info(country)[0]
    bban = fields.get("bban")
    return 4 + sum(map(int, re.findall(r"\d+", bban))) if bban else None


def _is_vat(number: str) -> bool:
    return sum(sign.isdigit() for sign in number) >= _MIN_VAT_DIGITS and bool(vat.is_valid(number))


def _match(start: int, end: int, number: str, problem: str | None) -> TextMatch:
    return TextMatch(start=start, end=end, value=number, problem=problem)


def _problem(validate: Callable[[str], object], number: str) -> str | None:
    try:
        validate(number)
    except InvalidChecksum:
        return "the check digits do not match: mistyped or misread"
    except InvalidLength:
        return "the length is wrong"
    except ValidationError:
        return "the format is wrong"
    return None
