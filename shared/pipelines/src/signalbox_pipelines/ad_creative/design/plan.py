"""A drawn ad before it is drawn: every part with its place, in pixels. What is scored and what is painted are this same value."""

from typing import Literal

from msgspec import Struct

from signalbox_pipelines.ad_creative.contract import SizeName
from signalbox_pipelines.ad_creative.design.styles import Look
from signalbox_pipelines.ad_creative.design.typography import Block
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


class Line(Struct, frozen=True, kw_only=True):
    """Set text; `x` is its left edge or centre by `align`, `y` the top of its ink. `star`: a star is drawn before it."""

    role: Role
    block: Block
    x: int
    y: int
    align: Align = "left"
    star: bool = False


class Button(Struct, frozen=True, kw_only=True):
    """The call to action, a pill."""

    box: Box
    label: str
    font_px: int


class Frame(Struct, frozen=True, kw_only=True):
    """Where the picture is: flush, on a card with round corners, or melting into the ground at some sides."""

    box: Box
    radius: int = 0
    fades: tuple[Side, ...] = ()
    fade_share: float = 0.4


class LogoPlace(Struct, frozen=True, kw_only=True):
    """The room for the logo, and the name to set when the page has none."""

    box: Box
    align: Align
    name: str


class Plan(Struct, frozen=True, kw_only=True):
    """One ad in one size."""

    size: SizeName
    width: int
    height: int
    style: Style
    look: Look
    frame: Frame
    logo: LogoPlace
    lines: tuple[Line, ...]
    button: Button
    rule: Box | None = None
