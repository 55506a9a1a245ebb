"""Colour arithmetic: WCAG luminance and contrast, hue distance, mixing, and making a colour readable. Pure."""

import colorsys
from typing import Final

Rgb = tuple[int, int, int]
WHITE: Final[Rgb] = (255, 255, 255)


def rgb(text: str) -> Rgb:
    """`#rrggbb` as numbers."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def hex_of(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def luminance(colour: Rgb) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: Rgb, second: Rgb) -> float:
    """Contrast ratio, 1 to 21 (WCAG 2.2 §1.4.3)."""
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    """`share` of the second colour."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def saturation(colour: Rgb) -> float:
    return colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))[1]


def hue_distance(first: Rgb, second: Rgb) -> float:
    """Degrees between the hues, 0 to 180."""
    one, other = (
        colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))[0] * 360 for colour in (first, second)
    )
    apart = abs(one - other)
    return min(apart, 360 - apart)


def readable_on(ground: Rgb, wanted: Rgb, *, ratio: float = 4.5) -> Rgb:
    """`wanted`, moved towards white or black only as far as the contrast on `ground` asks."""
    target: Rgb = max(WHITE, (0, 0, 0), key=lambda end: contrast(end, ground))
    for step in range(21):
        moved = mix(wanted, target, step / 20)
        if contrast(moved, ground) >= ratio:
            return moved
    return target


def label_on(ground: Rgb, ink: Rgb) -> Rgb:
    """White where it reads on a button of colour `ground`, else `ink`, else black: one of them always reads at 4.5:1."""
    return next((label for label in (WHITE, ink) if contrast(label, ground) >= 4.5), (0, 0, 0))


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
