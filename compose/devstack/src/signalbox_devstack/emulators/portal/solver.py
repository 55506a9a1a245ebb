"""Solves the captcha of this simulator, for tests and the unattended demo.

It recognizes the simulator's own glyphs only. On a real portal a person has to solve the captcha.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from signalbox_devstack.emulators.portal.glyphs import Point, outlines

_PATH: Final = re.compile(r"<path\b[^>]*>")
_FILLED: Final = re.compile(r'fill="#')
_DRAWN: Final = re.compile(r'\bd="([^"]+)"')
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_COMMAND: Final = re.compile(r"[A-Za-z]")


def solve(svg: str) -> str:
    """Return the text in the picture.

    Raises:
        ValueError: the picture is not from this simulator.
    """
    glyphs = [
        drawn[1] for path in _PATH.findall(svg) if _FILLED.search(path) and (drawn := _DRAWN.search(path))
    ]
    return "".join(
        _nearest(glyph) for glyph in sorted(glyphs, key=lambda glyph: min(x for x, _ in _points(glyph)))
    )


def _nearest(glyph: str) -> str:
    """The character with the same path commands whose points are closest, both scaled to the unit square."""
    commands, points = "".join(_COMMAND.findall(glyph)), _in_unit_square(_points(glyph))
    alike = [(character, known) for character, (its, known) in _known().items() if its == commands]
    if not alike:
        raise ValueError(
            "the picture contains an unknown glyph: this solver supports the simulator's captcha only"
        )
    return min(alike, key=lambda pair: _distance(points, pair[1]))[0]


@lru_cache(maxsize=1)
def _known() -> Mapping[str, tuple[str, Sequence[Point]]]:
    return {
        character: (
            "".join(command for command, _ in outline),
            _in_unit_square([(x, -y) for _, points in outline for x, y in points]),
        )
        for character, outline in outlines().items()
    }


def _points(drawn: str) -> Sequence[Point]:
    numbers = [float(text) for text in _NUMBER.findall(drawn)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _in_unit_square(points: Sequence[Point]) -> Sequence[Point]:
    left, top = min(x for x, _ in points), min(y for _, y in points)
    width, height = max(x for x, _ in points) - left, max(y for _, y in points) - top
    return [((x - left) / width, (y - top) / height) for x, y in points]


def _distance(some: Sequence[Point], others: Sequence[Point]) -> float:
    return sum((x - a) ** 2 + (y - b) ** 2 for (x, y), (a, b) in zip(some, others, strict=True))
