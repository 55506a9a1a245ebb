"""Compares what two language models of an OCR engine read.

The Vietnamese model of Tesseract takes a 3 for a 5 with full confidence, so pages in Vietnamese are also read
by the English model. Where both find a number in the same place, the digits are those of the English model,
and a difference is kept: such a number is not certain.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from signalbox_pipelines.document_batch.document.messages import Box, Doubt, Word
from signalbox_pipelines.document_batch.document.ocr.engine import OcrResult

_LEAST_OVERLAP: Final = 0.6
_BANDS: Final = 100
"""Words are looked up by the hundredth of the page's height in which their middle is."""


def compare_readings(result: OcrResult, second: OcrResult) -> OcrResult:
    """Return the first reading with the digits of the second, and the words that the two read differently."""
    bands = _by_band(second.words)
    characters, doubts = list(result.text), list[Doubt]()
    for word in result.words:
        written = result.text[word.start : word.end]
        found = _same_place(word.box, bands) if _is_compared(written) else None
        other = second.text[found.start : found.end] if found is not None else written
        if _is_same(written, other):
            continue
        chosen = _with_digits_of(written, other)
        characters[word.start : word.end] = chosen
        readings = (chosen, written if chosen != written else other)
        doubts.append(Doubt(start=word.start, end=word.end, readings=readings))
    return replace(result, text="".join(characters), doubts=tuple(doubts))


def _is_compared(word: str) -> bool:
    return "@" in word or any(sign.isdigit() for sign in word)


def _is_same(written: str, other: str) -> bool:
    if "@" in written:
        return written.lower() == other.lower()
    if len(written) == len(other):
        return all(one == two for one, two in zip(written, other, strict=True) if one.isdigit())
    return _digits(written) == _digits(other)


def _with_digits_of(written: str, other: str) -> str:
    """The word with the other's digits, if both have digits in the same places; else the word itself."""
    if "@" in written or len(written) != len(other):
        return written
    pairs = list(zip(written, other, strict=True))
    if not all(two.isdigit() for one, two in pairs if one.isdigit()):
        return written
    return "".join(two if one.isdigit() else one for one, two in pairs)


def _digits(word: str) -> str:
    return "".join(sign for sign in word if sign.isdigit())


def _by_band(words: Sequence[Word]) -> dict[int, list[Word]]:
    bands = defaultdict[int, list[Word]](list)
    for word in words:
        bands[_band(word.box)].append(word)
    return bands


def _band(box: Box) -> int:
    return int((box[1] + box[3]) / 2 * _BANDS)


def _same_place(box: Box, bands: dict[int, list[Word]]) -> Word | None:
    middle = _band(box)
    near = [word for band in range(middle - 1, middle + 2) for word in bands.get(band, ())]
    best = max(near, key=lambda word: _overlap(box, word.box), default=None)
    return best if best is not None and _overlap(box, best.box) >= _LEAST_OVERLAP else None


def _overlap(one: Box, other: Box) -> float:
    """The area that both boxes cover, as a share of the area that either covers."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (_area(one) + _area(other) - width * height)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
