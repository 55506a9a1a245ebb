"""Lettering on drawn things and logos, in the pipelines' own font, so the package carries one font only once."""

from functools import cache
from importlib.resources import files
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from signalbox_devstack.world.shop.drawing.canvas import OVERSAMPLING, Canvas, Colour, Point


@cache
def font(pixels: int, weight: str = "ExtraBold") -> ImageFont.FreeTypeFont:
    body = (files("signalbox_pipelines.ad_creative") / "fonts" / f"Manrope-{weight}.ttf").read_bytes()
    return ImageFont.truetype(BytesIO(body), pixels)


def lettering(canvas: Canvas, text: str, centre: Point, height: float, ink: Colour) -> None:
    """Text whose middle is at `centre`; `height` is the font size."""
    mask = Image.new("L", canvas.image.size)
    at = (centre[0] * OVERSAMPLING, centre[1] * OVERSAMPLING)
    ImageDraw.Draw(mask).text(at, text, fill=255, font=font(round(height * OVERSAMPLING)), anchor="mm")
    canvas.fill(mask, ink)
