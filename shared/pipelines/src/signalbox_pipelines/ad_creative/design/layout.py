"""Where things go in each size: three kinds of format (side by side, stacked, banner), three styles. Pure."""

from typing import Final

from msgspec.structs import replace

from signalbox_pipelines.ad_creative.contract import SizeName
from signalbox_pipelines.ad_creative.design.columns import (
    Column,
    Metrics,
    Words,
    button_for,
    column_for,
    placed,
)
from signalbox_pipelines.ad_creative.design.plan import Box, Button, Frame, LogoPlace, Plan, Side
from signalbox_pipelines.ad_creative.design.styles import Look
from signalbox_pipelines.ad_creative.design.typography import Setting
from signalbox_pipelines.ad_creative.messages import Style


def _head(largest: int, smallest: int, lines: int) -> Setting:
    return Setting(weight="ExtraBold", largest=largest, smallest=smallest, lines=lines, leading=1.12)


def _text(largest: int, smallest: int, lines: int) -> Setting:
    return Setting(weight="Medium", largest=largest, smallest=smallest, lines=lines, leading=1.4)


_WIDE: Final = 1.25

METRICS: Final[dict[SizeName, Metrics]] = {
    metrics.name: metrics
    for metrics in (
        Metrics(name="300x250", width=300, height=250, margin=16, gap=8, headline=_head(22, 14, 5), body=_text(13, 12, 3), small=11,
                price=15, button=32, button_text=13, logo=(112, 22), column=("body", "price")),
        Metrics(name="728x90", width=728, height=90, margin=16, gap=6, headline=_head(22, 12, 3), body=_text(14, 12, 1), small=11,
                price=16, button=38, button_text=15, logo=(112, 26), column=("body",)),
        Metrics(name="160x600", width=160, height=600, margin=14, gap=11, headline=_head(23, 14, 6), body=_text(13, 12, 5), small=11,
                price=18, button=40, button_text=14, logo=(118, 26), column=("body", "price")),
        Metrics(name="1080x1080", width=1080, height=1080, margin=68, gap=24, headline=_head(70, 40, 3), body=_text(34, 27, 3), small=27,
                price=42, button=92, button_text=33, logo=(320, 64)),
        Metrics(name="1200x628", width=1200, height=628, margin=60, gap=19, headline=_head(62, 32, 4), body=_text(27, 21, 4), small=22,
                price=33, button=72, button_text=26, logo=(260, 52)),
    )
}  # fmt: skip


def plan_for(size: SizeName, style: Style, look: Look, words: Words, *, shape: float = 1.0) -> Plan | None:
    """The plan of one ad, or None when its text cannot be set at the least readable size.

    Args:
        shape: the picture's subject, width by height; a wide one gets a wide frame.
    """
    metrics = METRICS[size]
    if size == "728x90":
        return _banner(metrics, style, look, words)
    if size == "160x600":
        return _tower(metrics, style, look, words, round(metrics.width * 2.5 / max(shape, 0.8)))
    if size == "1080x1080" or (size == "300x250" and shape > _WIDE):
        return _square(metrics, style, look, words)
    return _side_by_side(metrics, style, look, words)


def _side_by_side(metrics: Metrics, style: Style, look: Look, words: Words) -> Plan | None:
    """Logo on top and text left, picture right."""
    wide, high, margin = metrics.width, metrics.height, metrics.margin
    split = round(wide * (0.5 if wide > 600 else 0.56))
    card = round(margin * 0.6)
    frames = {
        "studio": Frame(box=Box(split, 0, wide - split, high)),
        "bold": Frame(
            box=Box(split, card, wide - split - card, high - 2 * card), radius=round(margin * 0.55)
        ),
        "cover": Frame(
            box=Box(round(wide * 0.44), 0, wide - round(wide * 0.44), high), fades=("left",), fade_share=0.42
        ),
    }
    logo = Box(margin, margin, metrics.logo[0], metrics.logo[1])
    top = logo.bottom + round(metrics.gap * 1.6)
    area = Box(margin, top, split - margin - round(margin * 0.75), high - margin - top)
    column = column_for(words, metrics, area)
    if column is None:
        return None
    y = area.y + (area.height - column.height) // 2
    return _with_column(_plan(metrics, style, look, frames[style], _logo(logo, words)), column, area.x, y)


def _square(metrics: Metrics, style: Style, look: Look, words: Words) -> Plan | None:
    """Picture above, text below, button and logo on the last row; `bold` puts the picture on a card in the middle."""
    wide, high, margin = metrics.width, metrics.height, metrics.margin
    button = button_for(words, metrics, wide - 2 * margin - metrics.logo[0] - metrics.gap)
    area = Box(margin, 0, wide - 2 * margin, round(high * (0.42 if wide > 600 else 0.32)))
    column = column_for(words, metrics, area, button=False)
    if column is None or button is None:
        return None
    row = high - margin - metrics.button
    moved = replace(button, box=Box(margin, row, button.box.width, metrics.button))
    logo = Box(wide - margin - metrics.logo[0], row + (metrics.button - metrics.logo[1]) // 2, *metrics.logo)
    place = LogoPlace(box=logo, align="right", name=words.brand)
    if style == "bold":
        above = margin + column.height + round(metrics.gap * 1.7)
        frame = Frame(
            box=Box(margin, above, wide - 2 * margin, row - above - round(metrics.gap * 1.7)),
            radius=round(margin * 0.6),
        )
        y = margin
    else:
        y = row - round(metrics.gap * 1.8) - column.height
        fades: tuple[Side, ...] = ("bottom",) if style == "cover" else ()
        below = y + round(metrics.gap * 1.5) if fades else y - round(margin * 0.8)
        frame = Frame(box=Box(0, 0, wide, below), fades=fades, fade_share=0.34)
    return _with_column(replace(_plan(metrics, style, look, frame, place), button=moved), column, margin, y)


def _tower(metrics: Metrics, style: Style, look: Look, words: Words, tallest: int) -> Plan | None:
    """Logo, picture, text, button from top to bottom; larger type and then the picture take what is left, so nothing is empty."""
    wide, high, margin = metrics.width, metrics.height, metrics.margin
    logo = Box((wide - metrics.logo[0]) // 2, margin + 2, *metrics.logo)
    top = logo.bottom + margin
    area = Box(margin, top, wide - 2 * margin, round(high * 0.6))
    columns = (column_for(words, _larger(metrics, scale), area, align="center") for scale in (1.0, 1.15, 1.3))
    fitting = [column for column in columns if column is not None]
    if not fitting:
        return None
    left = high - top - 2 * margin
    column = next((each for each in fitting if left - each.height <= tallest), fitting[-1])
    y = high - margin - column.height
    frames = {
        "studio": Frame(box=Box(0, top, wide, y - top - margin)),
        "bold": Frame(box=Box(8, top, wide - 16, y - top - margin), radius=12),
        "cover": Frame(
            box=Box(0, top - 8, wide, y - top - margin + 22), fades=("top", "bottom"), fade_share=0.2
        ),
    }
    return _with_column(
        _plan(metrics, style, look, frames[style], _logo(logo, words, "center")), column, margin, y
    )


def _larger(metrics: Metrics, scale: float) -> Metrics:
    """The same measures with larger small type and more air; the headline stays, or it would break at every word."""

    def grown(pixels: int) -> int:
        return round(pixels * scale)

    return replace(
        metrics,
        body=replace(metrics.body, largest=grown(metrics.body.largest)),
        gap=grown(metrics.gap),
        price=grown(metrics.price),
    )


def _banner(metrics: Metrics, style: Style, look: Look, words: Words) -> Plan | None:
    """Picture, logo, rule, text, button in a row, each in the middle of the height."""
    wide, high, margin = metrics.width, metrics.height, metrics.margin
    frames = {
        "studio": Frame(box=Box(0, 0, 142, high)),
        "bold": Frame(box=Box(8, 8, 128, high - 16), radius=10),
        "cover": Frame(box=Box(0, 0, 196, high), fades=("right",), fade_share=0.5),
    }
    button = button_for(words, metrics, 170)
    if button is None:
        return None
    left = 142 if style != "cover" else 156
    logo = Box(left + margin, (high - metrics.logo[1]) // 2, *metrics.logo)
    rule = Box(logo.right + margin, 24, 1, high - 48)
    pill = replace(
        button,
        box=Box(
            wide - margin - button.box.width, (high - metrics.button) // 2, button.box.width, metrics.button
        ),
    )
    area = Box(rule.right + margin, 12, pill.box.x - rule.right - 2 * margin, high - 24)
    column = column_for(words, metrics, area, button=False)
    if column is None:
        return None
    plan = replace(
        _plan(metrics, style, look, frames[style], _logo(logo, words, "center")), button=pill, rule=rule
    )
    return _with_column(plan, column, area.x, (high - column.height) // 2)


def _plan(metrics: Metrics, style: Style, look: Look, frame: Frame, logo: LogoPlace) -> Plan:
    nothing = Button(box=Box(0, 0, 0, 0), label="", font_px=metrics.button_text)
    return Plan(
        size=metrics.name,
        width=metrics.width,
        height=metrics.height,
        style=style,
        look=look,
        frame=frame,
        logo=logo,
        lines=(),
        button=nothing,
    )


def _with_column(plan: Plan, column: Column, x: int, y: int) -> Plan:
    lines, button = placed(column, x, y)
    return replace(plan, lines=lines, button=button or plan.button)


def _logo(box: Box, words: Words, align: str = "left") -> LogoPlace:
    return LogoPlace(box=box, align="center" if align == "center" else "left", name=words.brand)
