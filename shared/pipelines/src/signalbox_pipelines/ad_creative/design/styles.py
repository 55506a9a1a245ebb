"""The three styles as colours: what the ground is, and inks that are readable on it by calculation."""

from typing import Final

from msgspec import Struct

from signalbox_pipelines.ad_creative.design.colour import (
    WHITE,
    Rgb,
    contrast,
    label_on,
    luminance,
    mix,
    readable_on,
    rgb,
)
from signalbox_pipelines.ad_creative.messages import Palette, Style

_BLACK: Final[Rgb] = (8, 9, 12)


class Look(Struct, frozen=True, kw_only=True):
    """Colours of one ad: text at 7:1 on the ground where it can be, never below 4.5:1."""

    ground: Rgb
    headline: Rgb
    body: Rgb
    eyebrow: Rgb
    button: Rgb
    label: Rgb


def look_for(style: Style, palette: Palette) -> Look:
    """The colours of a style in a brand's palette: `studio` on paper, `bold` on the brand colour, `cover` on its deep shade."""
    primary, accent, paper = rgb(palette.primary), rgb(palette.accent), rgb(palette.paper)
    if style == "studio":
        return _on_light(paper, primary, accent)
    return _on_dark(
        _deep(primary, 5.5) if style == "bold" else _deep(mix(primary, _BLACK, 0.45), 12.0), accent
    )


def _on_light(paper: Rgb, primary: Rgb, accent: Rgb) -> Look:
    ground = paper if luminance(paper) > 0.75 else mix(paper, WHITE, 0.85)
    strong = readable_on(ground, primary, ratio=7)
    button = next((colour for colour in (accent, primary) if contrast(colour, ground) >= 1.9), strong)
    return Look(
        ground=ground,
        headline=strong,
        body=readable_on(ground, mix(strong, (110, 112, 118), 0.45), ratio=5),
        eyebrow=readable_on(ground, accent, ratio=4.5),
        button=button,
        label=label_on(button, mix(primary, _BLACK, 0.5)),
    )


def _on_dark(ground: Rgb, accent: Rgb) -> Look:
    button = accent if contrast(accent, ground) >= 2.6 else WHITE
    return Look(
        ground=ground,
        headline=WHITE,
        body=readable_on(ground, mix(WHITE, ground, 0.2), ratio=4.5),
        eyebrow=readable_on(ground, accent, ratio=4.5),
        button=button,
        label=label_on(button, mix(ground, _BLACK, 0.4)),
    )


def _deep(colour: Rgb, ratio: float) -> Rgb:
    """The colour, darkened only until white reads on it at `ratio`."""
    for step in range(21):
        darker = mix(colour, _BLACK, step / 20)
        if contrast(WHITE, darker) >= ratio:
            return darker
    return _BLACK
