"""The brand's colours, voted for by the style sheets, the page's theme colour and the logo."""

import io
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import tinycss2
import tinycss2.color3
from msgspec import Struct
from PIL import Image

from signalbox_pipelines.ad_creative.design.colour import (
    Rgb,
    contrast,
    hex_of,
    hue_distance,
    luminance,
    mix,
    rgb,
    saturation,
)
from signalbox_pipelines.ad_creative.messages import Palette

_NEUTRAL: Final = (43, 52, 69)
_MAX_CSS_CHARS: Final = 400_000
_PRIMARY_WORDS: Final = ("primary", "brand", "main")
_ACCENT_WORDS: Final = ("accent", "secondary", "cta", "highlight", "action")
_BUTTON_WORDS: Final = ("button", "btn", "cta")


class Votes(Struct):
    """Weights per colour, by what the colour is wanted for."""

    primary: Counter[Rgb]
    accent: Counter[Rgb]
    paper: Counter[Rgb]


def choose_palette(css: Iterable[str], *, theme: str = "", logo: bytes | None = None) -> Palette:
    """Primary, accent and paper colour; a calm neutral where the page shows no colour of its own."""
    votes = Votes(Counter(), Counter(), Counter())
    for sheet in css:
        _read_sheet(sheet[:_MAX_CSS_CHARS], votes)
    sources = ["style sheet"] if votes.primary or votes.accent else []
    if theme_colour := _parse(theme):
        votes.primary[theme_colour] += 12
        sources.append("theme colour")
    for colour, share in logo_colours(logo) if logo else ():
        votes.primary[colour] += round(8 * share)
        votes.accent[colour] += round(3 * share)
        sources.append("logo")
    return _elect(votes, tuple(dict.fromkeys(sources)))


def logo_colours(body: bytes) -> list[tuple[Rgb, float]]:
    """The logo's visible colours with their share of its area, most first; nothing when it cannot be read."""
    try:
        with Image.open(io.BytesIO(body)) as image:
            image.thumbnail((160, 160))
            pixels = image.convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError):
        return []
    ink = Image.new("RGB", pixels.size, (255, 255, 255))
    ink.paste(pixels, mask=pixels.getchannel("A"))
    few = ink.quantize(8, method=Image.Quantize.MEDIANCUT).convert("RGB").getcolors() or []
    total = sum(count for count, _ in few)
    found = [
        ((colour[0], colour[1], colour[2]), count / total)
        for count, colour in few
        if isinstance(colour, tuple)
    ]
    vivid = [(colour, share) for colour, share in found if luminance(colour) < 0.8 and share > 0.02]
    return sorted(vivid, key=lambda item: -item[1])[:4]


def _read_sheet(css: str, votes: Votes) -> None:
    for rule in tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True):
        if rule.type != "qualified-rule":
            continue
        selector = tinycss2.serialize(rule.prelude).lower()
        for declaration in tinycss2.parse_blocks_contents(
            rule.content, skip_comments=True, skip_whitespace=True
        ):
            if declaration.type == "declaration":
                for token in declaration.value:
                    colour = _parse(token)
                    if colour:
                        _vote(votes, selector, declaration.lower_name, colour)


def _vote(votes: Votes, selector: str, name: str, colour: Rgb) -> None:
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


def _elect(votes: Votes, sources: tuple[str, ...]) -> Palette:
    primary = _winner(votes.primary, lambda colour: saturation(colour) > 0.18 and luminance(colour) < 0.45)
    ranked = primary or _NEUTRAL
    accent = _winner(
        votes.accent,
        lambda colour: saturation(colour) > 0.3 and _apart(colour, ranked) and luminance(colour) < 0.85,
    )
    paper = _winner(votes.paper, lambda colour: luminance(colour) > 0.75)
    return Palette(
        primary=hex_of(ranked),
        accent=hex_of(accent or _lively(ranked)),
        paper=hex_of(paper or mix(ranked, (255, 255, 255), 0.93)),
        sources=sources if primary or accent else ("none found: neutral colours",),
    )


def _winner(votes: Counter[Rgb], fits: Callable[[Rgb], bool]) -> Rgb | None:
    return next((colour for colour, weight in votes.most_common() if weight > 0 and fits(colour)), None)


def _apart(colour: Rgb, other: Rgb) -> bool:
    return hue_distance(colour, other) > 25 or contrast(colour, other) > 2.2


def _lively(primary: Rgb) -> Rgb:
    """An accent for a brand that shows one colour only: a warm orange, or a blue beside warm brands."""
    return rgb("#2463c9") if hue_distance(primary, rgb("#e8743b")) < 50 else rgb("#e8743b")


def _parse(value: object) -> Rgb | None:
    parsed = tinycss2.color3.parse_color(value) if value else None
    if not isinstance(parsed, tinycss2.color3.RGBA) or parsed.alpha < 0.6:
        return None
    red, green, blue = (min(255, max(0, round(channel * 255))) for channel in parsed[:3])
    return red, green, blue
