"""Draws the captcha as the portal does: an SVG of six filled outlines in shuffled order, and strokes as
noise.
"""

import random
from typing import Final

from signalbox_devstack.emulators.portal.glyphs import ALPHABET, UNITS_PER_EM, Point, outlines

LENGTH: Final = 6
_WIDTH: Final = 200
_HEIGHT: Final = 40
_INKS: Final = ("#111", "#222", "#333", "#444")
_NOISE: Final = ("#666", "#777", "#888")
_SIZE: Final = 34.0
_STEP: Final = 30


def new_text(dice: random.Random) -> str:
    return "".join(dice.choices(ALPHABET, k=LENGTH))


def picture(text: str, dice: random.Random) -> str:
    """Draw the text as SVG. The order of the paths is random; the text reads from left to right."""
    letters = [
        _letter(character, 12 + place * _STEP + dice.uniform(-2, 2), dice)
        for place, character in enumerate(text)
    ]
    strokes = [_stroke(dice) for _ in range(dice.randint(2, 4))]
    paths = letters + strokes
    dice.shuffle(paths)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0,0,{_WIDTH},{_HEIGHT}">'
    )
    return f'{head}<rect width="100%" height="100%" fill="#f2f2f2"/>{"".join(paths)}</svg>'


def _letter(character: str, left: float, dice: random.Random) -> str:
    """Draw one outline with every point moved a little. The path commands stay the same."""
    scale, base = _SIZE / UNITS_PER_EM * dice.uniform(0.94, 1.06), 32 + dice.uniform(-2.5, 2.5)

    def moved(point: Point) -> str:
        x = left + point[0] * scale + dice.uniform(-0.3, 0.3)
        y = base - point[1] * scale + dice.uniform(-0.3, 0.3)
        return f"{x:.2f} {y:.2f}"

    drawn = "".join(command + " ".join(map(moved, points)) for command, points in outlines()[character])
    return f'<path fill="{dice.choice(_INKS)}" d="{drawn}"/>'


def _stroke(dice: random.Random) -> str:
    points = " ".join(f"{dice.uniform(0, _WIDTH):.1f} {dice.uniform(4, _HEIGHT - 4):.1f}" for _ in range(3))
    start = f"{dice.uniform(0, 30):.1f} {dice.uniform(4, _HEIGHT - 4):.1f}"
    return f'<path d="M{start} C{points}" stroke="{dice.choice(_NOISE)}" fill="none"/>'
