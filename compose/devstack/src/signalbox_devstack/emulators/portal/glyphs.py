"""The outlines of the captcha's thirty characters as absolute M, L, Q and Z commands in font units."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import as_file, files
from itertools import pairwise
from typing import Final, TypeAlias

from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont

ALPHABET: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""Without I, L, O, U, 0 and 1, which are easily confused."""
UNITS_PER_EM: Final = 2_000

Point: TypeAlias = tuple[float, float]
Outline: TypeAlias = Sequence[tuple[str, Sequence[Point]]]
"""Path commands with their points; the y axis points up."""


@lru_cache(maxsize=1)
def outlines() -> Mapping[str, Outline]:
    with (
        as_file(files("signalbox_pipelines.ad_creative") / "fonts" / "Manrope-Bold.ttf") as path,
        TTFont(path) as font,
    ):
        glyphs, names = font.getGlyphSet(), font.getBestCmap()
        return {character: _outline(glyphs, names[ord(character)]) for character in ALPHABET}


def _outline(glyphs: "Mapping[str, object]", name: str) -> Outline:
    pen = DecomposingRecordingPen(glyphs)
    glyphs[name].draw(pen)  # type: ignore[attr-defined]
    found: list[tuple[str, Sequence[Point]]] = []
    for command, points in pen.value:
        match command:
            case "moveTo":
                found.append(("M", points))
            case "lineTo":
                found.append(("L", points))
            case "qCurveTo":
                found.extend(("Q", pair) for pair in _pairs(points))
            case _:
                found.append(("Z", ()))
    return tuple(found)


def _pairs(points: Sequence[Point]) -> Sequence[tuple[Point, Point]]:
    """Split a TrueType curve with many control points at the implied on-curve points between them."""
    controls, end = points[:-1], points[-1]
    joints = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairwise(controls)]
    return list(zip(controls, [*joints, end], strict=True))
