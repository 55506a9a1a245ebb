"""Painting a plan: shapes supersampled, type at its final size. Deterministic: the same plan and pictures give the same bytes."""

import io
import math
from typing import Final

from PIL import Image, ImageChops, ImageDraw

from signalbox_pipelines.ad_creative.design.colour import Rgb, contrast, mix
from signalbox_pipelines.ad_creative.design.crop import Clear, crop, find_subject
from signalbox_pipelines.ad_creative.design.plan import Box, Button, Frame, Line, LogoPlace, Plan, Side
from signalbox_pipelines.ad_creative.design.typography import (
    OVERSAMPLING,
    Weight,
    cap_height,
    ink_of,
    large_font,
    set_lines,
    text_width,
)

_OVER: Final = OVERSAMPLING
_STANDS_OUT: Final = 2.4


def paint_plan(plan: Plan, picture: Image.Image, logo: Image.Image | None) -> bytes:
    """The ad as PNG."""
    canvas = Image.new("RGB", (plan.width, plan.height), plan.look.ground)
    _paint_picture(canvas, plan.frame, picture)
    draw = ImageDraw.Draw(canvas)
    if plan.rule:
        rule = plan.rule
        draw.rectangle(
            (rule.x, rule.y, rule.right - 1, rule.bottom - 1),
            fill=mix(plan.look.ground, plan.look.headline, 0.2),
        )
    for line in plan.lines:
        _paint_line(canvas, line, plan)
    _paint_button(canvas, plan.button, plan)
    _paint_logo(canvas, plan.logo, plan, logo)
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", optimize=plan.width * plan.height < 300_000)
    return buffer.getvalue()


def _paint_picture(canvas: Image.Image, frame: Frame, picture: Image.Image) -> None:
    box = frame.box
    cropped = crop(picture, find_subject(picture), box.width, box.height, clear=_clear(frame))
    mask = (
        _rounded(box.width, box.height, frame.radius)
        if frame.radius
        else Image.new("L", (box.width, box.height), 255)
    )
    for side in frame.fades:
        mask = ImageChops.multiply(mask, _fade(box.width, box.height, side, frame.fade_share))
    canvas.paste(cropped, (box.x, box.y), mask)


def _clear(frame: Frame) -> Clear:
    """The subject keeps out of what fades, but for its last third, which is nearly whole."""
    reach = frame.fade_share * 0.65
    return Clear(**{side: reach for side in frame.fades})


def _fade(width: int, height: int, side: Side, share: float) -> Image.Image:
    """Clear at one side, then rising smoothly over `share` of the way."""
    length = width if side in ("left", "right") else height
    reach = max(1.0, length * share)
    values = [round(255 * _smooth(min(1.0, index / reach))) for index in range(length)]
    if side in ("right", "bottom"):
        values.reverse()
    strip = Image.new("L", (length, 1) if side in ("left", "right") else (1, length))
    strip.putdata(values)
    return strip.resize((width, height))


def _smooth(share: float) -> float:
    return share * share * (3 - 2 * share)


def _rounded(width: int, height: int, radius: int) -> Image.Image:
    mask = Image.new("L", (width * _OVER, height * _OVER))
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, width * _OVER - 1, height * _OVER - 1), radius * _OVER, fill=255
    )
    return mask.resize((width, height), Image.Resampling.LANCZOS)


def _paint_line(canvas: Image.Image, line: Line, plan: Plan) -> None:
    block = line.block
    ink: Rgb = {"headline": plan.look.headline, "price": plan.look.headline, "body": plan.look.body}.get(
        line.role, plan.look.eyebrow
    )
    for index, text in enumerate(block.lines):
        baseline = line.y + block.rise + index * block.line_px
        _type(
            canvas,
            text,
            (line.x, baseline),
            ink,
            weight=block.weight,
            pixels=block.font_px,
            centred=line.align == "center",
        )
    if line.star:
        high = cap_height(block.weight, block.font_px)
        left = line.x - (block.width // 2 if line.align == "center" else 0)
        _paint_star(
            canvas,
            (left - block.font_px * 0.72, line.y + block.rise - high / 2),
            high * 0.68,
            plan.look.eyebrow,
        )


def _type(  # noqa: PLR0913 — where, what and how of one line
    canvas: Image.Image,
    text: str,
    at: tuple[float, float],
    ink: Rgb,
    *,
    weight: Weight,
    pixels: int,
    centred: bool,
) -> None:
    """One line whose baseline is at `at`; drawn large and reduced, so letters stand where they should and not on whole pixels."""
    width, (above, below) = text_width(text, weight, pixels), ink_of(text, weight, pixels)
    left = at[0] - width / 2 if centred else at[0]
    x, rise = math.floor(left) - 2, math.ceil(above) + 2
    size = (math.ceil(width) + 6, rise + math.ceil(below) + 2)
    mask = Image.new("L", (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING))
    start = ((left - x) * OVERSAMPLING, rise * OVERSAMPLING)
    ImageDraw.Draw(mask).text(start, text, fill=255, font=large_font(weight, pixels), anchor="ls")
    canvas.paste(ink, (x, round(at[1]) - rise), mask.resize(size, Image.Resampling.BOX))


def _paint_star(canvas: Image.Image, centre: tuple[float, float], radius: float, ink: Rgb) -> None:
    side = math.ceil(radius * 2) + 2
    mask = Image.new("L", (side * _OVER, side * _OVER))
    points = []
    for index in range(10):
        reach = radius if index % 2 == 0 else radius * 0.42
        angle = math.pi * (index / 5 - 0.5)
        points.append(
            ((side / 2 + reach * math.cos(angle)) * _OVER, (side / 2 + reach * math.sin(angle)) * _OVER)
        )
    ImageDraw.Draw(mask).polygon(points, fill=255)
    small = mask.resize((side, side), Image.Resampling.LANCZOS)
    canvas.paste(ink, (round(centre[0] - side / 2), round(centre[1] - side / 2)), small)


def _paint_button(canvas: Image.Image, button: Button, plan: Plan) -> None:
    box = button.box
    canvas.paste(plan.look.button, (box.x, box.y), _rounded(box.width, box.height, box.height // 2))
    baseline = box.middle + cap_height("Bold", button.font_px) / 2
    at = (box.x + box.width / 2, round(baseline))
    _type(canvas, button.label, at, plan.look.label, weight="Bold", pixels=button.font_px, centred=True)


def _paint_logo(canvas: Image.Image, place: LogoPlace, plan: Plan, logo: Image.Image | None) -> None:
    if logo is None:
        _paint_name(canvas, place, plan)
        return
    ready = _on_ground(_trimmed(logo), plan.look.ground, plan.look.headline)
    scale = min(place.box.width / ready.width, place.box.height / ready.height)
    small = ready.resize(
        (max(1, round(ready.width * scale)), max(1, round(ready.height * scale))), Image.Resampling.LANCZOS
    )
    canvas.paste(small, _anchored(place, small.width, small.height), small)


def _paint_name(canvas: Image.Image, place: LogoPlace, plan: Plan) -> None:
    """The brand's name in type, for pages without a usable logo."""
    for pixels in range(place.box.height, 9, -1):
        block = set_lines((place.name,), "ExtraBold", pixels, 1.2)
        if block.width <= place.box.width and block.height <= place.box.height:
            x, y = _anchored(place, block.width, block.height)
            _type(
                canvas,
                place.name,
                (x, y + block.rise),
                plan.look.headline,
                weight="ExtraBold",
                pixels=pixels,
                centred=False,
            )
            return


def _anchored(place: LogoPlace, width: int, height: int) -> tuple[int, int]:
    box: Box = place.box
    x = {"left": box.x, "center": box.x + (box.width - width) // 2, "right": box.right - width}[place.align]
    return x, box.y + (box.height - height) // 2


def _trimmed(logo: Image.Image) -> Image.Image:
    clear = logo.convert("RGBA")
    box = clear.getchannel("A").point([0 if value < 16 else 255 for value in range(256)]).getbbox()
    return clear.crop(box) if box else clear


def _on_ground(logo: Image.Image, ground: Rgb, ink: Rgb) -> Image.Image:
    """A transparent logo whose main colour would vanish on the ground gets the vanishing colours replaced; others stay as they are."""
    visible = logo.getchannel("A").point([value // 128 for value in range(256)])
    if logo.getchannel("A").getextrema() == (255, 255) or _reads(logo, visible, ground):
        return logo
    colours = logo.convert("RGB").quantize(24)
    table = colours.getpalette() or []
    shown: list[int] = []
    for index in range(0, len(table), 3):
        colour: Rgb = (table[index], table[index + 1], table[index + 2])
        shown += list(colour if contrast(colour, ground) >= _STANDS_OUT else ink)
    colours.putpalette(shown)
    ready = colours.convert("RGB").convert("RGBA")
    ready.putalpha(logo.getchannel("A"))
    return ready


def _reads(logo: Image.Image, shown: Image.Image, ground: Rgb) -> bool:
    """Whether at least half of the visible logo stands out from the ground. `shown`: 1 where visible, else 0."""
    few = logo.convert("RGB").quantize(24)
    table, counts = few.getpalette() or [], [0] * 256
    for index, visible in zip(few.tobytes(), shown.tobytes(), strict=True):
        counts[index] += visible
    colours: list[Rgb] = [(table[at], table[at + 1], table[at + 2]) for at in range(0, len(table), 3)]
    clear = sum(
        counts[index] for index, colour in enumerate(colours) if contrast(colour, ground) >= _STANDS_OUT
    )
    return clear * 2 >= sum(counts)
