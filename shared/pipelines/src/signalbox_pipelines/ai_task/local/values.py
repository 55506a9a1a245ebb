"""Finds typed values in text: dates, numbers, e-mail addresses, URIs, UUIDs, booleans and enum options.

Pure.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from typing import Final

from signalbox_core.formats.numerals import read_numeral
from signalbox_pipelines.ai_task.schemas import types_of

_MONTH_NAMES: Final = (
    "jan january|feb february|mar march|apr april|may|jun june|jul july|aug august"
    "|sep sept september|oct october|nov november|dec december"
)
_MONTHS: Final = {
    name: number for number, names in enumerate(_MONTH_NAMES.split("|"), start=1) for name in names.split()
}
_ISO: Final = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAY_FIRST: Final = re.compile(r"\b(\d{1,2})[./-](\d{1,2})[./-](\d{4})\b")
_DAY_MONTH: Final = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?([A-Za-z]{3,9})\.?,?\s+(\d{4})\b")
_MONTH_DAY: Final = re.compile(r"\b([A-Za-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b")
_VIETNAMESE: Final = re.compile(r"ngày\s+(\d{1,2})\s+tháng\s+(\d{1,2})\s+năm\s+(\d{4})", re.IGNORECASE)
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_URI: Final = re.compile(r"https?://[^\s<>\"')\]]+")
_UUID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_NUMBER: Final = re.compile(
    r"(?<![\w.,])[-−+]?\d{1,3}(?:[.,\u00a0 ]\d{3})+(?:[.,]\d+)?(?!\d)|(?<![\w.,])[-−+]?\d+(?:[.,]\d+)?(?!\d)"
)
_YES: Final = re.compile(r"^\W*(yes|true|có|đúng|đã)\b", re.IGNORECASE)
_NO: Final = re.compile(r"^\W*(no|false|not|none|không|chưa)\b", re.IGNORECASE)


def find_dates(text: str) -> Iterator[str]:
    """Yield dates as ISO strings in the order of the text; `03/04/2026` is read day first."""
    found: list[tuple[int, str]] = []
    for pattern, order in (
        (_ISO, "ymd"),
        (_DAY_FIRST, "dmy"),
        (_DAY_MONTH, "dMy"),
        (_MONTH_DAY, "Mdy"),
        (_VIETNAMESE, "dmy"),
    ):
        for match in pattern.finditer(text):
            parts = dict(zip(order.lower(), match.groups(), strict=True))
            month = _MONTHS.get(parts["m"].casefold(), 0) if "M" in order else int(parts["m"])
            try:
                found.append((match.start(), date(int(parts["y"]), month, int(parts["d"])).isoformat()))
            except ValueError:
                continue
    yield from dict.fromkeys(text for _, text in sorted(found))


def find_numbers(text: str) -> Iterator[float]:
    for match in _NUMBER.finditer(text):
        with suppress(ValueError):
            yield parse_number(match[0])


def parse_number(text: str) -> float:
    """Parse `1,234.50`, `1.234,50`, `1 234,5`, `1.234` (three digits mean thousands) or `12.5`.

    Raises:
        ValueError: the groups of digits are those of no number.
    """
    unsigned = text.lstrip("-−+")
    number = read_numeral(unsigned)
    if number is None:
        raise ValueError(f"{text[:40]!r} is not a number")
    return -float(number.value) if text[0] in "-−" else float(number.value)


def find_values(node: Mapping[str, object], text: str) -> Iterator[object]:
    """Yield the values of the node's type that occur in the text, in order."""
    options = node.get("enum")
    if isinstance(options, list):
        yield from _find_options(options, text)
        return
    kinds = [kind for kind in types_of(node) if kind != "null"]
    reader = _READERS.get(kinds[0] if kinds else "string")
    if reader is not None:
        yield from reader(node, text)


def _strings(node: Mapping[str, object], text: str) -> Iterator[object]:
    match node.get("format"):
        case "date":
            yield from find_dates(text)
        case "email":
            yield from dict.fromkeys(_EMAIL.findall(text))
        case "uri":
            yield from dict.fromkeys(found.rstrip(".,;:!?") for found in _URI.findall(text))
        case "uuid":
            yield from dict.fromkeys(_UUID.findall(text))
        case None:
            stripped = " ".join(text.split()).strip(" .,;:–-")
            if stripped:
                yield stripped[: _max_length(node)]
        case _:
            return


def _max_length(node: Mapping[str, object]) -> int:
    longest = node.get("maxLength")
    return int(longest) if isinstance(longest, int | float) else 200


def _numbers(_node: Mapping[str, object], text: str) -> Iterator[object]:
    yield from find_numbers(text)


def _integers(_node: Mapping[str, object], text: str) -> Iterator[object]:
    yield from (int(number) for number in find_numbers(text) if number.is_integer())


def _booleans(_node: Mapping[str, object], text: str) -> Iterator[object]:
    if _YES.search(text):
        yield True
    elif _NO.search(text):
        yield False


def _find_options(options: list[object], text: str) -> Iterator[object]:
    folded = text.casefold()
    places = [
        (re.search(rf"(?<!\w){re.escape(str(option).casefold())}(?!\w)", folded), option)
        for option in options
    ]
    yield from (
        option
        for match, option in sorted(((m.start(), o) for m, o in places if m), key=lambda item: item[0])
        if match >= 0
    )


_READERS: Final[Mapping[str, Callable[[Mapping[str, object], str], Iterator[object]]]] = {
    "string": _strings,
    "number": _numbers,
    "integer": _integers,
    "boolean": _booleans,
}
