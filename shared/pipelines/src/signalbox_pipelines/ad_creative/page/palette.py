"""Chooses the colours of a brand by weighted votes from style sheets, the theme colour and the logo."""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import tinycss2
import tinycss2.color3
from msgspec import Struct
from PIL import Image

from signalbox_core.formats.pictures import DAMAGED_PICTURE
from signalbox_pipelines.ad_creative.design.colour import (
    Rgb,
    contrast,
    hue_distance,
    luminance,
    mix,
    parse_hex,
    saturation,
    to_hex,
)
from signalbox_pipelines.ad_creative.messages import Palette

_UNREADABLE: Final[tuple[type[Exception], ...]] = (*DAMAGED_PICTURE, Image.DecompressionBombError)
_NEUTRAL: Final = (43, 52, 69)
MAX_CSS_CHARS: Final = 1_000_000
"""Of all style sheets of a page together; what follows is not read."""
_MAX_CSS_DEPTH: Final = 64
_BRACKET: Final = re.compile(r"[({\[]|[)}\]]")
_PRIMARY_WORDS: Final = ("primary", "brand", "main")
_ACCENT_WORDS: Final = ("accent", "secondary", "cta", "highlight", "action")
_BUTTON_WORDS: Final = ("button", "btn", "cta")


class ColourVotes(Struct):
    """The weight of each colour, per role."""

    primary: Counter[Rgb]
    accent: Counter[Rgb]
    paper: Counter[Rgb]


def choose_palette(css: Iterable[str], theme: str = "", logo: bytes | None = None) -> Palette:
    """Choose primary, accent and paper colour; neutral colours if the page has none."""
    votes = ColourVotes(Counter(), Counter(), Counter())
    left = MAX_CSS_CHARS
    for sheet in css:
        if left > 0 and _css_depth(sheet[:left]) <= _MAX_CSS_DEPTH:
            _read_sheet(sheet[:left], votes)
        left -= len(sheet)
    sources = ["style sheet"] if votes.primary or votes.accent else []
    if theme_colour := _parse(theme):
        votes.primary[theme_colour] += 12
        sources.append("theme colour")
    for colour, share in logo_colours(logo) if logo else ():
        votes.primary[colour] += round(8 * share)
        votes.accent[colour] += round(3 * share)
        sources.append("logo")
    return _choose_winners(votes, tuple(dict.fromkeys(sources)))


def logo_colours(body: bytes) -> list[tuple[Rgb, float]]:
    """Return the visible colours of a logo with their share of its area; none if it is unreadable."""
    try:
        with Image.open(io.BytesIO(body)) as image:
            image.thumbnail((160, 160))
            pixels = image.convert("RGBA")
    except _UNREADABLE:
        return []
    ink = Image.new("RGB", pixels.size, (255, 255, 255))
    ink.paste(pixels, mask=pixels.getchannel("A"))
    quantised = ink.quantize(8, method=Image.Quantize.MEDIANCUT).convert("RGB").getcolors() or []
    total = sum(count for count, _ in quantised)
    found = [
        ((colour[0], colour[1], colour[2]), count / total)
        for count, colour in quantised
        if isinstance(colour, tuple)
    ]
    vivid = [(colour, share) for colour, share in found if luminance(colour) < 0.8 and share > 0.02]
    return sorted(vivid, key=lambda item: -item[1])[:4]


def _css_depth(css: str) -> int:
    """The deepest nesting of brackets; the parser recurses as deep."""
    depth = deepest = 0
    for bracket in _BRACKET.finditer(css):
        depth = depth + 1 if bracket[0] in "({[" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _read_sheet(css: str, votes: ColourVotes) -> None:
    for css_rule in tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True):
        if css_rule.type != "qualified-rule":
            continue
        selector = tinycss2.serialize(css_rule.prelude).lower()
        for declaration in tinycss2.parse_blocks_contents(
            css_rule.content, skip_comments=True, skip_whitespace=True
        ):
            if declaration.type == "declaration":
                for token in declaration.value:
                    colour = _parse(token)
                    if colour:
                        _vote(votes, selector, declaration.lower_name, colour)


def _vote(votes: ColourVotes, selector: str, name: str, colour: Rgb) -> None:
    if name.startswith("--"):
        votes.primary[colour] += 20 if any(word in name for word in _PRIMARY_WORDS) else 0
        votes.accent[colour] += 20 if any(word in name for word in _ACCENT_WORDS) else 0
        votes.paper[colour] += (
            10 if any(word in name for word in ("paper", "background", "surface", "-bg")) else 0
        )
    elif name.startswith("background"):
        is_page = selector.strip() in ("body", "html", ":root", "main")
        votes.paper[colour] += 12 if is_page else 1
        votes.accent[colour] += (
            10 if any(word in selector for word in _BUTTON_WORDS) and ":" not in selector else 1
        )
        votes.primary[colour] += 2
    elif name in ("color", "border-color", "border-bottom", "border", "fill"):
        votes.primary[colour] += 3 if any(word in selector for word in ("h1", "header", "logo", "nav")) else 1
        votes.accent[colour] += 1


def _choose_winners(votes: ColourVotes, sources: tuple[str, ...]) -> Palette:
    primary = _top_voted(votes.primary, lambda colour: saturation(colour) > 0.18 and luminance(colour) < 0.45)
    base = primary or _NEUTRAL
    accent = _top_voted(
        votes.accent,
        lambda colour: saturation(colour) > 0.3 and _is_distinct(colour, base) and luminance(colour) < 0.85,
    )
    paper = _top_voted(votes.paper, lambda colour: luminance(colour) > 0.75)
    return Palette(
        primary=to_hex(base),
        accent=to_hex(accent or _fallback_accent(base)),
        paper=to_hex(paper or mix(base, (255, 255, 255), 0.93)),
        sources=sources if primary or accent else ("none found: neutral colours",),
    )


def _top_voted(votes: Counter[Rgb], fits: Callable[[Rgb], bool]) -> Rgb | None:
    return next((colour for colour, weight in votes.most_common() if weight > 0 and fits(colour)), None)


def _is_distinct(colour: Rgb, other: Rgb) -> bool:
    return hue_distance(colour, other) > 25 or contrast(colour, other) > 2.2


def _fallback_accent(primary: Rgb) -> Rgb:
    """Return an accent for a brand with one colour: orange, or blue if the primary colour is warm."""
    return parse_hex("#2463c9") if hue_distance(primary, parse_hex("#e8743b")) < 50 else parse_hex("#e8743b")


def _parse(value: object) -> Rgb | None:
    parsed = tinycss2.color3.parse_color(value) if value else None
    if not isinstance(parsed, tinycss2.color3.RGBA) or parsed.alpha < 0.6:
        return None
    red, green, blue = (min(255, max(0, round(channel * 255))) for channel in parsed[:3])
    return red, green, blue
