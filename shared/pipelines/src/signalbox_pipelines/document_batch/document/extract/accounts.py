"""Bank accounts and tax numbers, validated by their check digits with python-stdnum."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from stdnum import iban
from stdnum.eu import vat
from stdnum.exceptions import InvalidChecksum, InvalidLength, ValidationError
from stdnum.vn import mst

from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.extract.finder import TextMatch

_IBAN: Final = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Z0-9])")
_COUNTRIES: Final = "|".join(code.upper() for code in sorted({*vat.MEMBER_STATES, "el"} - {"gr"}))
_VAT: Final = re.compile(rf"(?<![A-Z0-9])(?:{_COUNTRIES})(?: ?[0-9A-Z]{{2,4}}){{2,4}}(?![A-Z0-9])")
_TAX_ID: Final = re.compile(
    r"(?:MST|m[ãa] s[ốo] thu[ếe]|tax\s*(?:code|id|number|no\.?)"
    r"|VAT\s*(?:no\.?|number|code|reg(?:istration)?\.?))"
    r"[^\d\n]{0,12}(?P<number>\d(?:[ .]?\d){8,9}(?:\s?-\s?\d{3})?)(?!\d)",
    re.IGNORECASE,
)
_SHORTEST_IBAN: Final = 15
_MIN_VAT_DIGITS: Final = 7


def find_ibans(text: str, _language: Language) -> Iterator[TextMatch]:
    for match in _IBAN.finditer(text):
        number = iban.compact(match.group())
        if len(number) >= _SHORTEST_IBAN:
            yield _match(match.start(), match.end(), number, _problem(iban.validate, number))


def find_vat_ids(text: str, _language: Language) -> Iterator[TextMatch]:
    """Find EU VAT numbers. An invalid one is reported only when it has about as many digits as a real one."""
    for match in _VAT.finditer(text):
        number = match.group().replace(" ", "")
        problem = _problem(vat.validate, number)
        digits = sum(sign.isdigit() for sign in number)
        if problem is None or (digits >= _MIN_VAT_DIGITS and digits >= len(number) - 3):
            yield _match(match.start(), match.end(), number, problem)


def find_tax_ids(text: str, _language: Language) -> Iterator[TextMatch]:
    """Find Vietnamese tax codes by their label, since ten bare digits could be a phone number."""
    for match in _TAX_ID.finditer(text):
        number = re.sub(r"[ .]", "", match["number"])
        yield _match(match.start("number"), match.end("number"), number, _problem(mst.validate, number))


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
