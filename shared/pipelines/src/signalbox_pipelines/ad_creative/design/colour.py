"""Colour arithmetic: WCAG luminance and contrast, hue distance, mixing, readable colours. Pure."""

import colorsys
from typing import Final

Rgb = tuple[int, int, int]
WHITE: Final[Rgb] = (255, 255, 255)


def parse_hex(text: str) -> Rgb:
    """Parse `#rrggbb`."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def to_hex(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def luminance(colour: Rgb) -> float:
    """Return the relative luminance, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: Rgb, second: Rgb) -> float:
    """Return the contrast ratio, 1 to 21 (WCAG 2.2 §1.4.3)."""
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    """Mix two colours; `share` is the part of the second one, 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def saturation(colour: Rgb) -> float:
    return colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))[1]


def hue_distance(first: Rgb, second: Rgb) -> float:
    """Return the angle between two hues in degrees, 0 to 180."""
    one, other = (
        colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))[0] * 360 for colour in (first, second)
    )
    apart = abs(one - other)
    return min(apart, 360 - apart)


def readable_on(background: Rgb, wanted: Rgb, *, ratio: float = 4.5) -> Rgb:
    """Shift `wanted` towards white or black, as little as a contrast of `ratio` requires."""
    target: Rgb = max(WHITE, (0, 0, 0), key=lambda end: contrast(end, background))
    for step in range(21):
        moved = mix(wanted, target, step / 20)
        if contrast(moved, background) >= ratio:
            return moved
    return target


def label_colour_on(background: Rgb, ink: Rgb) -> Rgb:
    """Return the first of white, `ink` and black that has a contrast of at least 4.5:1 on the background."""
    return next((label for label in (WHITE, ink) if contrast(label, background) >= 4.5), (0, 0, 0))


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
