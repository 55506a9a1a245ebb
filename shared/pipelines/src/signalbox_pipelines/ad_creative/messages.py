"""What the workflow and its activities hand each other. Small values only: pictures travel as keys of the object store."""

from typing import Final, Literal

from msgspec import Struct

from signalbox_pipelines.ad_creative.contract import Ad, Language, SizeName

Style = Literal["studio", "bold", "cover"]
STYLES: Final[tuple[Style, ...]] = ("studio", "bold", "cover")
PageLanguage = Literal["en", "vi"]


class PageRequest(Struct, frozen=True, kw_only=True):
    url: str
    language: Language = "auto"


class Palette(Struct, frozen=True, kw_only=True):
    """`#rrggbb` each; `sources` says where they were found, for people."""

    primary: str
    accent: str
    paper: str
    sources: tuple[str, ...] = ()


class ImageLink(Struct, frozen=True, kw_only=True):
    """A picture the page refers to; `source` is `product data`, `share image` or `page`."""

    url: str
    alt: str
    source: str


class StoredPicture(Struct, frozen=True, kw_only=True):
    """A picture fetched from the page and kept; sizes in pixels."""

    key: str
    url: str
    alt: str
    width: int
    height: int


class Brand(Struct, frozen=True, kw_only=True):
    """Everything the page says that an ad may use. An empty text means: the page does not say."""

    page: str
    name: str
    product: str
    language: PageLanguage
    palette: Palette
    description: str = ""
    slogan: str = ""
    price: str = ""
    rating: str = ""
    reviews: int = 0
    benefits: tuple[str, ...] = ()
    shipping: str = ""
    cta: str = ""
    logo: StoredPicture | None = None
    images: tuple[ImageLink, ...] = ()


class Redo(Struct, frozen=True, kw_only=True):
    """A rejected variant that is to be written anew, and why it was rejected."""

    variant: str
    version: int
    angle: str
    headline: str
    reason: str
    style: Style = "studio"
    round: int = 0


class CopyRequest(Struct, frozen=True, kw_only=True):
    """`count` first texts, or, when `redo` is given, one new text for each rejected variant; `taken` are angles in use."""

    brand: Brand
    count: int = 0
    redo: tuple[Redo, ...] = ()
    taken: tuple[str, ...] = ()


class Copy(Struct, frozen=True, kw_only=True):
    """One variant's text. `angle` names the idea behind it; `round` counts rejections, `version` renderings from 1."""

    variant: str
    version: int
    angle: str
    headline: str
    body: str
    cta: str
    written_by: str
    style: Style
    round: int = 0


class MatchRequest(Struct, frozen=True, kw_only=True):
    brand: Brand


class RankedPicture(Struct, frozen=True, kw_only=True):
    picture: StoredPicture
    points: float
    reasons: tuple[str, ...]


class SkippedPicture(Struct, frozen=True, kw_only=True):
    url: str
    reason: str


class Matches(Struct, frozen=True, kw_only=True):
    """Usable pictures, best first, and the others with the reason."""

    ranked: tuple[RankedPicture, ...]
    skipped: tuple[SkippedPicture, ...] = ()


class ComposeRequest(Struct, frozen=True, kw_only=True):
    brand: Brand
    copy: Copy
    picture: StoredPicture
    sizes: tuple[SizeName, ...]


class Evidence(Struct, frozen=True, kw_only=True):
    """What an approver sees besides the ads: where every claim comes from."""

    page: str
    brand: str
    product: str
    facts: tuple[str, ...]
    palette: Palette
    pictures: tuple[RankedPicture, ...]
    skipped: tuple[SkippedPicture, ...]
    round: int


class Drawn(Struct, frozen=True, kw_only=True):
    """A variant with the text and picture it was drawn from, so it can be drawn again."""

    ad: Ad
    copy: Copy
    picture: StoredPicture
