"""Typesetting: text measurement, balanced line breaks, and line heights with room for accents (Ấ, ễ)."""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Final

from msgspec import Struct

from signalbox_pipelines.ad_creative.design.fonts import FontSelection, Weight, load_font
from signalbox_pipelines.ad_creative.design.line_breaks import split_characters, split_phrases
from signalbox_pipelines.ad_creative.design.text_runs import TextRun, direction_of, split_runs

_UNITS: Final = re.compile(r"(\d) (?=(?:g|kg|ml|l|m|cm|K|₫|€|%|W|năm|years?|days?|gears?)\b|[₫€%])")
_SEPARATOR: Final = "·"
_BULLET: Final = re.compile(rf"(?:^|(?<= ))([^\w\s{_SEPARATOR}]{{1,4}}) (?=\w)")
_MEASURING_PX: Final = 64
OVERSAMPLING: Final = 4
"""Text is measured and drawn enlarged: at small sizes, whole-pixel advances space letters unevenly."""


class TextBlock(Struct, frozen=True, kw_only=True):
    """Typeset lines.

    Sizes in pixels; `rise` is from the top of the ink to the first baseline, `height` that of the ink.
    """

    lines: tuple[str, ...]
    font_px: int
    weight: Weight
    fonts: FontSelection
    line_px: int
    width: int
    height: int
    rise: int


class TypeSetting(Struct, frozen=True, kw_only=True):
    """Limits for typesetting a text: the number of lines and the range of font sizes in pixels."""

    weight: Weight
    largest: int
    smallest: int
    lines: int
    leading: float


def text_width(text: str, weight: Weight, pixels: int, fonts: FontSelection) -> float:
    return _measured(text, weight, fonts)[0] * pixels


def ink_extent(text: str, weight: Weight, pixels: int, fonts: FontSelection) -> tuple[float, float]:
    """Return the extent of the ink, including accents, above and below the baseline."""
    _, above, below = _measured(text, weight, fonts)
    return above * pixels, below * pixels


@lru_cache(maxsize=8192)
def _measured(text: str, weight: Weight, fonts: FontSelection) -> tuple[float, float, float]:
    """Return width, ascent and descent at size 1. Cached, because fitting tries many sizes."""
    runs = [measure_run(run) for run in split_runs(text, weight, fonts)]
    return (
        sum(width for width, _, _ in runs),
        max((above for _, above, _ in runs), default=0.0),
        max((below for _, _, below in runs), default=0.0),
    )


@lru_cache(maxsize=8192)
def measure_run(run: TextRun) -> tuple[float, float, float]:
    """Return width, ascent and descent of a run at size 1."""
    measured_px = run.font.only_px or _MEASURING_PX * OVERSAMPLING
    face, direction = load_font(run.font, measured_px), direction_of(run)
    box = face.getbbox(run.text, direction=direction, anchor="ls")
    width = face.getlength(run.text, direction=direction)
    return width / measured_px, -box[1] / measured_px, max(0.0, box[3] / measured_px)


def fit(text: str, setting: TypeSetting, width: float, fonts: FontSelection) -> TextBlock | None:
    """Typeset `text` at the largest size that fits `width`; None if the smallest does not fit."""
    joined, items = _keep_together(text), tuple(text.split(f" {_SEPARATOR} "))
    phrases = split_phrases(joined, fonts.language)
    characters = split_characters(joined, fonts.language)
    for pieces in (phrases, characters) if len(characters) > len(phrases) else (phrases,):
        for pixels in range(setting.largest, setting.smallest - 1, -1):
            line = _Line(setting.weight, pixels, fonts)
            lines = _break(pieces, line, width)
            if lines is None or len(lines) > setting.lines:
                continue
            if len(lines) > 1 and len(items) <= setting.lines and _all_fit(items, line, width):
                return set_lines(items, setting.weight, pixels, setting.leading, fonts)
            balanced = _even(pieces, line, width, len(lines))
            return set_lines(balanced, setting.weight, pixels, setting.leading, fonts)
    return None


def set_lines(
    lines: tuple[str, ...], weight: Weight, pixels: int, leading: float, fonts: FontSelection
) -> TextBlock:
    """Typeset given lines; the line height grows where descenders would touch accents of the next line."""
    inks = [ink_extent(line, weight, pixels, fonts) for line in lines]
    need = [round(above[1] + below[0] + pixels * 0.1) for above, below in pairwise(inks)]
    line_px = max([round(pixels * leading), *need])
    rise = round(inks[0][0])
    height = rise + line_px * (len(lines) - 1) + round(inks[-1][1])
    width = round(max(text_width(line, weight, pixels, fonts) for line in lines))
    return TextBlock(
        lines=lines,
        font_px=pixels,
        weight=weight,
        fonts=fonts,
        line_px=line_px,
        width=width,
        height=height,
        rise=rise,
    )


def cap_height(weight: Weight, pixels: int) -> int:
    return round(ink_extent("H", weight, pixels, FontSelection())[0])


class _Line(Struct, frozen=True):
    """How one line is set."""

    weight: Weight
    pixels: int
    fonts: FontSelection

    def holds(self, text: str, width: float) -> bool:
        return text_width(text, self.weight, self.pixels, self.fonts) <= width


def _keep_together(text: str) -> str:
    """Forbid line breaks between number and unit, after a bullet, and before a separator."""
    joined = _BULLET.sub("\\1\u00a0", _UNITS.sub("\\1\u00a0", text))
    return joined.replace(f" {_SEPARATOR}", f"\u00a0{_SEPARATOR}")


def _all_fit(items: tuple[str, ...], line: _Line, width: float) -> bool:
    """Whether each item of a list fits on its own line."""
    return len(items) > 1 and all(line.holds(item, width) for item in items)


def _break(pieces: tuple[str, ...], line: _Line, width: float) -> list[str] | None:
    lines: list[str] = []
    for piece in pieces:
        longer = f"{lines[-1]}{piece}" if lines else piece
        if lines and line.holds(_trim(longer), width):
            lines[-1] = longer
        elif line.holds(_trim(piece), width):
            lines.append(piece)
        else:
            return None
    return [_trim(text) for text in lines]


def _even(pieces: tuple[str, ...], line: _Line, width: float, count: int) -> tuple[str, ...]:
    """Balance the lines: find the smallest width with the same number of lines, by bisection."""
    low, high = width * 0.4, width
    for _ in range(9):
        middle = (low + high) / 2
        lines = _break(pieces, line, middle)
        if lines is not None and len(lines) <= count:
            high = middle
        else:
            low = middle
    return tuple(_break(pieces, line, high) or ["".join(pieces)])


def _trim(line: str) -> str:
    """Remove a separator at the end of a line."""
    return line.rstrip(f"\u00a0{_SEPARATOR} ").strip()
