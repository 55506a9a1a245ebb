"""Draws one line of text, run by run: letters as masks in the ink's colour, emoji as pictures."""

import math

from msgspec import Struct
from PIL import Image, ImageDraw

from signalbox_pipelines.ad_creative.design.ad_plan import Align
from signalbox_pipelines.ad_creative.design.colour import Rgb
from signalbox_pipelines.ad_creative.design.fonts import BITMAP_PX, FontSelection, Weight, load_font
from signalbox_pipelines.ad_creative.design.text_runs import TextRun, direction_of, split_runs
from signalbox_pipelines.ad_creative.design.typography import OVERSAMPLING, measure_run, text_width


class TextStyle(Struct, frozen=True, kw_only=True):
    """How a line is drawn. With `align` right its position is that of its right end."""

    ink: Rgb
    weight: Weight
    pixels: int
    fonts: FontSelection
    align: Align = "left"


def draw_text(canvas: Image.Image, text: str, at: tuple[float, float], style: TextStyle) -> None:
    """Draw one line with its baseline at `at`."""
    width = text_width(text, style.weight, style.pixels, style.fonts)
    left = at[0] - {"left": 0.0, "center": width / 2, "right": width}[style.align]
    for run in split_runs(text, style.weight, style.fonts):
        draw = _draw_emoji if run.font.is_emoji else _draw_letters
        draw(canvas, run, (left, at[1]), style)
        left += measure_run(run)[0] * style.pixels


def _draw_letters(canvas: Image.Image, run: TextRun, at: tuple[float, float], style: TextStyle) -> None:
    """Draw a run oversampled, to place letters with subpixel precision."""
    width, above, below = (value * style.pixels for value in measure_run(run))
    overhang = 2 + style.pixels // 3
    x, rise = math.floor(at[0]) - overhang, math.ceil(above) + 2
    size = (math.ceil(width) + 2 * overhang + 2, rise + math.ceil(below) + 2)
    drawn_px = run.font.only_px or style.pixels * OVERSAMPLING
    scale = drawn_px / style.pixels
    mask = Image.new("L", (round(size[0] * scale), round(size[1] * scale)))
    ImageDraw.Draw(mask).text(
        ((at[0] - x) * scale, rise * scale),
        run.text,
        fill=255,
        font=load_font(run.font, drawn_px),
        anchor="ls",
        direction=direction_of(run),
    )
    canvas.paste(style.ink, (x, round(at[1]) - rise), mask.resize(size, Image.Resampling.BOX))


def _draw_emoji(canvas: Image.Image, run: TextRun, at: tuple[float, float], style: TextStyle) -> None:
    """Draw a run at the size of its bitmaps, and scale it."""
    width, above, below = (math.ceil(value * BITMAP_PX) for value in measure_run(run))
    picture = Image.new("RGBA", (max(1, width), max(1, above + below)))
    ImageDraw.Draw(picture).text(
        (0, above),
        run.text,
        font=load_font(run.font, BITMAP_PX),
        anchor="ls",
        embedded_color=True,
        direction=direction_of(run),
    )
    scale = style.pixels / BITMAP_PX
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    scaled = picture.resize(size, Image.Resampling.LANCZOS)
    canvas.paste(scaled, (round(at[0]), round(at[1] - above * scale)), scaled)
