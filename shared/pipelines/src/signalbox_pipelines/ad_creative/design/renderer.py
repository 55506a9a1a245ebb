"""Renders a plan as PNG. Deterministic: the same plan, picture and logo give the same bytes."""

import io
import math
from typing import Final

from PIL import Image, ImageChops, ImageDraw

from signalbox_pipelines.ad_creative.design.ad_plan import (
    AdPlan,
    Box,
    Button,
    LogoPlace,
    PictureFrame,
    Side,
    TextLine,
)
from signalbox_pipelines.ad_creative.design.colour import Rgb, contrast, mix
from signalbox_pipelines.ad_creative.design.crop import ClearZone, crop, find_subject
from signalbox_pipelines.ad_creative.design.text_painter import TextStyle, draw_text
from signalbox_pipelines.ad_creative.design.typography import OVERSAMPLING, cap_height, set_lines

_SCALE: Final = OVERSAMPLING
_MIN_VISIBLE_CONTRAST: Final = 2.4


def render_plan(plan: AdPlan, picture: Image.Image, logo: Image.Image | None) -> bytes:
    """Render the ad as PNG; without a logo the brand name is drawn."""
    canvas = Image.new("RGB", (plan.width, plan.height), plan.colours.background)
    _draw_picture(canvas, plan.frame, picture)
    draw = ImageDraw.Draw(canvas)
    if plan.rule:
        rule = plan.rule
        draw.rectangle(
            (rule.x, rule.y, rule.right - 1, rule.bottom - 1),
            fill=mix(plan.colours.background, plan.colours.headline, 0.2),
        )
    for line in plan.lines:
        _draw_line(canvas, line, plan)
    _draw_button(canvas, plan.button, plan)
    _draw_logo(canvas, plan.logo, plan, logo)
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", optimize=plan.width * plan.height < 300_000)
    return buffer.getvalue()


def _draw_picture(canvas: Image.Image, frame: PictureFrame, picture: Image.Image) -> None:
    box = frame.box
    cropped = crop(picture, find_subject(picture), box.width, box.height, clear_zone=_fade_clear_zone(frame))
    mask = (
        _rounded_mask(box.width, box.height, frame.radius)
        if frame.radius
        else Image.new("L", (box.width, box.height), 255)
    )
    for side in frame.fades:
        mask = ImageChops.multiply(mask, _fade_mask(box.width, box.height, side, frame.fade_share))
    canvas.paste(cropped, (box.x, box.y), mask)


def _fade_clear_zone(frame: PictureFrame) -> ClearZone:
    """Keep the subject out of the fade, except its last third, which is almost opaque."""
    reach = frame.fade_share * 0.65
    return ClearZone(**{side: reach for side in frame.fades})


def _fade_mask(width: int, height: int, side: Side, share: float) -> Image.Image:
    """Build a mask that rises smoothly from transparent at one side to opaque over `share` of the length."""
    length = width if side in ("left", "right") else height
    reach = max(1.0, length * share)
    values = [round(255 * _smoothstep(min(1.0, index / reach))) for index in range(length)]
    if side in ("right", "bottom"):
        values.reverse()
    strip = Image.new("L", (length, 1) if side in ("left", "right") else (1, length))
    strip.putdata(values)
    return strip.resize((width, height))


def _smoothstep(share: float) -> float:
    return share * share * (3 - 2 * share)


def _rounded_mask(width: int, height: int, radius: int) -> Image.Image:
    mask = Image.new("L", (width * _SCALE, height * _SCALE))
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, width * _SCALE - 1, height * _SCALE - 1), radius * _SCALE, fill=255
    )
    return mask.resize((width, height), Image.Resampling.LANCZOS)


def _draw_line(canvas: Image.Image, line: TextLine, plan: AdPlan) -> None:
    block = line.block
    ink: Rgb = {
        "headline": plan.colours.headline,
        "price": plan.colours.headline,
        "body": plan.colours.body,
    }.get(line.role, plan.colours.eyebrow)
    for index, text in enumerate(block.lines):
        baseline = line.y + block.rise + index * block.line_px
        style = TextStyle(
            ink=ink, weight=block.weight, pixels=block.font_px, fonts=block.fonts, align=line.align
        )
        draw_text(canvas, text, (line.x, baseline), style)
    if line.has_star:
        cap = cap_height(block.weight, block.font_px)
        edge = line.x - (block.width // 2 if line.align == "center" else 0)
        away = block.font_px * (0.72 if line.align == "right" else -0.72)
        _draw_star(canvas, (edge + away, line.y + block.rise - cap / 2), cap * 0.68, plan.colours.eyebrow)


def _draw_star(canvas: Image.Image, centre: tuple[float, float], radius: float, ink: Rgb) -> None:
    side = math.ceil(radius * 2) + 2
    mask = Image.new("L", (side * _SCALE, side * _SCALE))
    points = []
    for index in range(10):
        reach = radius if index % 2 == 0 else radius * 0.42
        angle = math.pi * (index / 5 - 0.5)
        points.append(
            ((side / 2 + reach * math.cos(angle)) * _SCALE, (side / 2 + reach * math.sin(angle)) * _SCALE)
        )
    ImageDraw.Draw(mask).polygon(points, fill=255)
    small = mask.resize((side, side), Image.Resampling.LANCZOS)
    canvas.paste(ink, (round(centre[0] - side / 2), round(centre[1] - side / 2)), small)


def _draw_button(canvas: Image.Image, button: Button, plan: AdPlan) -> None:
    box = button.box
    canvas.paste(plan.colours.button, (box.x, box.y), _rounded_mask(box.width, box.height, box.height // 2))
    baseline = box.middle + cap_height("Bold", button.font_px) / 2
    at = (box.x + box.width / 2, round(baseline))
    style = TextStyle(
        ink=plan.colours.label, weight="Bold", pixels=button.font_px, fonts=plan.fonts, align="center"
    )
    draw_text(canvas, button.label, at, style)


def _draw_logo(canvas: Image.Image, place: LogoPlace, plan: AdPlan, logo: Image.Image | None) -> None:
    if logo is None:
        _draw_brand_name(canvas, place, plan)
        return
    adapted = _adapt_to_background(_trim(logo), plan.colours.background, plan.colours.headline)
    scale = min(place.box.width / adapted.width, place.box.height / adapted.height)
    small = adapted.resize(
        (max(1, round(adapted.width * scale)), max(1, round(adapted.height * scale))),
        Image.Resampling.LANCZOS,
    )
    canvas.paste(small, _align_in(place, small.width, small.height), small)


def _draw_brand_name(canvas: Image.Image, place: LogoPlace, plan: AdPlan) -> None:
    """Draw the brand name, for pages without a usable logo."""
    for pixels in range(place.box.height, 9, -1):
        block = set_lines((place.name,), "ExtraBold", pixels, 1.2, plan.fonts)
        if block.width <= place.box.width and block.height <= place.box.height:
            x, y = _align_in(place, block.width, block.height)
            style = TextStyle(ink=plan.colours.headline, weight="ExtraBold", pixels=pixels, fonts=plan.fonts)
            draw_text(canvas, place.name, (x, y + block.rise), style)
            return


def _align_in(place: LogoPlace, width: int, height: int) -> tuple[int, int]:
    box: Box = place.box
    x = {"left": box.x, "center": box.x + (box.width - width) // 2, "right": box.right - width}[place.align]
    return x, box.y + (box.height - height) // 2


def _trim(logo: Image.Image) -> Image.Image:
    rgba = logo.convert("RGBA")
    box = rgba.getchannel("A").point([0 if value < 16 else 255 for value in range(256)]).getbbox()
    return rgba.crop(box) if box else rgba


def _adapt_to_background(logo: Image.Image, background: Rgb, ink: Rgb) -> Image.Image:
    """Replace the low-contrast colours of a transparent logo that is hardly visible on the background."""
    visible = logo.getchannel("A").point([value // 128 for value in range(256)])
    if logo.getchannel("A").getextrema() == (255, 255) or _is_visible_on(logo, visible, background):
        return logo
    colours = logo.convert("RGB").quantize(24)
    table = colours.getpalette() or []
    shown: list[int] = []
    for index in range(0, len(table), 3):
        colour: Rgb = (table[index], table[index + 1], table[index + 2])
        shown += list(colour if contrast(colour, background) >= _MIN_VISIBLE_CONTRAST else ink)
    colours.putpalette(shown)
    adapted = colours.convert("RGB").convert("RGBA")
    adapted.putalpha(logo.getchannel("A"))
    return adapted


def _is_visible_on(logo: Image.Image, shown: Image.Image, background: Rgb) -> bool:
    """Whether at least half of the opaque part contrasts with the background.

    `shown`: 1 where opaque, else 0.
    """
    few = logo.convert("RGB").quantize(24)
    table, counts = few.getpalette() or [], [0] * 256
    for index, visible in zip(few.tobytes(), shown.tobytes(), strict=True):
        counts[index] += visible
    colours: list[Rgb] = [(table[at], table[at + 1], table[at + 2]) for at in range(0, len(table), 3)]
    contrasting = sum(
        counts[index]
        for index, colour in enumerate(colours)
        if contrast(colour, background) >= _MIN_VISIBLE_CONTRAST
    )
    return contrasting * 2 >= sum(counts)
