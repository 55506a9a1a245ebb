"""Setting type: measuring, breaking lines evenly, and giving stacked accents (Ấ, ễ) the room they need."""

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
"""Type is set and drawn larger, then reduced: at small sizes whole-pixel advances would space the letters unevenly."""


class Block(Struct, frozen=True, kw_only=True):
    """Lines of text, set. Pixels; `rise` is from the top of the ink to the first baseline, `height` is all ink."""

    lines: tuple[str, ...]
    font_px: int
    weight: Weight
    line_px: int
    width: int
    height: int
    rise: int


class Setting(Struct, frozen=True, kw_only=True):
    """How a text may be set: into what width, on how many lines, between which sizes (pixels)."""

    weight: Weight
    largest: int
    smallest: int
    lines: int
    leading: float


@cache
def large_font(weight: Weight, pixels: int) -> ImageFont.FreeTypeFont:
    """Manrope, `OVERSAMPLING` times the size asked for; it carries every Vietnamese letter and ships with this package."""
    body = (files("signalbox_pipelines.ad_creative") / "fonts" / f"Manrope-{weight}.ttf").read_bytes()
    return ImageFont.truetype(BytesIO(body), pixels * OVERSAMPLING)


def text_width(text: str, weight: Weight, pixels: int) -> float:
    return _measured(text, weight)[0] * pixels


def ink_of(text: str, weight: Weight, pixels: int) -> tuple[float, float]:
    """How far the ink reaches above and below the baseline; accents count."""
    _, above, below = _measured(text, weight)
    return above * pixels, below * pixels


@lru_cache(maxsize=8192)
def _measured(text: str, weight: Weight) -> tuple[float, float, float]:
    """Width, rise and fall at size 1: measured once in a large size, as a fit tries many small ones."""
    face = large_font(weight, _MEASURING_PX)
    box = face.getbbox(text, anchor="ls")
    whole = _MEASURING_PX * OVERSAMPLING
    return face.getlength(text) / whole, -box[1] / whole, max(0.0, box[3] / whole)


def fit(text: str, setting: Setting, width: float) -> Block | None:
    """The largest setting of `text` that fits; None when even the smallest does not."""
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


def set_lines(lines: tuple[str, ...], weight: Weight, pixels: int, leading: float) -> Block:
    """Lines as they are; the line height grows where accents above meet descenders below."""
    inks = [ink_of(line, weight, pixels) for line in lines]
    need = [round(above[1] + below[0] + pixels * 0.1) for above, below in pairwise(inks)]
    line_px = max([round(pixels * leading), *need])
    rise = round(inks[0][0])
    height = rise + line_px * (len(lines) - 1) + round(inks[-1][1])
    width = round(max(text_width(line, weight, pixels) for line in lines))
    return Block(
        lines=lines, font_px=pixels, weight=weight, line_px=line_px, width=width, height=height, rise=rise
    )


def cap_height(weight: Weight, pixels: int) -> int:
    return round(ink_of("H", weight, pixels)[0])


def _words(text: str) -> list[str]:
    """Words to break between: a number keeps its unit, a separator stays with the word before it."""
    kept = _UNITS.sub("\\1\u00a0", text).replace(f" {_SEPARATOR}", f"\u00a0{_SEPARATOR}")
    return kept.split(" ")


def _all_fit(items: tuple[str, ...], weight: Weight, pixels: int, width: float) -> bool:
    """Whether things listed with separators can have a line each."""
    return len(items) > 1 and all(text_width(item, weight, pixels) <= width for item in items)


def _break(words: list[str], weight: Weight, pixels: int, width: float) -> list[str] | None:
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(_trimmed(longer), weight, pixels) <= width:
            lines[-1] = longer
        elif text_width(_trimmed(word), weight, pixels) <= width:
            lines.append(word)
        else:
            return None
    return [_trimmed(line) for line in lines]


def _even(words: list[str], weight: Weight, pixels: int, width: float, count: int) -> tuple[str, ...]:
    """The narrowest width with as many lines: lines of like length, and no lonely last word."""
    low, high = width * 0.4, width
    for _ in range(9):
        middle = (low + high) / 2
        lines = _break(words, weight, pixels, middle)
        if lines is not None and len(lines) <= count:
            high = middle
        else:
            low = middle
    return tuple(_break(words, weight, pixels, high) or [" ".join(words)])


def _trimmed(line: str) -> str:
    """Without a separator at the end: the line break separates already."""
    return line.rstrip(f"\u00a0{_SEPARATOR} ").strip()
