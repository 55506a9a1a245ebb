"""The bicycle and the desk lamp."""

import math

from signalbox_devstack.world.shop.drawing.canvas import Canvas, Point, colour

INK, CORAL, STEEL, LEATHER, BRASS = colour("#1c2233"), colour("#f0563f"), colour("#c9ced8"), colour("#8a5230"), colour("#d9a441")


def bicycle(canvas: Canvas, base: Point, length: float) -> None:
    """A city bicycle seen from the right; its wheels touch the ground at the height of `base`."""
    x, y = base
    radius = length * 0.22
    rear, front = (x - length * 0.29, y - radius), (x + length * 0.29, y - radius)
    crank, seat, head = (
        (x - length * 0.05, y - radius * 0.92),
        (x - length * 0.14, y - length * 0.46),
        (x + length * 0.2, y - length * 0.47),
    )
    for wheel in (rear, front):
        canvas.shadow(canvas.ellipse((wheel[0], y), radius * 0.8, length * 0.012), offset=(0, 3), blur=length * 0.012, opacity=0.5)
        _wheel(canvas, wheel, radius)
    _mudguards(canvas, (rear, front), radius)
    for points, width in _frame(rear, front, crank, seat, head, length):
        _tube(canvas, points, width)
    _transmission(canvas, rear, crank, length)
    _cockpit(canvas, seat, head, length)


def _wheel(canvas: Canvas, hub: Point, radius: float) -> None:
    for index in range(28):
        angle = math.tau * index / 28
        rim = (hub[0] + math.cos(angle) * radius * 0.94, hub[1] + math.sin(angle) * radius * 0.94)
        lean = angle + (0.9 if index % 2 else -0.9)
        flange = (hub[0] + math.cos(lean) * radius * 0.07, hub[1] + math.sin(lean) * radius * 0.07)
        canvas.fill(canvas.stroke([flange, rim], radius * 0.008), STEEL, 0.85)
    canvas.fill(canvas.ring(hub, radius, radius, radius * 0.085), INK)
    canvas.fill(canvas.ring(hub, radius * 0.985, radius * 0.985, radius * 0.016), colour("#4a5268"))
    canvas.fill(canvas.ring(hub, radius * 0.915, radius * 0.915, radius * 0.035), colour("#e9ebf0"))
    canvas.fill(canvas.ellipse(hub, radius * 0.075, radius * 0.075), colour("#7d8698"))
    canvas.fill(canvas.ellipse(hub, radius * 0.03, radius * 0.03), colour("#e9ebf0"))


def _mudguards(canvas: Canvas, wheels: tuple[Point, Point], radius: float) -> None:
    for hub, first, last in ((wheels[0], 175, 320), (wheels[1], 215, 345)):
        arc = [
            (hub[0] + math.cos(math.radians(a)) * radius * 1.07, hub[1] + math.sin(math.radians(a)) * radius * 1.07)
            for a in range(first, last, 5)
        ]
        canvas.fill(canvas.stroke(arc, radius * 0.05), colour("#f7f2e8"))
        canvas.fill(canvas.stroke(arc, radius * 0.012), STEEL)


def _frame(rear: Point, front: Point, crank: Point, seat: Point, head: Point, length: float) -> list[tuple[list[Point], float]]:
    low_head = (head[0] + length * 0.02, head[1] + length * 0.075)
    seat_joint = (seat[0] + (crank[0] - seat[0]) * 0.16, seat[1] + (crank[1] - seat[1]) * 0.16)
    fork = [low_head, (front[0] - length * 0.035, front[1] - length * 0.1), front]
    return [
        ([rear, crank], length * 0.014),
        ([rear, seat_joint], length * 0.012),
        (fork, length * 0.017),
        ([seat, crank], length * 0.021),
        ([crank, low_head], length * 0.024),
        ([seat_joint, (head[0] + length * 0.006, head[1] + length * 0.02)], length * 0.021),
        ([(head[0] - length * 0.002, head[1] - length * 0.01), low_head], length * 0.026),
    ]


def _tube(canvas: Canvas, points: list[Point], width: float) -> None:
    tube = canvas.stroke(points, width)
    canvas.fill(tube, CORAL)
    lifted = [(px - width * 0.12, py - width * 0.22) for px, py in points]
    canvas.fill(canvas.inside(canvas.soften(canvas.stroke(lifted, width * 0.28), width * 0.12), tube), colour("#ffb09e"), 0.9)
    lowered = [(px + width * 0.15, py + width * 0.38) for px, py in points]
    canvas.fill(canvas.inside(canvas.soften(canvas.stroke(lowered, width * 0.3), width * 0.14), tube), colour("#a52a1b"), 0.75)


def _transmission(canvas: Canvas, rear: Point, crank: Point, length: float) -> None:
    for side in (-1, 1):
        chain = [(rear[0], rear[1] + side * length * 0.017), (crank[0], crank[1] + side * length * 0.043)]
        canvas.fill(canvas.stroke(chain, length * 0.005), colour("#5b6376"))
    canvas.fill(canvas.ellipse(rear, length * 0.02, length * 0.02), colour("#5b6376"))
    canvas.fill(canvas.ring(crank, length * 0.046, length * 0.046, length * 0.012), colour("#aab1c0"))
    for index in range(5):
        angle = math.tau * index / 5
        canvas.fill(
            canvas.stroke(
                [crank, (crank[0] + math.cos(angle) * length * 0.04, crank[1] + math.sin(angle) * length * 0.04)], length * 0.007
            ),
            colour("#aab1c0"),
        )
    for side in (-1, 1):
        end = (crank[0] + side * length * 0.05, crank[1] + side * length * 0.06)
        canvas.fill(canvas.stroke([crank, end], length * 0.011), colour("#dfe3ea"))
        canvas.fill(canvas.stroke([(end[0] - length * 0.024, end[1]), (end[0] + length * 0.024, end[1])], length * 0.014), INK)
    canvas.fill(canvas.ellipse(crank, length * 0.012, length * 0.012), colour("#eef0f4"))


def _cockpit(canvas: Canvas, seat: Point, head: Point, length: float) -> None:
    post = (seat[0] - length * 0.012, seat[1] - length * 0.045)
    canvas.fill(canvas.stroke([seat, post], length * 0.012), STEEL)
    saddle = [
        (post[0] - length * 0.075, post[1] - length * 0.018),
        (post[0] - length * 0.03, post[1] - length * 0.03),
        (post[0] + length * 0.085, post[1] - length * 0.018),
        (post[0] + length * 0.09, post[1] - length * 0.006),
        (post[0], post[1] + length * 0.004),
        (post[0] - length * 0.06, post[1] + length * 0.02),
        (post[0] - length * 0.08, post[1]),
    ]
    canvas.fill(
        canvas.polygon(saddle),
        canvas.gradient([(0, colour("#b97a4b")), (1, colour("#6b3d22"))], start=post[1] - length * 0.03, end=post[1] + length * 0.02),
    )
    top = (head[0] - length * 0.012, head[1] - length * 0.06)
    canvas.fill(canvas.stroke([head, top], length * 0.014), STEEL)
    bar = [
        top,
        (top[0] + length * 0.05, top[1] - length * 0.01),
        (top[0] + length * 0.055, top[1] - length * 0.03),
        (top[0] - length * 0.01, top[1] - length * 0.045),
    ]
    canvas.fill(canvas.stroke(bar, length * 0.011), STEEL)
    canvas.fill(canvas.stroke([bar[-1], (bar[-1][0] - length * 0.05, bar[-1][1] + length * 0.005)], length * 0.018), LEATHER)
    lamp = (head[0] + length * 0.055, head[1] + length * 0.02)
    canvas.fill(canvas.ellipse(lamp, length * 0.02, length * 0.022), INK)
    canvas.fill(canvas.ellipse((lamp[0] + length * 0.007, lamp[1]), length * 0.011, length * 0.018), colour("#fff1c4"))


def lamp(canvas: Canvas, base: Point, height: float) -> None:
    """A lit desk lamp of brass and enamel; its foot stands at `base`."""
    x, y = base
    elbow, shade = (x - height * 0.14, y - height * 0.5), (x + height * 0.2, y - height * 0.78)
    pool = canvas.soften(canvas.ellipse((shade[0] + height * 0.14, y + height * 0.01), height * 0.62, height * 0.09), height * 0.05)
    canvas.fill(pool, colour("#ffdf9a"), 0.75)
    beam = canvas.soften(
        canvas.polygon(
            [
                (shade[0] - height * 0.1, shade[1] + height * 0.13),
                (shade[0] + height * 0.23, shade[1] + height * 0.05),
                (shade[0] + height * 0.62, y),
                (shade[0] - height * 0.4, y),
            ]
        ),
        height * 0.045,
    )
    canvas.fill(beam, canvas.gradient([(0, colour("#ffe9b8")), (1, colour("#f5b94d"))], start=shade[1], end=y), 0.3)
    canvas.shadow(
        canvas.ellipse((x, y), height * 0.19, height * 0.035), offset=(-height * 0.05, height * 0.02), blur=height * 0.03, opacity=0.6
    )
    _foot(canvas, (x, y), height)
    for points in ([(x, y - height * 0.03), elbow], [elbow, (shade[0] + height * 0.0, shade[1] - height * 0.02)]):
        rod = canvas.stroke(points, height * 0.02)
        canvas.fill(rod, BRASS)
        canvas.fill(
            canvas.inside(canvas.stroke([(px - height * 0.004, py - height * 0.003) for px, py in points], height * 0.006), rod),
            colour("#fff0c0"),
            0.9,
        )
    canvas.fill(canvas.ellipse(elbow, height * 0.026, height * 0.026), colour("#b8842e"))
    canvas.fill(canvas.ellipse((elbow[0] - height * 0.005, elbow[1] - height * 0.005), height * 0.012, height * 0.012), colour("#ffe6a6"))
    _shade(canvas, shade, height)


def _foot(canvas: Canvas, base: Point, height: float) -> None:
    x, y = base
    side = canvas.ellipse((x, y), height * 0.18, height * 0.045)
    canvas.fill(
        side,
        canvas.gradient(
            [(0, colour("#0e2430")), (0.35, colour("#2f5d6f")), (1, colour("#0b1c26"))],
            start=x - height * 0.18,
            end=x + height * 0.18,
            across=True,
        ),
    )
    top = canvas.ellipse((x, y - height * 0.022), height * 0.18, height * 0.042)
    canvas.fill(
        top,
        canvas.gradient(
            [(0, colour("#1d4757")), (0.6, colour("#3f7b8e")), (1, colour("#27566a"))],
            start=x - height * 0.18,
            end=x + height * 0.18,
            across=True,
        ),
    )
    canvas.fill(canvas.ellipse((x, y - height * 0.03), height * 0.03, height * 0.009), BRASS)


def _shade(canvas: Canvas, at: Point, height: float) -> None:
    x, y = at
    turn = -0.26

    def spot(u: float, v: float) -> Point:
        return x + (u * math.cos(turn) - v * math.sin(turn)) * height, y + (u * math.sin(turn) + v * math.cos(turn)) * height

    mouth = [spot(0.19 * math.cos(a), 0.14 + 0.05 * math.sin(a)) for a in (math.tau * step / 48 for step in range(48))]
    side = [
        spot(half, rise)
        for half, rise in (
            (-0.19, 0.14),
            (-0.165, 0.05),
            (-0.12, -0.03),
            (-0.06, -0.085),
            (0.06, -0.085),
            (0.12, -0.03),
            (0.165, 0.05),
            (0.19, 0.14),
        )
    ]
    skirt = canvas.polygon(
        [*side, *[spot(0.19 * math.cos(a), 0.14 + 0.05 * math.sin(a)) for a in (math.pi * step / 24 for step in range(25))]]
    )
    enamel = [(0, colour("#17394a")), (0.3, colour("#4f95a8")), (0.55, colour("#2b6276")), (1, colour("#0f2732"))]
    canvas.fill(skirt, canvas.gradient(enamel, start=x - height * 0.2, end=x + height * 0.2, across=True))
    opening = canvas.polygon(mouth)
    canvas.fill(opening, canvas.gradient([(0, colour("#f3b84a")), (1, colour("#fff4d2"))], start=y + height * 0.05, end=y + height * 0.2))
    bulb = spot(0, 0.145)
    canvas.fill(canvas.inside(canvas.soften(canvas.ellipse(bulb, height * 0.06, height * 0.045), height * 0.01), opening), (255, 255, 246))
    canvas.fill(canvas.polygon([spot(-0.045, -0.08), spot(0.045, -0.08), spot(0.03, -0.14), spot(-0.03, -0.14)]), BRASS)
    canvas.glow(bulb, height * 0.34, colour("#ffe2a0"), 0.55)
