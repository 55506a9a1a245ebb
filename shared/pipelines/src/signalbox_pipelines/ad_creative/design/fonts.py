"""Finds the font for every character: bundled fonts first, then Noto fonts in the folders of the worker.

A character without a glyph is found before anything is drawn, by comparing its glyph with the font's .notdef.
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct
from PIL import ImageFont

from signalbox_pipelines.ad_creative.design.scripts import (
    is_emoji_base,
    is_ignorable,
    is_private,
    package_for,
    script_of,
)

Weight = Literal["Medium", "Bold", "ExtraBold"]
DEFAULT_FOLDERS: Final = ("/usr/share/fonts", "/usr/local/share/fonts")
BITMAP_PX: Final = 109
"""The one size of the glyphs in NotoColorEmoji."""
IDEOGRAPH_PX: Final = 256
_EMOJI_FILE: Final = "NotoColorEmoji.ttf"
_STYLES: Final[dict[Weight, tuple[str, ...]]] = {
    "Medium": ("Medium", "Regular"),
    "Bold": ("Bold", "Regular"),
    "ExtraBold": ("ExtraBold", "Bold", "Regular"),
}
_CJK_FACES: Final = {"ja": ("JP", 0), "ko": ("KR", 1), "zh": ("SC", 2), "zh-Hant": ("TC", 3)}
"""Region of the Noto CJK fonts, and the index of its face in their collection file."""
_SYMBOL_FAMILIES: Final = ("NotoSans", "NotoSansSymbols", "NotoSansSymbols2", "NotoSansMath")
_GLYPH_PX: Final = 48
_NO_CHARACTER: Final = "\U0010ffff"


class FontSelection(Struct, frozen=True, kw_only=True):
    """What decides between fonts.

    Attributes:
        folders: searched with their subfolders for Noto fonts, by file name.
        language: chooses between the Japanese, Korean and Chinese forms of the same characters.
        is_rtl: whether lines run from right to left.
    """

    folders: tuple[str, ...] = ()
    language: str = "en"
    is_rtl: bool = False


class FontFile(Struct, frozen=True):
    """One face of a font file; a bundled font has a name without a folder.

    `is_ideographic` fonts need no shaping; their files are so large that they are loaded in one size only.
    """

    path: str
    index: int = 0
    is_ideographic: bool = False

    @property
    def is_emoji(self) -> bool:
        return self.path.endswith(_EMOJI_FILE)

    @property
    def only_px(self) -> int | None:
        """The one size in which the font is loaded; None when it is loaded in every size."""
        return BITMAP_PX if self.is_emoji else IDEOGRAPH_PX if self.is_ideographic else None


class UncoveredText(Struct, frozen=True, kw_only=True):
    """The first character that no font covers, its script, and the Debian package with a font for it."""

    character: str
    script: str
    package: str


def read_font_folders(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Read `SIGNALBOX_WORKER_FONT_DIRS`: folders separated by colons; by default those of the system."""
    stated = environ.get("SIGNALBOX_WORKER_FONT_DIRS", "")
    return tuple(folder for folder in stated.split(":") if folder) if stated else DEFAULT_FOLDERS


def load_font(file: FontFile, pixels: int) -> ImageFont.FreeTypeFont:
    """Load a face, in its only size if it has one."""
    return _load_ideographs(file) if file.is_ideographic else _load_shaped(file, pixels)


@lru_cache(maxsize=512)
def _load_shaped(file: FontFile, pixels: int) -> ImageFont.FreeTypeFont:
    return _load(file, pixels, None)


@lru_cache(maxsize=2)
def _load_ideographs(file: FontFile) -> ImageFont.FreeTypeFont:
    """Load a face of a large file, which stays mapped; an ad needs two, medium and bold."""
    return _load(file, IDEOGRAPH_PX, ImageFont.Layout.BASIC)


def latin_font(weight: Weight) -> FontFile:
    """Return Manrope, which is bundled and covers Latin with Vietnamese, Cyrillic and Greek."""
    return FontFile(f"Manrope-{weight}.ttf")


@lru_cache(maxsize=65_536)
def font_for(character: str, weight: Weight, fonts: FontSelection) -> FontFile | None:
    """Return the first font with a glyph for a character; None if there is none."""
    return next((font for font in _candidates(character, weight, fonts) if has_glyph(font, character)), None)


def emoji_font(fonts: FontSelection) -> FontFile | None:
    path = _index(fonts.folders).get(_EMOJI_FILE)
    return FontFile(path) if path else None


@lru_cache(maxsize=65_536)
def has_glyph(font: FontFile, character: str) -> bool:
    """Whether a font draws something else for a character than its .notdef glyph."""
    if character.isspace():
        return True
    return _draw_glyph(font, character) != _notdef(font)


def find_uncovered(text: str, weight: Weight, fonts: FontSelection) -> UncoveredText | None:
    """Return the first character of a text that no font covers; None if all can be drawn."""
    for character in text:
        if is_ignorable(character) or character.isspace():
            continue
        if font_for(character, weight, fonts) is None:
            script = script_of(character)
            return UncoveredText(character=character, script=script, package=package_for(script))
    return None


def without_uncovered_symbols(text: str, fonts: FontSelection) -> str:
    """Remove symbols and emoji that no font covers, and characters without a meaning of their own.

    Letters, digits and punctuation stay: without them the text would state something else.
    """
    kept = "".join(sign for sign in text if not is_private(sign) and not _is_uncovered_symbol(sign, fonts))
    return " ".join(kept.split())


def scripts_without_font(fonts: FontSelection, samples: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the names of the scripts, given with a sample character, that no font covers."""
    return tuple(name for name, sample in samples if font_for(sample, "Bold", fonts) is None)


def _is_uncovered_symbol(character: str, fonts: FontSelection) -> bool:
    is_symbol = unicodedata.category(character) in ("So", "Sk") or is_emoji_base(character)
    return is_symbol and font_for(character, "Bold", fonts) is None


def _candidates(character: str, weight: Weight, fonts: FontSelection) -> Iterator[FontFile]:
    """Yield the fonts to try, the preferred one first."""
    yield latin_font(weight)
    script = script_of(character)
    if script in ("Japanese", "Chinese", "Korean"):
        yield from _cjk_fonts(weight, fonts)
    emoji = emoji_font(fonts)
    if emoji and is_emoji_base(character):
        yield emoji
    for family in (f"NotoSans{script.replace(' ', '')}", *_SYMBOL_FAMILIES):
        for style in _STYLES[weight]:
            if font := _find_file(f"{family}-{style}", fonts.folders):
                yield font


def _find_file(stem: str, folders: tuple[str, ...]) -> FontFile | None:
    if f"{stem}.ttf" in _bundled():
        return FontFile(f"{stem}.ttf")
    found = _index(folders)
    path = next((found[name] for suffix in ("ttf", "otf") if (name := f"{stem}.{suffix}") in found), None)
    return FontFile(path) if path else None


def _cjk_fonts(weight: Weight, fonts: FontSelection) -> Iterator[FontFile]:
    """Yield the face for the language from the collection of all regions, else a font of the region."""
    region, index = _CJK_FACES.get(fonts.language, _CJK_FACES["zh"])
    found = _index(fonts.folders)
    for style in _STYLES[weight]:
        if path := found.get(f"NotoSansCJK-{style}.ttc"):
            yield FontFile(path, index, is_ideographic=True)
        for family in (f"NotoSansCJK{region.lower()}", f"NotoSans{region}"):
            if font := _find_file(f"{family}-{style}", fonts.folders):
                yield FontFile(font.path, is_ideographic=True)


@cache
def _bundled() -> frozenset[str]:
    return frozenset(item.name for item in (files("signalbox_pipelines.ad_creative") / "fonts").iterdir())


@lru_cache(maxsize=16)
def _index(folders: tuple[str, ...]) -> dict[str, str]:
    """Return the path of every Noto font file by its name; the first folder wins. Read once a process."""
    found: dict[str, str] = {}
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                if name.startswith("Noto"):
                    found.setdefault(name, str(Path(parent) / name))
    return found


@cache
def _notdef(font: FontFile) -> tuple[tuple[int, int], bytes]:
    return _draw_glyph(font, _NO_CHARACTER)


def _draw_glyph(font: FontFile, character: str) -> tuple[tuple[int, int], bytes]:
    mask = _unshaped(font).getmask(character)
    return mask.size, bytes(mask)


@lru_cache(maxsize=64)
def _unshaped(font: FontFile) -> ImageFont.FreeTypeFont:
    """Load a face without shaping, which would draw another glyph than that of the character."""
    if font.is_ideographic:
        return load_font(font, IDEOGRAPH_PX)
    return _load(font, _GLYPH_PX, ImageFont.Layout.BASIC)


def _load(file: FontFile, pixels: int, engine: ImageFont.Layout | None) -> ImageFont.FreeTypeFont:
    size = file.only_px or pixels
    if "/" in file.path:
        return ImageFont.truetype(file.path, size, index=file.index, layout_engine=engine)
    body = (files("signalbox_pipelines.ad_creative") / "fonts" / file.path).read_bytes()
    return ImageFont.truetype(BytesIO(body), size, layout_engine=engine)
