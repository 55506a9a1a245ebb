"""A column of text: eyebrow, headline, body, price and rating, button. What does not fit is left out in order of importance."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from signalbox_pipelines.ad_creative.contract import SizeName
from signalbox_pipelines.ad_creative.design.plan import Align, Box, Button, Line, Role
from signalbox_pipelines.ad_creative.design.typography import (
    Block,
    Setting,
    Weight,
    fit,
    set_lines,
    text_width,
)


class Metrics(Struct, frozen=True, kw_only=True):
    """The measures of one ad size, in pixels; `column` is what a column may hold besides the headline."""

    name: SizeName
    width: int
    height: int
    margin: int
    gap: int
    headline: Setting
    body: Setting
    small: int
    price: int
    button: int
    button_text: int
    logo: tuple[int, int]
    column: tuple[Role, ...] = ("eyebrow", "body", "price")


class Words(Struct, frozen=True, kw_only=True):
    """The texts of one ad; an empty one is not shown."""

    eyebrow: str
    headline: str
    body: str
    price: str
    rating: str
    cta: str
    brand: str


class Column(Struct, frozen=True, kw_only=True):
    """Lines and button relative to the column's top, and its whole height."""

    lines: tuple[Line, ...]
    button: Button | None
    height: int


_DROPS: Final[tuple[frozenset[Role], ...]] = (
    frozenset(),
    frozenset({"eyebrow"}),
    frozenset({"eyebrow", "price"}),
    frozenset({"body"}),
    frozenset({"body", "eyebrow"}),
    frozenset({"body", "eyebrow", "price"}),
)


def column_for(
    words: Words, metrics: Metrics, area: Box, *, align: Align = "left", button: bool = True
) -> Column | None:
    """The fullest column that fits `area`; the headline shrinks a little before anything is left out, and to its least at the end."""
    roomy = replace(
        metrics.headline, smallest=max(metrics.headline.smallest, round(metrics.headline.largest * 0.72))
    )
    attempts = [(roomy, drop) for drop in _DROPS] + [(metrics.headline, drop) for drop in _DROPS[-2:]]
    for headline, drop in attempts:
        for pixels in range(headline.largest, headline.smallest - 1, -1):
            smaller = replace(headline, largest=pixels)
            column = _column(words, metrics, area, smaller, drop=drop, align=align, button=button)
            if column is not None and column.height <= area.height:
                return column
            if column is not None and column.lines and _headline_px(column) > headline.smallest:
                continue
    return None


def placed(column: Column, x: int, y: int) -> tuple[tuple[Line, ...], Button | None]:
    """The column's parts at their place on the ad."""
    lines = tuple(replace(line, x=line.x + x, y=line.y + y) for line in column.lines)
    if column.button is None:
        return lines, None
    box = column.button.box
    return lines, replace(column.button, box=Box(box.x + x, box.y + y, box.width, box.height))


def button_for(words: Words, metrics: Metrics, widest: int, *, stretch: bool = False) -> Button | None:
    """The button at 0, 0; its label shrinks a little when the word is long."""
    for pixels in range(metrics.button_text, max(10, round(metrics.button_text * 0.7)) - 1, -1):
        label = round(text_width(words.cta, "Bold", pixels))
        width = widest if stretch else label + round(metrics.button * 1.05)
        if label + round(metrics.button * 0.5) <= width <= widest:
            return Button(box=Box(0, 0, width, metrics.button), label=words.cta, font_px=pixels)
    return None


def _column(  # noqa: PLR0913 — the parts of one attempt
    words: Words,
    metrics: Metrics,
    area: Box,
    headline: Setting,
    *,
    drop: frozenset[Role],
    align: Align,
    button: bool,
) -> Column | None:
    main = fit(words.headline, headline, area.width)
    if main is None:
        return None
    rows = list(_rows(words, metrics, area, main, drop))
    if rows is None or any(row is None for row in rows):
        return None
    lines, y = _pile([row for row in rows if row is not None], metrics, area, align)
    if not button:
        return Column(lines=tuple(lines), button=None, height=y)
    pill = button_for(words, metrics, area.width, stretch=align == "center")
    if pill is None:
        return None
    top = y + round(metrics.gap * 1.5)
    x = (area.width - pill.box.width) // 2 if align == "center" else 0
    moved = replace(pill, box=Box(x, top, pill.box.width, pill.box.height))
    return Column(lines=tuple(lines), button=moved, height=top + pill.box.height)


Row = Sequence[tuple[Role, Block]]


def _rows(
    words: Words, metrics: Metrics, area: Box, main: Block, drop: frozenset[Role]
) -> Iterator[Row | None]:
    """Top to bottom; None for a wanted part that does not fit the width."""

    def wanted(role: Role, text: str) -> bool:
        return bool(text) and role in metrics.column and role not in drop

    if wanted("eyebrow", words.eyebrow):
        block = _one_line(words.eyebrow, "Bold", metrics.small, area.width)
        yield [("eyebrow", block)] if block else None
    yield [("headline", main)]
    if wanted("body", words.body):
        body = fit(words.body, metrics.body, area.width) or fit(
            words.body.split(" · ")[0], metrics.body, area.width
        )
        yield [("body", body)] if body else None
    if wanted("price", words.price or words.rating):
        yield _price_row(words, metrics, area.width)


def _price_row(words: Words, metrics: Metrics, width: int) -> Row | None:
    row: list[tuple[Role, Block]] = []
    if words.price:
        price = _one_line(words.price, "ExtraBold", metrics.price, width)
        if price is None:
            return None
        row.append(("price", price))
    rating = _one_line(words.rating, "Bold", max(11, round(metrics.price * 0.72)), width)
    room = width - (row[0][1].width + round(metrics.price * 0.8) if row else 0) - metrics.price
    if words.rating and rating is not None and rating.width <= room:
        row.append(("rating", rating))
    return row or None


def _pile(rows: Sequence[Row], metrics: Metrics, area: Box, align: Align) -> tuple[list[Line], int]:
    lines: list[Line] = []
    y = 0
    for index, row in enumerate(rows):
        if index:
            y += _gap(rows[index - 1][0][0], row[0][0], metrics.gap)
        lines += _row_lines(row, y, metrics, area, align)
        y += max(block.height for _, block in row)
    return lines, y


def _row_lines(row: Row, y: int, metrics: Metrics, area: Box, align: Align) -> list[Line]:
    """One part, or price and rating on one baseline."""
    if len(row) == 1:
        role, block = row[0]
        star = role == "rating"
        shift = round(block.font_px * 1.3) if star else 0
        x = area.width // 2 + shift // 2 if align == "center" else shift
        return [Line(role=role, block=block, x=x, y=y, align=align, star=star)]
    (first, price), (second, rating) = row
    gap, room = round(metrics.price * 0.8), round(rating.font_px * 1.3)
    start = (area.width - price.width - gap - room - rating.width) // 2 if align == "center" else 0
    left = Line(role=first, block=price, x=start, y=y)
    right = Line(
        role=second,
        block=rating,
        x=start + price.width + gap + room,
        y=y + price.rise - rating.rise,
        star=True,
    )
    return [left, right]


def _gap(above: Role, below: Role, gap: int) -> int:
    if above == "eyebrow":
        return round(gap * 0.8)
    return round(gap * 1.5) if below in {"price", "rating"} else round(gap * 1.3)


def _one_line(text: str, weight: Weight, pixels: int, width: int) -> Block | None:
    if not text:
        return None
    for size in range(pixels, max(10, round(pixels * 0.75)) - 1, -1):
        block = set_lines((text,), weight, size, 1.2)
        if block.width <= width:
            return block
    return None


def _headline_px(column: Column) -> int:
    return next(line.block.font_px for line in column.lines if line.role == "headline")
