"""Colour schemes of the three styles: background, button, and text colours with sufficient contrast."""

from typing import Final

from msgspec import Struct

from signalbox_pipelines.ad_creative.design.colour import (
    WHITE,
    Rgb,
    contrast,
    label_colour_on,
    luminance,
    mix,
    parse_hex,
    readable_on,
)
from signalbox_pipelines.ad_creative.messages import Palette, Style

_BLACK: Final[Rgb] = (8, 9, 12)


class ColourScheme(Struct, frozen=True, kw_only=True):
    """The colours of an ad. Text has a contrast of at least 4.5:1 on the background."""

    background: Rgb
    headline: Rgb
    body: Rgb
    eyebrow: Rgb
    button: Rgb
    label: Rgb


def colour_scheme_for(style: Style, palette: Palette) -> ColourScheme:
    """Return the colours of a style:

    `studio` on paper, `bold` on the primary colour, `cover` on a dark shade of it.
    """
    primary, accent, paper = parse_hex(palette.primary), parse_hex(palette.accent), parse_hex(palette.paper)
    if style == "studio":
        return _on_light(paper, primary, accent)
    return _on_dark(
        _deep(primary, 5.5) if style == "bold" else _deep(mix(primary, _BLACK, 0.45), 12.0), accent
    )


def _on_light(paper: Rgb, primary: Rgb, accent: Rgb) -> ColourScheme:
    background = paper if luminance(paper) > 0.75 else mix(paper, WHITE, 0.85)
    strong = readable_on(background, primary, ratio=7)
    button = next((colour for colour in (accent, primary) if contrast(colour, background) >= 1.9), strong)
    return ColourScheme(
        background=background,
        headline=strong,
        body=readable_on(background, mix(strong, (110, 112, 118), 0.45), ratio=5),
        eyebrow=readable_on(background, accent, ratio=4.5),
        button=button,
        label=label_colour_on(button, mix(primary, _BLACK, 0.5)),
    )


def _on_dark(background: Rgb, accent: Rgb) -> ColourScheme:
    button = accent if contrast(accent, background) >= 2.6 else WHITE
    return ColourScheme(
        background=background,
        headline=WHITE,
        body=readable_on(background, mix(WHITE, background, 0.2), ratio=4.5),
        eyebrow=readable_on(background, accent, ratio=4.5),
        button=button,
        label=label_colour_on(button, mix(background, _BLACK, 0.4)),
    )


def _deep(colour: Rgb, ratio: float) -> Rgb:
    """Darken a colour only until white has a contrast of `ratio` on it."""
    for step in range(21):
        darker = mix(colour, _BLACK, step / 20)
        if contrast(WHITE, darker) >= ratio:
            return darker
    return _BLACK
