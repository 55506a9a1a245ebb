"""The layout of one ad: every element with its position in pixels.

The input of both scoring and rendering.
"""

from typing import Literal

from msgspec import Struct

from signalbox_pipelines.ad_creative.contract import SizeName
from signalbox_pipelines.ad_creative.design.colour_scheme import ColourScheme
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
        x: left edge, or centre if `align` is `center`.
        y: top of the ink.
        has_star: whether a star is drawn before the text.
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
    rule: Box | None = None
