"""The layout of one ad: every element with its position in pixels.

The input of both scoring and rendering.
"""

from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from signalbox_pipelines.ad_creative.contract import SizeName
from signalbox_pipelines.ad_creative.design.colour_scheme import ColourScheme
from signalbox_pipelines.ad_creative.design.fonts import FontSelection
from signalbox_pipelines.ad_creative.design.typography import TextBlock
from signalbox_pipelines.ad_creative.messages import Style

Role = Literal["eyebrow", "headline", "body", "price", "rating"]
Side = Literal["left", "right", "top", "bottom"]
Align = Literal["left", "center", "right"]


class Box(Struct, frozen=True):
    """A rectangle: left, top, width, height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


class TextLine(Struct, frozen=True, kw_only=True):
    """A text block with its position.

    Attributes:
        x: left edge, centre or right edge, by `align`.
        y: top of the ink.
        has_star: whether a star is drawn before the text: at its left, or right if `align` is `right`.
    """

    role: Role
    block: TextBlock
    x: int
    y: int
    align: Align = "left"
    has_star: bool = False


class Button(Struct, frozen=True, kw_only=True):
    """The call to action, a pill-shaped button."""

    box: Box
    label: str
    font_px: int


class PictureFrame(Struct, frozen=True, kw_only=True):
    """The area of the picture: with optional rounded corners, or fading into the background at some sides."""

    box: Box
    radius: int = 0
    fades: tuple[Side, ...] = ()
    fade_share: float = 0.4


class LogoPlace(Struct, frozen=True, kw_only=True):
    """The area for the logo, and the brand name to show if there is no logo."""

    box: Box
    align: Align
    name: str


class AdPlan(Struct, frozen=True, kw_only=True):
    """The layout of an ad in one size."""

    size: SizeName
    width: int
    height: int
    style: Style
    colours: ColourScheme
    frame: PictureFrame
    logo: LogoPlace
    lines: tuple[TextLine, ...]
    button: Button
    fonts: FontSelection
    rule: Box | None = None


def mirror_plan(plan: AdPlan) -> AdPlan:
    """Mirror a layout for text that runs from right to left. Centred texts stay centred."""
    return replace(
        plan,
        frame=replace(
            plan.frame,
            box=_mirror_box(plan.frame.box, plan.width),
            fades=tuple(_OTHER_SIDE.get(side, side) for side in plan.frame.fades),
        ),
        logo=replace(
            plan.logo,
            box=_mirror_box(plan.logo.box, plan.width),
            align=_OTHER_ALIGN.get(plan.logo.align, plan.logo.align),
        ),
        lines=tuple(
            replace(line, x=plan.width - line.x, align=_OTHER_ALIGN.get(line.align, line.align))
            for line in plan.lines
        ),
        button=replace(plan.button, box=_mirror_box(plan.button.box, plan.width)),
        rule=_mirror_box(plan.rule, plan.width) if plan.rule else None,
    )


_OTHER_SIDE: Final[dict[Side, Side]] = {"left": "right", "right": "left"}
_OTHER_ALIGN: Final[dict[Align, Align]] = {"left": "right", "right": "left"}


def _mirror_box(box: Box, width: int) -> Box:
    return Box(width - box.right, box.y, box.width, box.height)
