"""The finished pictures: products in front of studio and everyday backgrounds."""

from collections.abc import Callable, Mapping
from typing import Final

from PIL import Image

from signalbox_devstack.world.shop.drawing.canvas import Canvas, Stops, colour
from signalbox_devstack.world.shop.drawing.machines import bicycle, lamp
from signalbox_devstack.world.shop.drawing.tableware import beans, coffee_bag, cup, steam


def coffee_hero() -> Image.Image:
    canvas = _studio(
        1200, 1200, wall=[(0, colour("#f7e3c0")), (1, colour("#eec588"))], table=[(0, colour("#d99f5c")), (1, colour("#b97d3f"))], edge=880
    )
    canvas.glow((430, 380), 700, colour("#fff7e4"), 0.75)
    coffee_bag(canvas, (600, 1010), 800)
    beans(canvas, (640, 1000), (230, 90), 26, 24)
    return canvas.finished()


def coffee_table() -> Image.Image:
    canvas = _studio(
        1600, 1000, wall=[(0, colour("#dfe9dd")), (1, colour("#bcd0bf"))], table=[(0, colour("#a9764a")), (1, colour("#7d5230"))], edge=690
    )
    canvas.glow((1150, 220), 800, colour("#fffbea"), 0.8)
    coffee_bag(canvas, (1130, 840), 660)
    cup(canvas, (690, 850), 230)
    steam(canvas, (690, 640), 260)
    beans(canvas, (930, 850), (190, 80), 22, 20)
    return canvas.finished()


def coffee_beans() -> Image.Image:
    canvas = _studio(
        1200, 900, wall=[(0, colour("#c98f52")), (1, colour("#a06a36"))], table=[(0, colour("#a06a36")), (1, colour("#70431f"))], edge=500
    )
    canvas.glow((600, 250), 700, colour("#ffe9c4"), 0.6)
    beans(canvas, (600, 260), (260, 420), 90, 46)
    return canvas.finished()


def cup_hero() -> Image.Image:
    canvas = _studio(
        1200, 1200, wall=[(0, colour("#e9eef8")), (1, colour("#c7d4ec"))], table=[(0, colour("#e7d9c3")), (1, colour("#cdb694"))], edge=800
    )
    canvas.glow((420, 330), 720, colour("#ffffff"), 0.85)
    cup(canvas, (580, 930), 400, colour("#6f9a3c"))
    steam(canvas, (580, 540), 330)
    return canvas.finished()


def cup_pair() -> Image.Image:
    canvas = _studio(
        1600, 1000, wall=[(0, colour("#2b4a8f")), (1, colour("#1c3166"))], table=[(0, colour("#d8c3a0")), (1, colour("#b99a6d"))], edge=640
    )
    canvas.glow((1000, 260), 780, colour("#8fb0ee"), 0.55)
    cup(canvas, (1230, 730), 240, colour("#6f9a3c"))
    cup(canvas, (800, 840), 330, colour("#8a5a2b"))
    steam(canvas, (800, 520), 280)
    return canvas.finished()


def bicycle_hero() -> Image.Image:
    canvas = _studio(
        1400, 1100, wall=[(0, colour("#cfe6f2")), (1, colour("#eaf4f7"))], table=[(0, colour("#d7dde2")), (1, colour("#b9c2ca"))], edge=840
    )
    canvas.fill(
        canvas.ellipse((700, 520), 430, 430), canvas.gradient([(0, colour("#ffd98a")), (1, colour("#ffb86b"))], start=90, end=950), 0.9
    )
    bicycle(canvas, (700, 900), 1080)
    return canvas.finished()


def bicycle_street() -> Image.Image:
    canvas = _studio(
        1600, 1000, wall=[(0, colour("#f6c8a4")), (1, colour("#f3dcc4"))], table=[(0, colour("#7c8797")), (1, colour("#596273"))], edge=800
    )
    for index, (left, high, paint) in enumerate(
        ((0, 420, "#e9a57c"), (230, 540, "#dd8f68"), (520, 380, "#e8ad86"), (900, 600, "#d98d6a"), (1240, 470, "#e6a680"))
    ):
        house = canvas.rounded((left, 800 - high, left + 300 + 30 * index, 801), 0)
        canvas.fill(house, canvas.gradient([(0, colour(paint)), (1, colour("#efc3a2"))], start=800 - high, end=800))
        for row in range(high // 130):
            for column in range(3):
                window = canvas.rounded(
                    (left + 40 + column * 85, 840 - high + row * 130, left + 85 + column * 85, 910 - high + row * 130), 22
                )
                canvas.fill(window, colour("#fff3dc"), 0.55)
    canvas.fill(canvas.rounded((0, 796, 1600, 808), 0), colour("#8f7a6b"), 0.6)
    canvas.glow((1300, 160), 620, colour("#fff3d6"), 0.8)
    bicycle(canvas, (930, 890), 900)
    return canvas.finished()


def lamp_hero() -> Image.Image:
    canvas = _studio(
        1200, 1200, wall=[(0, colour("#152531")), (1, colour("#24414f"))], table=[(0, colour("#5a3d28")), (1, colour("#33210f"))], edge=930
    )
    canvas.glow((760, 560), 760, colour("#e7b463"), 0.5)
    lamp(canvas, (520, 1040), 860)
    return canvas.finished()


def lamp_desk() -> Image.Image:
    canvas = _studio(
        1600, 1000, wall=[(0, colour("#1d2f3b")), (1, colour("#31505d"))], table=[(0, colour("#6d4a30")), (1, colour("#3d2816"))], edge=730
    )
    canvas.glow((1130, 470), 740, colour("#f0be6b"), 0.5)
    lamp(canvas, (940, 850), 700)
    for index, paint in enumerate(("#b5483a", "#e8d7b5", "#3d6f7c")):
        book = canvas.rounded((300 + 14 * index, 838 - 44 * index, 640 - 20 * index, 880 - 44 * index), 6)
        canvas.shadow(book, offset=(6, 10), blur=10, opacity=0.4)
        canvas.fill(book, canvas.gradient([(0, colour(paint)), (1, colour("#2b1b10"))], start=300, end=1500, across=True))
    return canvas.finished()


PICTURES: Final[Mapping[str, Callable[[], Image.Image]]] = {
    "coffee-hero": coffee_hero,
    "coffee-table": coffee_table,
    "coffee-beans": coffee_beans,
    "cup-hero": cup_hero,
    "cup-pair": cup_pair,
    "bicycle-hero": bicycle_hero,
    "bicycle-street": bicycle_street,
    "lamp-hero": lamp_hero,
    "lamp-desk": lamp_desk,
}


def _studio(width: int, height: int, *, wall: Stops, table: Stops, edge: float) -> Canvas:
    """A wall above a table whose far edge is out of focus."""
    canvas = Canvas(width, height)
    canvas.fill(canvas.everything(), canvas.gradient(wall, start=0, end=edge))
    surface = canvas.rounded((-100, edge, width + 100, height + 200), 0)
    canvas.shadow(surface, offset=(0, -6), blur=26, opacity=0.25)
    canvas.fill(canvas.soften(surface, 5), canvas.gradient(table, start=edge, end=height))
    return canvas
