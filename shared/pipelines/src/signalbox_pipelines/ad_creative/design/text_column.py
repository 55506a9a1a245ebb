"""Layout of a text column: eyebrow, headline, body, price, rating and button.

Drops optional parts that do not fit.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from signalbox_pipelines.ad_creative.contract import SizeName
from signalbox_pipelines.ad_creative.design.ad_plan import Align, Box, Button, Role, TextLine
from signalbox_pipelines.ad_creative.design.fonts import FontSelection, Weight
from signalbox_pipelines.ad_creative.design.typography import (
    TextBlock,
    TypeSetting,
    fit,
    set_lines,
    text_width,
)


class SizeMetrics(Struct, frozen=True, kw_only=True):
    """The dimensions of one ad size in pixels. `column` lists the optional parts of its text column."""

    name: SizeName
    width: int
    height: int
    margin: int
    gap: int
    headline: TypeSetting
    body: TypeSetting
    small: int
    price: int
    button: int
    button_text: int
    logo: tuple[int, int]
    column: tuple[Role, ...] = ("eyebrow", "body", "price")


class AdTexts(Struct, frozen=True, kw_only=True):
    """The texts of one ad, with the fonts for them; empty texts are not shown."""

    eyebrow: str
    headline: str
    body: str
    price: str
    rating: str
    cta: str
    brand: str
    fonts: FontSelection = FontSelection()


class TextColumn(Struct, frozen=True, kw_only=True):
    """Lines and button with positions relative to the column, and its height."""

    lines: tuple[TextLine, ...]
    button: Button | None
    height: int


_DROP_ORDER: Final[tuple[frozenset[Role], ...]] = (
    frozenset(),
    frozenset({"eyebrow"}),
    frozenset({"eyebrow", "price"}),
    frozenset({"body"}),
    frozenset({"body", "eyebrow"}),
    frozenset({"body", "eyebrow", "price"}),
)


def fit_column(
    texts: AdTexts, metrics: SizeMetrics, area: Box, *, align: Align = "left", button: bool = True
) -> TextColumn | None:
    """Return the column with the most parts that fits `area`; None if none fits.

    The headline first shrinks slightly, then parts are dropped, and finally it shrinks to its minimum.
    """
    slightly_shrunk = replace(
        metrics.headline, smallest=max(metrics.headline.smallest, round(metrics.headline.largest * 0.72))
    )
    attempts = [(slightly_shrunk, drop) for drop in _DROP_ORDER] + [
        (metrics.headline, drop) for drop in _DROP_ORDER[-2:]
    ]
    for headline, drop in attempts:
        for pixels in range(headline.largest, headline.smallest - 1, -1):
            smaller = replace(headline, largest=pixels)
            column = _try_column(texts, metrics, area, smaller, drop=drop, align=align, button=button)
            if column is not None and column.height <= area.height:
                return column
    return None


def place_column(column: TextColumn, x: int, y: int) -> tuple[tuple[TextLine, ...], Button | None]:
    """Move the parts of a column to its position on the ad."""
    lines = tuple(replace(line, x=line.x + x, y=line.y + y) for line in column.lines)
    if column.button is None:
        return lines, None
    box = column.button.box
    return lines, replace(column.button, box=Box(box.x + x, box.y + y, box.width, box.height))


def fit_button(texts: AdTexts, metrics: SizeMetrics, widest: int, *, stretch: bool = False) -> Button | None:
    """Return a button at 0, 0 that is at most `widest` wide; long labels shrink. None if it does not fit."""
    for pixels in range(metrics.button_text, max(10, round(metrics.button_text * 0.7)) - 1, -1):
        label = round(text_width(texts.cta, "Bold", pixels, texts.fonts))
        width = widest if stretch else label + round(metrics.button * 1.05)
        if label + round(metrics.button * 0.5) <= width <= widest:
            return Button(box=Box(0, 0, width, metrics.button), label=texts.cta, font_px=pixels)
    return None


def _try_column(  # noqa: PLR0913 - the parameters of one attempt
    texts: AdTexts,
    metrics: SizeMetrics,
    area: Box,
    headline: TypeSetting,
    *,
    drop: frozenset[Role],
    align: Align,
    button: bool,
) -> TextColumn | None:
    headline_block = fit(texts.headline, headline, area.width, texts.fonts)
    if headline_block is None:
        return None
    rows = list(_build_rows(texts, metrics, area, headline_block, drop))
    if any(row is None for row in rows):
        return None
    lines, y = _stack_rows([row for row in rows if row is not None], metrics, area, align)
    if not button:
        return TextColumn(lines=tuple(lines), button=None, height=y)
    placed_button = fit_button(texts, metrics, area.width, stretch=align == "center")
    if placed_button is None:
        return None
    top = y + round(metrics.gap * 1.5)
    x = (area.width - placed_button.box.width) // 2 if align == "center" else 0
    moved = replace(placed_button, box=Box(x, top, placed_button.box.width, placed_button.box.height))
    return TextColumn(lines=tuple(lines), button=moved, height=top + placed_button.box.height)


Row = Sequence[tuple[Role, TextBlock]]


def _build_rows(
    texts: AdTexts, metrics: SizeMetrics, area: Box, headline: TextBlock, drop: frozenset[Role]
) -> Iterator[Row | None]:
    """Yield the rows from top to bottom; None for a part that does not fit the width."""

    def wanted(role: Role, text: str) -> bool:
        return bool(text) and role in metrics.column and role not in drop

    if wanted("eyebrow", texts.eyebrow):
        block = _fit_line(texts.eyebrow, "Bold", metrics.small, area.width, texts.fonts)
        yield [("eyebrow", block)] if block else None
    yield [("headline", headline)]
    if wanted("body", texts.body):
        first_item = texts.body.split(" · ")[0]
        body = fit(texts.body, metrics.body, area.width, texts.fonts) or fit(
            first_item, metrics.body, area.width, texts.fonts
        )
        yield [("body", body)] if body else None
    if wanted("price", texts.price or texts.rating):
        yield _build_price_row(texts, metrics, area.width)


def _build_price_row(texts: AdTexts, metrics: SizeMetrics, width: int) -> Row | None:
    row: list[tuple[Role, TextBlock]] = []
    if texts.price:
        price = _fit_line(texts.price, "ExtraBold", metrics.price, width, texts.fonts)
        if price is None:
            return None
        row.append(("price", price))
    rating = _fit_line(texts.rating, "Bold", max(11, round(metrics.price * 0.72)), width, texts.fonts)
    room = width - (row[0][1].width + round(metrics.price * 0.8) if row else 0) - metrics.price
    if texts.rating and rating is not None and rating.width <= room:
        row.append(("rating", rating))
    return row or None


def _stack_rows(
    rows: Sequence[Row], metrics: SizeMetrics, area: Box, align: Align
) -> tuple[list[TextLine], int]:
    lines: list[TextLine] = []
    y = 0
    for index, row in enumerate(rows):
        if index:
            y += _gap_between(rows[index - 1][0][0], row[0][0], metrics.gap)
        lines += _position_row(row, y, metrics, area, align)
        y += max(block.height for _, block in row)
    return lines, y


def _position_row(row: Row, y: int, metrics: SizeMetrics, area: Box, align: Align) -> list[TextLine]:
    """Position the single part of a row, or price and rating on one baseline."""
    if len(row) == 1:
        role, block = row[0]
        has_star = role == "rating"
        shift = round(block.font_px * 1.3) if has_star else 0
        x = area.width // 2 + shift // 2 if align == "center" else shift
        return [TextLine(role=role, block=block, x=x, y=y, align=align, has_star=has_star)]
    (first, price), (second, rating) = row
    gap, room = round(metrics.price * 0.8), round(rating.font_px * 1.3)
    start = (area.width - price.width - gap - room - rating.width) // 2 if align == "center" else 0
    left = TextLine(role=first, block=price, x=start, y=y)
    right = TextLine(
        role=second,
        block=rating,
        x=start + price.width + gap + room,
        y=y + price.rise - rating.rise,
        has_star=True,
    )
    return [left, right]


def _gap_between(above: Role, below: Role, gap: int) -> int:
    if above == "eyebrow":
        return round(gap * 0.8)
    return round(gap * 1.5) if below in {"price", "rating"} else round(gap * 1.3)


def _fit_line(text: str, weight: Weight, pixels: int, width: int, fonts: FontSelection) -> TextBlock | None:
    if not text:
        return None
    for size in range(pixels, max(10, round(pixels * 0.75)) - 1, -1):
        block = set_lines((text,), weight, size, 1.2, fonts)
        if block.width <= width:
            return block
    return None
