"""Runs of a line in the order of display: pieces of text with one font and one direction.

The order is that of the Unicode bidirectional algorithm (UAX #9), by python-bidi.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby

from bidi import algorithm
from msgspec import Struct
from PIL import features

from signalbox_pipelines.ad_creative.design.fonts import (
    FontFile,
    FontSelection,
    Weight,
    emoji_font,
    font_for,
    has_glyph,
    latin_font,
)
from signalbox_pipelines.ad_creative.design.scripts import EMOJI_SEQUENCE, is_ignorable, is_private


class TextRun(Struct, frozen=True):
    """Text in one font and one direction, in reading order."""

    text: str
    font: FontFile
    is_rtl: bool = False


@lru_cache(maxsize=8192)
def split_runs(text: str, weight: Weight, fonts: FontSelection) -> tuple[TextRun, ...]:
    """Return the runs of one line from left to right."""
    text = "".join(character for character in text if not is_private(character))
    latin = latin_font(weight)
    if not fonts.is_rtl and all(has_glyph(latin, character) for character in text):
        return (TextRun(text, latin),)
    levels = _levels(text, fonts.is_rtl)
    runs: list[tuple[int, TextRun]] = []
    for (level, font), group in groupby(
        zip(text, levels, _fonts_of(text, weight, fonts), strict=True), key=lambda item: item[1:]
    ):
        run = TextRun("".join(character for character, _, _ in group), font, level % 2 == 1)
        runs.append((level, run))
    return tuple(_in_display_order(runs))


def direction_of(run: TextRun) -> str | None:
    """Return the direction for Pillow; None for its default, left to right."""
    return "rtl" if run.is_rtl and not run.font.is_ideographic and can_shape() else None


def can_shape() -> bool:
    """Whether Pillow finds the libraries that shape letters; its wheels load FriBiDi from the system."""
    return bool(features.check("raqm"))


def _levels(text: str, is_rtl: bool) -> list[int]:
    """Return the embedding level of each character; odd ones run from right to left."""
    storage = algorithm.get_empty_storage()
    storage["base_level"], storage["base_dir"] = (1, "R") if is_rtl else (0, "L")
    # The algorithm removes boundary neutrals such as the zero-width joiner; they take the level before them.
    algorithm.get_embedding_levels([sign for sign in text if not _is_boundary_neutral(sign)], storage)
    algorithm.explicit_embed_and_overrides(storage)
    algorithm.resolve_weak_types(storage)
    algorithm.resolve_neutral_types(storage, False)
    algorithm.resolve_implicit_levels(storage, False)
    resolved = iter(storage["chars"])
    levels: list[int] = []
    for sign in text:
        before = levels[-1] if levels else int(is_rtl)
        levels.append(before if _is_boundary_neutral(sign) else int(next(resolved)["level"]))
    return levels


def _is_boundary_neutral(character: str) -> bool:
    return unicodedata.bidirectional(character) in ("BN", "")


def _fonts_of(text: str, weight: Weight, fonts: FontSelection) -> list[FontFile]:
    """Return the font of each character; spaces, marks and joiners take that of the character before them."""
    chosen: list[FontFile] = []
    emoji = emoji_font(fonts)
    in_emoji = _emoji_positions(text, emoji) if emoji else frozenset()
    for position, character in enumerate(text):
        before = chosen[-1] if chosen else None
        if emoji and position in in_emoji:
            chosen.append(emoji)
        elif before and not before.is_emoji and (is_ignorable(character) or _follows(before, character)):
            chosen.append(before)
        else:
            chosen.append(font_for(character, weight, fonts) or latin_font(weight))
    return chosen


def _follows(before: FontFile, character: str) -> bool:
    return (character.isspace() or unicodedata.category(character).startswith("M")) and has_glyph(
        before, character
    )


def _emoji_positions(text: str, font: FontFile) -> frozenset[int]:
    """Return the positions of the emoji, with their modifiers and joiners, that the font covers."""
    return frozenset(
        position
        for found in EMOJI_SEQUENCE.finditer(text)
        if all(is_ignorable(character) or has_glyph(font, character) for character in found.group())
        for position in range(found.start(), found.end())
    )


def _in_display_order(runs: Sequence[tuple[int, TextRun]]) -> Iterator[TextRun]:
    """Reverse every sequence of runs at or above each level, from the highest to the lowest odd one (L2)."""
    ordered = list(runs)
    for level in range(max((level for level, _ in runs), default=0), 0, -1):
        position = 0
        while position < len(ordered):
            end = position
            while end < len(ordered) and ordered[end][0] >= level:
                end += 1
            ordered[position:end] = reversed(ordered[position:end])
            position = end + 1
    yield from (run for _, run in ordered)
