"""A supersampled canvas: shapes as masks, painted with gradients, shaded and dropped on soft shadows."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Point = tuple[float, float]
Stops = Sequence[tuple[float, Colour]]
OVERSAMPLING: Final = 2


def colour(text: str) -> Colour:
    """`#rrggbb` as numbers."""
    return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))


class Canvas:
    """Coordinates are those of the finished picture; everything is drawn larger and reduced at the end."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._scale = OVERSAMPLING
        self._pixels = (width * OVERSAMPLING, height * OVERSAMPLING)
        self.image = Image.new("RGB", self._pixels)

    # masks

    def polygon(self, points: Sequence[Point]) -> Image.Image:
        mask, draw = self._mask()
        draw.polygon([self._at(point) for point in points], fill=255)
        return mask

    def ellipse(self, centre: Point, rx: float, ry: float) -> Image.Image:
        mask, draw = self._mask()
        draw.ellipse(self._box(centre, rx, ry), fill=255)
        return mask

    def ring(self, centre: Point, rx: float, ry: float, thickness: float) -> Image.Image:
        return ImageChops.subtract(self.ellipse(centre, rx, ry), self.ellipse(centre, rx - thickness, ry - thickness))

    def rounded(self, box: tuple[float, float, float, float], radius: float) -> Image.Image:
        mask, draw = self._mask()
        draw.rounded_rectangle([value * self._scale for value in box], radius * self._scale, fill=255)
        return mask

    def stroke(self, points: Sequence[Point], thickness: float) -> Image.Image:
        """A line with round ends and joints."""
        mask, draw = self._mask()
        scaled = [self._at(point) for point in points]
        draw.line(scaled, fill=255, width=round(thickness * self._scale), joint="curve")
        radius = thickness * self._scale / 2
        for x, y in scaled:
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
        return mask

    # paint

    def fill(self, mask: Image.Image, paint: Colour | Image.Image, opacity: float = 1.0) -> None:
        ink = Image.new("RGB", self._pixels, paint) if isinstance(paint, tuple) else paint
        self.image.paste(ink, (0, 0), self._faded(mask, opacity))

    def gradient(self, stops: Stops, *, start: float, end: float, across: bool = False) -> Image.Image:
        """Colours from coordinate `start` to `end`, downwards or across."""
        length = self._pixels[0] if across else self._pixels[1]
        line = Image.new("RGB", (length, 1) if across else (1, length))
        for index in range(length):
            share = (index / self._scale - start) / (end - start)
            line.putpixel((index, 0) if across else (0, index), _between(stops, share))
        return line.resize(self._pixels)

    def glow(self, centre: Point, radius: float, ink: Colour, opacity: float) -> None:
        """Light that fades out from a point."""
        side = round(radius * 2 * self._scale)
        # Pillow's gradient is 181 at the middle of an edge and 255 only in the corners
        fading = [round(255 * max(0.0, 1 - value / 181) ** 1.6 * opacity) for value in range(256)]
        disc = Image.radial_gradient("L").resize((side, side), Image.Resampling.BICUBIC).point(fading)
        mask = Image.new("L", self._pixels)
        x, y = self._at(centre)
        mask.paste(disc, (round(x - side / 2), round(y - side / 2)))
        self.image.paste(Image.new("RGB", self._pixels, ink), (0, 0), mask)

    def shadow(
        self, mask: Image.Image, *, offset: Point = (0, 18), blur: float = 24, opacity: float = 0.35, ink: Colour = (20, 14, 10)
    ) -> None:
        moved = ImageChops.offset(mask, round(offset[0] * self._scale), round(offset[1] * self._scale))
        soft = _quick_blur(moved, blur * self._scale)
        self.fill(soft, ink, opacity)

    def inside(self, mask: Image.Image, other: Image.Image) -> Image.Image:
        return ImageChops.multiply(mask, other)

    def soften(self, mask: Image.Image, blur: float) -> Image.Image:
        return _quick_blur(mask, blur * self._scale)

    def everything(self) -> Image.Image:
        return Image.new("L", self._pixels, 255)

    def finished(self) -> Image.Image:
        return self.image.resize((self.width, self.height), Image.Resampling.LANCZOS)

    def _mask(self) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        mask = Image.new("L", self._pixels)
        return mask, ImageDraw.Draw(mask)

    def _at(self, point: Point) -> Point:
        return point[0] * self._scale, point[1] * self._scale

    def _box(self, centre: Point, rx: float, ry: float) -> list[float]:
        return [
            (centre[0] - rx) * self._scale,
            (centre[1] - ry) * self._scale,
            (centre[0] + rx) * self._scale,
            (centre[1] + ry) * self._scale,
        ]

    def _faded(self, mask: Image.Image, opacity: float) -> Image.Image:
        return mask if opacity >= 1 else mask.point([round(value * opacity) for value in range(256)])


def _quick_blur(mask: Image.Image, radius: float) -> Image.Image:
    """A wide blur of a reduced copy looks the same and takes a sixteenth of the time."""
    shrink = 4 if radius > 16 else 1
    small = mask.resize((mask.width // shrink, mask.height // shrink), Image.Resampling.BOX) if shrink > 1 else mask
    return small.filter(ImageFilter.GaussianBlur(radius / shrink)).resize(mask.size, Image.Resampling.BICUBIC)


def _between(stops: Stops, share: float) -> Colour:
    if share <= stops[0][0]:
        return stops[0][1]
    for (left, first), (right, second) in pairwise(stops):
        if share <= right:
            part = (share - left) / (right - left)
            red, green, blue = (round(a + (b - a) * part) for a, b in zip(first, second, strict=True))
            return red, green, blue
    return stops[-1][1]
