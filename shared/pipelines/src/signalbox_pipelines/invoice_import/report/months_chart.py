"""A chart of the months: how many invoices match their original, differ from it, have none, or failed."""

import io
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from signalbox_pipelines.invoice_import.results import MonthLine

WIDTH: Final = 900
_ROW: Final = 30
_TOP: Final = 70
_LEFT: Final = 210
_RIGHT: Final = 90
_INK: Final = "#1c2430"
_PAPER: Final = "#ffffff"
_RAIL: Final = "#e8ebf0"
_DIRECTION_NAMES: Final = {"purchase": "purchases", "sold": "sales"}
_BANDS: Final = (
    ("matches its original", "#2f6fb3"),
    ("differs", "#e0a100"),
    ("no original", "#9aa3af"),
    ("failed or missing", "#c0392b"),
)
"""In drawing order, which with the legend distinguishes them without colour."""


def draw_months_chart(lines: Sequence[MonthLine]) -> bytes:
    """Draw a PNG with one bar per month and direction, scaled to the largest one."""
    groups = _groups(lines)
    largest = max((sum(counts) for counts in groups.values()), default=0)
    image = Image.new("RGB", (WIDTH, _TOP + _ROW * max(1, len(groups)) + 16), _PAPER)
    draw = ImageDraw.Draw(image)
    font, small = ImageFont.load_default(15), ImageFont.load_default(13)
    _legend(draw, small)
    if not groups:
        draw.text((20, _TOP), "no invoices in these days", fill=_INK, font=font)
    for number, (name, counts) in enumerate(groups.items()):
        _bar(draw, font, name, counts, top=_TOP + number * _ROW, largest=largest)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _groups(lines: Sequence[MonthLine]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for line in sorted(lines, key=lambda line: (line.month, line.direction)):
        if line.rows:
            name = f"{line.month} {_DIRECTION_NAMES[line.direction]}"
            bad = line.failed + line.missing
            matching = max(0, line.rows - line.mismatches - line.no_original - line.failed)
            counts = (matching, line.mismatches, line.no_original, bad)
            found[name] = tuple(a + b for a, b in zip(found.get(name, (0, 0, 0, 0)), counts, strict=True))
    return found


def _legend(draw: ImageDraw.ImageDraw, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont") -> None:
    left = 20.0
    for name, colour in _BANDS:
        draw.rectangle((left, 24, left + 14, 38), fill=colour)
        draw.text((left + 20, 22), name, fill=_INK, font=font)
        left += 20 + draw.textlength(name, font=font) + 24


def _bar(
    draw: ImageDraw.ImageDraw,
    font: "ImageFont.FreeTypeFont | ImageFont.ImageFont",
    name: str,
    counts: tuple[int, ...],
    *,
    top: int,
    largest: int,
) -> None:
    room = WIDTH - _LEFT - _RIGHT
    draw.text((20, top + 3), name, fill=_INK, font=font)
    draw.rectangle((_LEFT, top + 4, _LEFT + room, top + 22), fill=_RAIL)
    left = float(_LEFT)
    for count, (_, colour) in zip(counts, _BANDS, strict=True):
        # At least three pixels, so that a single invoice among thousands is visible.
        width = max(3.0, room * count / largest) if count else 0.0
        draw.rectangle(
            (left, top + 4, min(left + width, _LEFT + room), top + 22), fill=colour
        ) if count else None
        left += width
    draw.text((WIDTH - _RIGHT + 12, top + 3), f"{sum(counts):,}", fill=_INK, font=font)
