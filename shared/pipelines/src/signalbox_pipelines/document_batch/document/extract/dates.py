"""Dates: patterns find candidates, dateparser reads them.

dateparser's own search is not used: it takes page numbers for years.
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Final

import dateparser

from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.extract.finder import TextMatch

_MONTHS: Final = (
    r"Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?"
)
_WRITTEN_VI: Final = r"ng[àa]y\s+(?P<day>\d{1,2})\s+th[áa]ng\s+(?P<month>\d{1,2})\s+n[ăa]m\s+(?P<year>\d{4})"
_NUMERIC: Final = r"(?P<first>\d{1,2})[/.-](?P<second>\d{1,2})[/.-](?:19|20)\d{2}|(?:19|20)\d{2}-\d{2}-\d{2}"
_WRITTEN_EN: Final = (
    rf"\d{{1,2}}(?:st|nd|rd|th)?\s+(?:{_MONTHS})\.?,?\s+\d{{4}}"
    rf"|(?:{_MONTHS})\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}"
)
_DATE: Final = re.compile(
    rf"(?<![\w/.-])(?:{_WRITTEN_VI}|{_NUMERIC}|{_WRITTEN_EN})(?![\w/-]|\.\d)", re.IGNORECASE
)


def find_dates(text: str, language: Language) -> Iterator[TextMatch]:
    """Find dates, as ISO 8601. Numeric dates are day first; those ambiguous in English get a remark."""
    for match in _DATE.finditer(text):
        parts = match["year"], match["month"], match["day"]
        value = _from_parts(*map(int, parts)) if match["year"] else _parse(match.group())
        if value is None:
            yield TextMatch(
                start=match.start(), end=match.end(), value=match.group(), problem="there is no such day"
            )
            continue
        is_ambiguous = (
            language == "en" and match["first"] and int(match["first"]) <= 12 and int(match["second"]) <= 12
        )
        remark = "could be month first" if is_ambiguous and match["first"] != match["second"] else None
        yield TextMatch(start=match.start(), end=match.end(), value=value, remark=remark)


@lru_cache(maxsize=4096)
def _parse(text: str) -> str | None:
    order = "YMD" if re.match(r"\d{4}", text) else "DMY"
    found = dateparser.parse(
        text,
        languages=["en"],
        settings={"DATE_ORDER": order, "STRICT_PARSING": True, "PREFER_LOCALE_DATE_ORDER": False},
    )
    return found.date().isoformat() if found else None


def _from_parts(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
