"""Layouts of the ad sizes (side by side, square, tower, banner), each in three styles. Pure."""

from typing import Final

from msgspec.structs import replace

from signalbox_pipelines.ad_creative.contract import SizeName
from signalbox_pipelines.ad_creative.design.ad_plan import (
    AdPlan,
    Box,
    Button,
    LogoPlace,
    PictureFrame,
    Side,
    mirror_plan,
)
from signalbox_pipelines.ad_creative.design.colour_scheme import ColourScheme
from signalbox_pipelines.ad_creative.design.fonts import FontSelection
from signalbox_pipelines.ad_creative.design.text_column import (
    AdTexts,
    SizeMetrics,
    TextColumn,
    fit_button,
    fit_column,
    place_column,
)
from signalbox_pipelines.ad_creative.design.typography import TypeSetting
from signalbox_pipelines.ad_creative.messages import Style


def _head(largest: int, smallest: int, lines: int) -> TypeSetting:
    return TypeSetting(weight="ExtraBold", largest=largest, smallest=smallest, lines=lines, leading=1.12)


def _text(largest: int, smallest: int, lines: int) -> TypeSetting:
    return TypeSetting(weight="Medium", largest=largest, smallest=smallest, lines=lines, leading=1.4)


_WIDE_ASPECT: Final = 1.25

SIZE_METRICS: Final[dict[SizeName, SizeMetrics]] = {
    metrics.name: metrics
    for metrics in (
        SizeMetrics(
            name="300x250", width=300, height=250, margin=16, gap=8, headline=_head(22, 14, 5),
            body=_text(13, 12, 3), small=11, price=15,
            button=32, button_text=13, logo=(112, 22), column=("body", "price"),
        ),
        SizeMetrics(
            name="728x90", width=728, height=90, margin=16, gap=6, headline=_head(22, 12, 3),
            body=_text(14, 12, 1), small=11, price=16,
            button=38, button_text=15, logo=(112, 26), column=("body",),
        ),
        SizeMetrics(
            name="160x600", width=160, height=600, margin=14, gap=11, headline=_head(23, 14, 6),
            body=_text(13, 12, 5), small=11, price=18,
            button=40, button_text=14, logo=(118, 26), column=("body", "price"),
        ),
        SizeMetrics(
            name="1080x1080", width=1080, height=1080, margin=68, gap=24, headline=_head(70, 40, 3),
            body=_text(34, 27, 3), small=27, price=42, button=92, button_text=33, logo=(320, 64),
        ),
        SizeMetrics(
            name="1200x628", width=1200, height=628, margin=60, gap=19, headline=_head(62, 32, 4),
            body=_text(27, 21, 4), small=22, price=33, button=72, button_text=26, logo=(260, 52),
        ),
    )
}  # fmt: skip


def plan_ad(
    size: SizeName, style: Style, colours: ColourScheme, texts: AdTexts, *, aspect: float = 1.0
) -> AdPlan | None:
    """Lay out one ad; None if its text does not fit at the minimum font size.

    Args:
        aspect: width divided by height of the picture's subject; a wide subject gets a wide frame.
    """
    plan = _plan_left_to_right(size, style, colours, texts, aspect)
    return mirror_plan(plan) if plan is not None and texts.fonts.is_rtl else plan


def _plan_left_to_right(
    size: SizeName, style: Style, colours: ColourScheme, texts: AdTexts, aspect: float
) -> AdPlan | None:
    metrics = SIZE_METRICS[size]
    if size == "728x90":
        return _banner(metrics, style, colours, texts)
    if size == "160x600":
        return _tower(metrics, style, colours, texts, round(metrics.width * 2.5 / max(aspect, 0.8)))
    if size == "1080x1080" or (size == "300x250" and aspect > _WIDE_ASPECT):
        return _square(metrics, style, colours, texts)
    return _side_by_side(metrics, style, colours, texts)


def _side_by_side(metrics: SizeMetrics, style: Style, colours: ColourScheme, texts: AdTexts) -> AdPlan | None:
    """Logo and text on the left, picture on the right."""
    width, height, margin = metrics.width, metrics.height, metrics.margin
    split = round(width * (0.5 if width > 600 else 0.56))
    card = round(margin * 0.6)
    frames = {
        "studio": PictureFrame(box=Box(split, 0, width - split, height)),
        "bold": PictureFrame(
            box=Box(split, card, width - split - card, height - 2 * card), radius=round(margin * 0.55)
        ),
        "cover": PictureFrame(
            box=Box(round(width * 0.44), 0, width - round(width * 0.44), height),
            fades=("left",),
            fade_share=0.42,
        ),
    }
    logo = Box(margin, margin, metrics.logo[0], metrics.logo[1])
    top = logo.bottom + round(metrics.gap * 1.6)
    area = Box(margin, top, split - margin - round(margin * 0.75), height - margin - top)
    column = fit_column(texts, metrics, area)
    if column is None:
        return None
    y = area.y + (area.height - column.height) // 2
    return _with_column(
        _plan(metrics, style, colours, frames[style], _logo(logo, texts), texts.fonts), column, area.x, y
    )


def _square(metrics: SizeMetrics, style: Style, colours: ColourScheme, texts: AdTexts) -> AdPlan | None:
    """Picture, text, and a last row with button and logo; in `bold` the picture is a card below the text."""
    width, height, margin = metrics.width, metrics.height, metrics.margin
    button = fit_button(texts, metrics, width - 2 * margin - metrics.logo[0] - metrics.gap)
    area = Box(margin, 0, width - 2 * margin, round(height * (0.42 if width > 600 else 0.32)))
    column = fit_column(texts, metrics, area, button=False)
    if column is None or button is None:
        return None
    row = height - margin - metrics.button
    moved = replace(button, box=Box(margin, row, button.box.width, metrics.button))
    logo = Box(width - margin - metrics.logo[0], row + (metrics.button - metrics.logo[1]) // 2, *metrics.logo)
    place = LogoPlace(box=logo, align="right", name=texts.brand)
    if style == "bold":
        above = margin + column.height + round(metrics.gap * 1.7)
        frame = PictureFrame(
            box=Box(margin, above, width - 2 * margin, row - above - round(metrics.gap * 1.7)),
            radius=round(margin * 0.6),
        )
        y = margin
    else:
        y = row - round(metrics.gap * 1.8) - column.height
        fades: tuple[Side, ...] = ("bottom",) if style == "cover" else ()
        below = y + round(metrics.gap * 1.5) if fades else y - round(margin * 0.8)
        frame = PictureFrame(box=Box(0, 0, width, below), fades=fades, fade_share=0.34)
    return _with_column(
        replace(_plan(metrics, style, colours, frame, place, texts.fonts), button=moved), column, margin, y
    )


def _tower(
    metrics: SizeMetrics, style: Style, colours: ColourScheme, texts: AdTexts, tallest: int
) -> AdPlan | None:
    """Logo, picture, text and button from top to bottom.

    Larger text, then the picture, fill the remaining height.
    """
    width, height, margin = metrics.width, metrics.height, metrics.margin
    logo = Box((width - metrics.logo[0]) // 2, margin + 2, *metrics.logo)
    top = logo.bottom + margin
    area = Box(margin, top, width - 2 * margin, round(height * 0.6))
    columns = (fit_column(texts, _larger(metrics, scale), area, align="center") for scale in (1.0, 1.15, 1.3))
    fitting = [column for column in columns if column is not None]
    if not fitting:
        return None
    remaining_height = height - top - 2 * margin
    column = next(
        (candidate for candidate in fitting if remaining_height - candidate.height <= tallest), fitting[-1]
    )
    y = height - margin - column.height
    frames = {
        "studio": PictureFrame(box=Box(0, top, width, y - top - margin)),
        "bold": PictureFrame(box=Box(8, top, width - 16, y - top - margin), radius=12),
        "cover": PictureFrame(
            box=Box(0, top - 8, width, y - top - margin + 22), fades=("top", "bottom"), fade_share=0.2
        ),
    }
    return _with_column(
        _plan(metrics, style, colours, frames[style], _logo(logo, texts, "center"), texts.fonts),
        column,
        margin,
        y,
    )


def _larger(metrics: SizeMetrics, scale: float) -> SizeMetrics:
    """Enlarge body, price and gaps. The headline keeps its size; larger, it would break after every word."""

    def grown(pixels: int) -> int:
        return round(pixels * scale)

    return replace(
        metrics,
        body=replace(metrics.body, largest=grown(metrics.body.largest)),
        gap=grown(metrics.gap),
        price=grown(metrics.price),
    )


def _banner(metrics: SizeMetrics, style: Style, colours: ColourScheme, texts: AdTexts) -> AdPlan | None:
    """Picture, logo, rule, text and button in a row, centred vertically."""
    width, height, margin = metrics.width, metrics.height, metrics.margin
    frames = {
        "studio": PictureFrame(box=Box(0, 0, 142, height)),
        "bold": PictureFrame(box=Box(8, 8, 128, height - 16), radius=10),
        "cover": PictureFrame(box=Box(0, 0, 196, height), fades=("right",), fade_share=0.5),
    }
    button = fit_button(texts, metrics, 170)
    if button is None:
        return None
    content_left = 142 if style != "cover" else 156
    logo = Box(content_left + margin, (height - metrics.logo[1]) // 2, *metrics.logo)
    rule = Box(logo.right + margin, 24, 1, height - 48)
    placed_button = replace(
        button,
        box=Box(
            width - margin - button.box.width,
            (height - metrics.button) // 2,
            button.box.width,
            metrics.button,
        ),
    )
    area = Box(rule.right + margin, 12, placed_button.box.x - rule.right - 2 * margin, height - 24)
    column = fit_column(texts, metrics, area, button=False)
    if column is None:
        return None
    plan = replace(
        _plan(metrics, style, colours, frames[style], _logo(logo, texts, "center"), texts.fonts),
        button=placed_button,
        rule=rule,
    )
    return _with_column(plan, column, area.x, (height - column.height) // 2)


def _plan(
    metrics: SizeMetrics,
    style: Style,
    colours: ColourScheme,
    frame: PictureFrame,
    logo: LogoPlace,
    fonts: FontSelection,
) -> AdPlan:
    placeholder_button = Button(box=Box(0, 0, 0, 0), label="", font_px=metrics.button_text)
    return AdPlan(
        size=metrics.name,
        width=metrics.width,
        height=metrics.height,
        style=style,
        colours=colours,
        frame=frame,
        logo=logo,
        lines=(),
        button=placeholder_button,
        fonts=fonts,
    )


def _with_column(plan: AdPlan, column: TextColumn, x: int, y: int) -> AdPlan:
    lines, button = place_column(column, x, y)
    return replace(plan, lines=lines, button=button or plan.button)


def _logo(box: Box, texts: AdTexts, align: str = "left") -> LogoPlace:
    return LogoPlace(box=box, align="center" if align == "center" else "left", name=texts.brand)
