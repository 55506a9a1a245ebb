"""The shops' logos: a mark and the name, on a transparent ground."""

from collections.abc import Mapping
from typing import Final

from PIL import Image, ImageDraw

from signalbox_devstack.world.shop.drawing.canvas import Colour, colour
from signalbox_devstack.world.shop.drawing.letters import font

LOGOS: Final[Mapping[str, tuple[str, str, str]]] = {
    "suong-mai": ("Sương Mai", "#1f4a3a", "#e08a2b"),
    "gom-lam": ("Gốm Lam", "#27407f", "#3f63b5"),
    "veloria": ("Veloria", "#1c2233", "#f0563f"),
    "dom-dom": ("Đom Đóm", "#17394a", "#d9a441"),
}


def logo(name: str) -> Image.Image:
    """The logo by its key, about 700 × 200 pixels."""
    text, ink, accent = LOGOS[name]
    letters = font(480, "ExtraBold")
    left, top, right, bottom = letters.getbbox(text)
    height = 720
    image = Image.new("RGBA", (round(right - left) + 900, height), (*colour(ink), 0))
    draw = ImageDraw.Draw(image)
    _MARKS[name](draw, colour(ink), colour(accent))
    draw.text((760 - left, height / 2 - (top + bottom) / 2), text, font=letters, fill=(*colour(ink), 255))
    box = image.getbbox()
    small = image.crop(box) if box else image
    return small.resize((round(small.width * 180 / small.height), 180), Image.Resampling.LANCZOS)


def _mist(draw: ImageDraw.ImageDraw, ink: Colour, accent: Colour) -> None:
    draw.ellipse([190, 110, 470, 390], fill=accent)
    draw.polygon([(60, 600), (300, 250), (420, 420), (500, 330), (640, 600)], fill=ink)


def _bowl(draw: ImageDraw.ImageDraw, ink: Colour, accent: Colour) -> None:
    draw.pieslice([70, 60, 630, 620], 0, 180, fill=ink)
    draw.rounded_rectangle([240, 590, 460, 650], 20, fill=ink)
    draw.ellipse([300, 90, 400, 290], fill=accent)


def _wheel(draw: ImageDraw.ImageDraw, ink: Colour, accent: Colour) -> None:
    draw.ellipse([70, 80, 630, 640], outline=accent, width=80)
    draw.line([(190, 230), (350, 520), (510, 230)], fill=ink, width=84, joint="curve")


def _firefly(draw: ImageDraw.ImageDraw, ink: Colour, accent: Colour) -> None:
    draw.ellipse([120, 120, 580, 580], fill=ink)
    draw.ellipse([260, 240, 440, 420], fill=accent)
    for end in ((350, 20), (350, 690), (20, 350), (680, 350)):
        middle = ((350 * 2 + end[0] * 5) / 7, (350 * 2 + end[1] * 5) / 7)
        draw.line([middle, end], fill=accent, width=40)


_MARKS: Final = {"suong-mai": _mist, "gom-lam": _bowl, "veloria": _wheel, "dom-dom": _firefly}
