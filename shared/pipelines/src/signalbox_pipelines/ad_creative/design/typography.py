"""Typesetting: text measurement, balanced line breaks, and line heights with room for accents (Ấ, ễ)."""

import re
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from itertools import pairwise
from typing import Final, Literal

from msgspec import Struct
from PIL import ImageFont

Weight = Literal["Medium", "Bold", "ExtraBold"]
_UNITS: Final = re.compile(r"(\d) (?=(?:g|kg|ml|l|m|cm|K|₫|€|%|W|năm|years?|days?|gears?)\b|[₫€%])")
_SEPARATOR: Final = "·"
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


@cache
def large_font(weight: Weight, pixels: int) -> ImageFont.FreeTypeFont:
    """Load Manrope at `OVERSAMPLING` times the given size. The font is bundled and covers Vietnamese."""
    body = (files("signalbox_pipelines.ad_creative") / "fonts" / f"Manrope-{weight}.ttf").read_bytes()
    return ImageFont.truetype(BytesIO(body), pixels * OVERSAMPLING)


def text_width(text: str, weight: Weight, pixels: int) -> float:
    return _measured(text, weight)[0] * pixels


def ink_extent(text: str, weight: Weight, pixels: int) -> tuple[float, float]:
    """Return the extent of the ink, including accents, above and below the baseline."""
    _, above, below = _measured(text, weight)
    return above * pixels, below * pixels


@lru_cache(maxsize=8192)
def _measured(text: str, weight: Weight) -> tuple[float, float, float]:
    """Return width, ascent and descent at size 1. Cached, because fitting tries many sizes."""
    face = large_font(weight, _MEASURING_PX)
    box = face.getbbox(text, anchor="ls")
    measured_px = _MEASURING_PX * OVERSAMPLING
    return face.getlength(text) / measured_px, -box[1] / measured_px, max(0.0, box[3] / measured_px)


def fit(text: str, setting: TypeSetting, width: float) -> TextBlock | None:
    """Typeset `text` at the largest size that fits `width`; None if the smallest does not fit."""
    words, items = _words(text), tuple(text.split(f" {_SEPARATOR} "))
    for pixels in range(setting.largest, setting.smallest - 1, -1):
        lines = _break(words, setting.weight, pixels, width)
        if lines is None or len(lines) > setting.lines:
            continue
        if len(lines) > 1 and len(items) <= setting.lines and _all_fit(items, setting.weight, pixels, width):
            return set_lines(items, setting.weight, pixels, setting.leading)
        return set_lines(
            _even(words, setting.weight, pixels, width, len(lines)), setting.weight, pixels, setting.leading
        )
    return None


def set_lines(lines: tuple[str, ...], weight: Weight, pixels: int, leading: float) -> TextBlock:
    """Typeset given lines; the line height grows where descenders would touch accents of the next line."""
    inks = [ink_extent(line, weight, pixels) for line in lines]
    need = [round(above[1] + below[0] + pixels * 0.1) for above, below in pairwise(inks)]
    line_px = max([round(pixels * leading), *need])
    rise = round(inks[0][0])
    height = rise + line_px * (len(lines) - 1) + round(inks[-1][1])
    width = round(max(text_width(line, weight, pixels) for line in lines))
    return TextBlock(
        lines=lines, font_px=pixels, weight=weight, line_px=line_px, width=width, height=height, rise=rise
    )


def cap_height(weight: Weight, pixels: int) -> int:
    return round(ink_extent("H", weight, pixels)[0])


def _words(text: str) -> list[str]:
    """Split at the allowed line breaks: not between number and unit, nor before a separator."""
    unbreakable = _UNITS.sub("\\1\u00a0", text).replace(f" {_SEPARATOR}", f"\u00a0{_SEPARATOR}")
    return unbreakable.split(" ")


def _all_fit(items: tuple[str, ...], weight: Weight, pixels: int, width: float) -> bool:
    """Whether each item of a list fits on its own line."""
    return len(items) > 1 and all(text_width(item, weight, pixels) <= width for item in items)


def _break(words: list[str], weight: Weight, pixels: int, width: float) -> list[str] | None:
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(_trim(longer), weight, pixels) <= width:
            lines[-1] = longer
        elif text_width(_trim(word), weight, pixels) <= width:
            lines.append(word)
        else:
            return None
    return [_trim(line) for line in lines]


def _even(words: list[str], weight: Weight, pixels: int, width: float, count: int) -> tuple[str, ...]:
    """Balance the lines: find the smallest width with the same number of lines, by bisection."""
    low, high = width * 0.4, width
    for _ in range(9):
        middle = (low + high) / 2
        lines = _break(words, weight, pixels, middle)
        if lines is not None and len(lines) <= count:
            high = middle
        else:
            low = middle
    return tuple(_break(words, weight, pixels, high) or [" ".join(words)])


def _trim(line: str) -> str:
    """Remove a separator at the end of a line."""
    return line.rstrip(f"\u00a0{_SEPARATOR} ").strip()
