"""The coffee bag and the ceramic cup."""

import math
from random import Random

from signalbox_devstack.world.shop.drawing.canvas import Canvas, Colour, Point, colour
from signalbox_devstack.world.shop.drawing.letters import lettering

CREAM, BEAN, GREEN, AMBER, INDIGO = colour("#f6ecd9"), colour("#4a2a18"), colour("#1f4a3a"), colour("#e9a23b"), colour("#27407f")


def coffee_bag(canvas: Canvas, base: Point, height: float) -> None:
    """A stand-up pouch whose bottom centre is at `base`."""
    x, y = base
    half, top = height * 0.31, y - height
    outline = _pouch(x, y, half, height)
    canvas.shadow(canvas.ellipse((x, y - 4), half * 1.15, height * 0.045), offset=(0, 6), blur=height * 0.03, opacity=0.55)
    body = canvas.polygon(outline)
    canvas.shadow(body, offset=(height * 0.05, height * 0.02), blur=height * 0.06, opacity=0.28)
    across = [
        (0.0, colour("#0f2a20")),
        (0.12, colour("#2c6450")),
        (0.38, colour("#2a5d4a")),
        (0.62, GREEN),
        (0.9, colour("#16382b")),
        (1.0, colour("#0c211a")),
    ]
    canvas.fill(body, canvas.gradient(across, start=x - half, end=x + half, across=True))
    gleam = canvas.soften(
        canvas.polygon(
            [
                (x - half * 0.8, top + height * 0.1),
                (x - half * 0.62, top + height * 0.1),
                (x - half * 0.66, y - height * 0.06),
                (x - half * 0.82, y - height * 0.06),
            ]
        ),
        height * 0.02,
    )
    canvas.fill(canvas.inside(gleam, body), (255, 255, 255), 0.22)
    seal = canvas.inside(body, canvas.rounded((x - half * 1.1, top - 2, x + half * 1.1, top + height * 0.075), 0))
    canvas.fill(seal, canvas.gradient([(0, colour("#3a7a63")), (1, colour("#1c4637"))], start=top, end=top + height * 0.075))
    for index in range(5):
        line = canvas.stroke(
            [(x - half, top + height * (0.012 + 0.014 * index)), (x + half, top + height * (0.012 + 0.014 * index))], height * 0.003
        )
        canvas.fill(canvas.inside(line, body), (10, 30, 22), 0.35)
    _bag_label(canvas, (x, y - height * 0.45), height)


def _pouch(x: float, y: float, half: float, height: float) -> list[Point]:
    left, right = [], []
    for index in range(33):
        share = index / 32
        bulge = 0.86 + 0.14 * math.sin(math.pi * min(share * 1.15, 1.0)) ** 0.6 + (0.05 if share > 0.97 else 0)
        wave = half * min(bulge, 1.0) * (1 - 0.05 * math.cos(share * math.pi))
        left.append((x - wave, y - height + share * height))
        right.append((x + wave, y - height + share * height))
    bottom = [
        (x + half * 0.9 * math.cos(angle), y + height * 0.018 * math.sin(angle)) for angle in (math.pi * step / 16 for step in range(17))
    ]
    return left + list(reversed(bottom)) + list(reversed(right))


def _bag_label(canvas: Canvas, centre: Point, height: float) -> None:
    x, y = centre
    wide, high = height * 0.2, height * 0.25
    paper = canvas.rounded((x - wide, y - high, x + wide, y + high), height * 0.02)
    canvas.shadow(paper, offset=(0, height * 0.006), blur=height * 0.01, opacity=0.35)
    canvas.fill(
        paper,
        canvas.gradient(
            [(0, colour("#efe2c8")), (0.4, colour("#fbf3e2")), (1, colour("#e6d6b8"))], start=x - wide, end=x + wide, across=True
        ),
    )
    sun = canvas.inside(canvas.ellipse((x, y - high * 0.3), wide * 0.42, wide * 0.42), paper)
    canvas.fill(sun, canvas.gradient([(0, colour("#f3bd5b")), (1, colour("#df8427"))], start=y - high * 0.6, end=y))
    far = canvas.polygon(
        [
            (x - wide, y + high * 0.12),
            (x - wide * 0.45, y - high * 0.28),
            (x - wide * 0.1, y),
            (x + wide * 0.4, y - high * 0.2),
            (x + wide, y + high * 0.12),
        ]
    )
    near = canvas.polygon(
        [
            (x - wide, y + high * 0.16),
            (x - wide * 0.7, y),
            (x - wide * 0.2, y + high * 0.12),
            (x + wide * 0.2, y - high * 0.08),
            (x + wide, y + high * 0.16),
        ]
    )
    canvas.fill(canvas.inside(far, paper), colour("#5f8f7c"))
    canvas.fill(canvas.inside(near, paper), GREEN)
    lettering(canvas, "SƯƠNG MAI", (x, y + high * 0.42), high * 0.24, GREEN)
    lettering(canvas, "ARABICA · ĐÀ LẠT", (x, y + high * 0.66), high * 0.105, colour("#8a5a2b"))
    canvas.fill(canvas.stroke([(x - wide * 0.5, y + high * 0.8), (x + wide * 0.5, y + high * 0.8)], height * 0.003), AMBER)


def beans(canvas: Canvas, centre: Point, spread: Point, count: int, size: float) -> None:
    """Scattered roasted beans; the same every time."""
    dice = Random(7)
    spots = sorted(
        ((centre[0] + dice.gauss(0, 1) * spread[0], centre[1] + dice.random() * spread[1], dice.random() * math.pi) for _ in range(count)),
        key=lambda spot: spot[1],
    )
    for x, y, turn in spots:
        _bean(canvas, (x, y), size * (0.85 + 0.3 * dice.random()), turn)


def _bean(canvas: Canvas, centre: Point, size: float, turn: float) -> None:
    body = canvas.polygon(_turned(centre, size, size * 0.66, turn))
    canvas.shadow(body, offset=(size * 0.12, size * 0.3), blur=size * 0.25, opacity=0.45)
    shade = [(0, colour("#8a5433")), (0.5, BEAN), (1, colour("#25130a"))]
    canvas.fill(body, canvas.gradient(shade, start=centre[1] - size, end=centre[1] + size))
    bend = [(t * size * 0.92, math.sin(t * 2.6) * size * 0.16) for t in (index / 8 - 1 for index in range(17))]
    crease = [(centre[0] + u * math.cos(turn) - v * math.sin(turn), centre[1] + u * math.sin(turn) + v * math.cos(turn)) for u, v in bend]
    canvas.fill(canvas.inside(canvas.stroke(crease, size * 0.13), body), colour("#1d0e06"))


def _turned(centre: Point, rx: float, ry: float, turn: float) -> list[Point]:
    angles = [math.tau * step / 40 for step in range(40)]
    return [
        (
            centre[0] + rx * math.cos(a) * math.cos(turn) - ry * math.sin(a) * math.sin(turn),
            centre[1] + rx * math.cos(a) * math.sin(turn) + ry * math.sin(a) * math.cos(turn),
        )
        for a in angles
    ]


def cup(canvas: Canvas, base: Point, height: float, drink: Colour = BEAN) -> None:
    """A white cup with hand-painted indigo leaves on a saucer; its foot stands at `base`."""
    x, y = base
    rim, foot, top = height * 0.56, height * 0.36, y - height
    saucer = canvas.ellipse((x, y + height * 0.02), height * 0.92, height * 0.2)
    canvas.shadow(saucer, offset=(height * 0.04, height * 0.1), blur=height * 0.07, opacity=0.4)
    canvas.fill(saucer, canvas.gradient([(0, colour("#ffffff")), (1, colour("#cfd6e4"))], start=y - height * 0.2, end=y + height * 0.22))
    canvas.fill(canvas.ring((x, y + height * 0.01), height * 0.84, height * 0.17, height * 0.014), INDIGO, 0.75)
    canvas.shadow(
        canvas.ellipse((x, y + height * 0.01), foot * 1.2, height * 0.08),
        offset=(height * 0.06, height * 0.03),
        blur=height * 0.04,
        opacity=0.35,
    )
    handle = canvas.ring((x + rim * 1.0, y - height * 0.56), height * 0.3, height * 0.28, height * 0.085)
    canvas.fill(
        handle,
        canvas.gradient(
            [(0, colour("#ffffff")), (0.6, colour("#dfe4ee")), (1, colour("#aeb8cc"))], start=y - height * 0.85, end=y - height * 0.25
        ),
    )
    body = canvas.polygon(_bowl(x, y, rim, foot, height))
    clay = [(0, colour("#c9d0df")), (0.16, colour("#f6f8fc")), (0.42, colour("#ffffff")), (0.75, colour("#e3e8f1")), (1, colour("#a9b3c8"))]
    canvas.fill(body, canvas.gradient(clay, start=x - rim, end=x + rim, across=True))
    _leaves(canvas, (x - rim * 0.1, y - height * 0.45), height * 0.4, body)
    canvas.fill(
        canvas.ellipse((x, top), rim, height * 0.15),
        canvas.gradient([(0, colour("#d5dbe8")), (1, colour("#ffffff"))], start=top - height * 0.15, end=top + height * 0.15),
    )
    canvas.fill(canvas.ring((x, top), rim, height * 0.15, height * 0.018), INDIGO, 0.9)
    surface = canvas.ellipse((x, top + height * 0.012), rim * 0.9, height * 0.115)
    darker: Colour = (drink[0] // 2, drink[1] // 2, drink[2] // 2)
    canvas.fill(surface, canvas.gradient([(0, darker), (1, drink)], start=top - height * 0.1, end=top + height * 0.13))
    canvas.fill(
        canvas.inside(
            canvas.soften(canvas.ellipse((x - rim * 0.3, top - height * 0.02), rim * 0.4, height * 0.03), height * 0.02), surface
        ),
        (255, 235, 205),
        0.4,
    )


def _bowl(x: float, y: float, rim: float, foot: float, height: float) -> list[Point]:
    side = [
        (foot + (rim - foot) * math.sin(share * math.pi / 2) ** 0.75, y - share * height) for share in (step / 24 for step in range(25))
    ]
    under = [(x + foot * math.cos(a), y + height * 0.05 * math.sin(a)) for a in (math.pi * step / 16 for step in range(17))]
    return [(x + half, at) for half, at in reversed(side)] + under + [(x - half, at) for half, at in side]


def _leaves(canvas: Canvas, centre: Point, size: float, within: object) -> None:
    from PIL import Image

    assert isinstance(within, Image.Image)
    x, y = centre
    stem = [
        (x - size * 0.55 + size * 1.15 * t, y + size * 0.62 - size * 1.15 * t + math.sin(t * 3) * size * 0.12)
        for t in (step / 20 for step in range(21))
    ]
    canvas.fill(canvas.inside(canvas.stroke(stem, size * 0.035), within), INDIGO)
    for index, (px, py) in enumerate(stem[3:20:3]):
        for side in (-1, 1):
            turn = -0.75 + side * (0.75 + 0.05 * index)
            length = size * (0.36 - 0.03 * index)
            tip = (px + math.cos(turn) * length * 0.55, py + math.sin(turn) * length * 0.55)
            leaf = canvas.polygon(_turned(tip, length * 0.56, length * 0.17, turn))
            canvas.fill(canvas.inside(leaf, within), INDIGO if index % 2 else colour("#3f63b5"), 0.92)


def steam(canvas: Canvas, base: Point, height: float) -> None:
    """Three wisps of warm air."""
    for index, lean in enumerate((-0.22, 0.0, 0.2)):
        wisp = [
            (base[0] + lean * height * 0.7 + math.sin(t * 5 + index) * height * 0.07, base[1] - t * height * (0.8 + 0.1 * index))
            for t in (step / 24 for step in range(25))
        ]
        canvas.fill(canvas.soften(canvas.stroke(wisp, height * 0.035), height * 0.035), (255, 255, 255), 0.5)
