"""Dates, in numbers and in the words of Vietnamese, English, German, French, Spanish, Italian and Dutch."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from signalbox_pipelines.document_batch.document.extract.conventions import Conventions, DateOrder
from signalbox_pipelines.document_batch.document.extract.finder import TextMatch

# By month, as written in en, de, fr, es, it and nl; abbreviations may end with a full stop.
_NAMES: Final = (
    "january jan januar jänner janvier janv enero ene gennaio gen januari",
    "february feb februar février févr febrero febbraio februari",
    "march mar märz mär mrz mars marzo maart mrt",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag mei",
    "june jun juni juin junio giugno giu",
    "july jul juli juillet juil julio luglio lug",
    "august aug août agosto ago augustus",
    "september sept sep septembre septiembre settembre set",
    "october oct oktober okt octobre octubre ottobre ott",
    "november nov novembre noviembre",
    "december dec dezember dez décembre déc diciembre dic dicembre",
)
_MONTH_OF: Final = {name: number for number, names in enumerate(_NAMES, 1) for name in names.split()}
_MONTH: Final = "|".join(sorted(_MONTH_OF, key=lambda name: (-len(name), name)))
_REMARK: Final = r"(?:\s*\([a-z]{3,5}\))?"
_YEAR: Final = r"(?:19|20)\d{2}"
_DATE: Final = re.compile(
    r"(?<![\w/.-])(?:"
    rf"ng[àa]y{_REMARK}\s+(?P<vi_day>\d{{1,2}})\s+th[áa]ng{_REMARK}\s+(?P<vi_month>\d{{1,2}})"
    rf"\s+n[ăa]m{_REMARK}\s+(?P<vi_year>\d{{4}})"
    rf"|(?P<iso_year>{_YEAR})(?P<iso_mark>[-/.])(?P<iso_month>\d{{1,2}})(?P=iso_mark)(?P<iso_day>\d{{1,2}})"
    r"(?:T\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
    rf"|(?P<first>\d{{1,2}})(?P<mark>[/.-])(?P<second>\d{{1,2}})(?P=mark)(?P<year>{_YEAR})"
    rf"|(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|º|\.)?(?:\s+|-)(?:de\s+)?(?P<month>{_MONTH})\.?,?"
    rf"(?:\s+|-)(?:del?\s+)?(?P<word_year>{_YEAR})"
    rf"|(?P<us_month>{_MONTH})\.?\s+(?P<us_day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<us_year>{_YEAR})"
    r")(?![\w/-]|\.\d)",
    re.IGNORECASE,
)
_VERSION: Final = re.compile(
    r"(?:\b(?:version|release|revision|firmware|phiên bản)|\b(?:ver|rev|vers|v)\.?)\s*:?\s*\Z", re.IGNORECASE
)
_LOOK_BACK: Final = 16


def find_dates(text: str, conventions: Conventions) -> Iterator[TextMatch]:
    """Find dates, as ISO 8601. One that can be read in two ways is invalid and has both in its note."""
    for (start, end), days in read_dates(text, conventions.date_order):
        if not days:
            yield TextMatch(start=start, end=end, value=text[start:end], problem="there is no such day")
        else:
            problem = f"could be {days[0]} or {days[1]}" if len(days) > 1 else None
            yield TextMatch(start=start, end=end, value=days[0], problem=problem)


def read_dates(text: str, order: DateOrder | None) -> Iterator[tuple[tuple[int, int], list[str]]]:
    """Find dates: the position of each, and the days that it can mean; no day if the calendar lacks it.

    Args:
        order: of numeric dates; without it, an ambiguous one has two readings, the first of them day first.
    """
    for match in _DATE.finditer(text):
        start = match.start()
        if not (match["first"] and _VERSION.search(text, max(0, start - _LOOK_BACK), start)):
            yield match.span(), _readings(match, order)


def _readings(match: re.Match[str], order: DateOrder | None) -> list[str]:
    """Return the day that the match names; two when its order is unknown; none when there is no such day."""
    if match["vi_year"]:
        days = [_iso(match["vi_year"], match["vi_month"], match["vi_day"])]
    elif match["iso_year"]:
        days = [_iso(match["iso_year"], match["iso_month"], match["iso_day"])]
    elif match["word_year"]:
        days = [_iso(match["word_year"], _MONTH_OF[match["month"].lower()], match["day"])]
    elif match["us_year"]:
        days = [_iso(match["us_year"], _MONTH_OF[match["us_month"].lower()], match["us_day"])]
    else:
        days = _numeric_readings(match, order)
    return list(dict.fromkeys(day for day in days if day is not None))


def _numeric_readings(match: re.Match[str], order: DateOrder | None) -> list[str | None]:
    first, second, year = match["first"], match["second"], match["year"]
    day_first, month_first = _iso(year, second, first), _iso(year, first, second)
    if match["mark"] == ".":
        return [day_first]
    if order is None or day_first is None or month_first is None:
        return [day_first, month_first]
    return [day_first if order == "day first" else month_first]


def _iso(year: str, month: str | int, day: str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
