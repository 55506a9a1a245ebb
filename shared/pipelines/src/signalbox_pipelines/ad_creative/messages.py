"""Arguments and results of the activities of ad_creative.

Pictures are passed as object keys to keep messages small.
"""

from typing import Final, Literal

from msgspec import Struct

from signalbox_pipelines.ad_creative.contract import Ad, Language, SizeName

Style = Literal["studio", "bold", "cover"]
STYLES: Final[tuple[Style, ...]] = ("studio", "bold", "cover")
PageLanguage = Literal[
    "en", "vi", "ar", "de", "es", "fr", "he", "hi", "it", "ja", "ko", "nl", "pt", "th", "zh", "zh-Hant"
]


class PageRequest(Struct, frozen=True, kw_only=True):
    url: str
    language: Language = "auto"


class Palette(Struct, frozen=True, kw_only=True):
    """Colours as `#rrggbb`; `sources` names where they were found, for display."""

    primary: str
    accent: str
    paper: str
    sources: tuple[str, ...] = ()


class ImageLink(Struct, frozen=True, kw_only=True):
    """A picture that the page links to; `source` is `product data`, `share image` or `page`."""

    url: str
    alt: str
    source: str


class StoredPicture(Struct, frozen=True, kw_only=True):
    """A picture copied to the object store; sizes in pixels."""

    key: str
    url: str
    alt: str
    width: int
    height: int


class BrandFacts(Struct, frozen=True, kw_only=True):
    """The facts of the page that an ad may use. Facts that were not found are empty.

    `scripts_without_font` are the scripts that the worker cannot draw.
    """

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
    rating_best: str = "5"
    scripts_without_font: tuple[str, ...] = ()


class RewriteRequest(Struct, frozen=True, kw_only=True):
    """A rejected variant to rewrite, with the reason for the rejection."""

    variant: str
    version: int
    angle: str
    headline: str
    reason: str
    style: Style = "studio"
    round: int = 0


class CopyRequest(Struct, frozen=True, kw_only=True):
    """Request for `count` first texts, or for one new text per item of `redo`;

    `taken` are angles already in use.
    """

    brand: BrandFacts
    count: int = 0
    redo: tuple[RewriteRequest, ...] = ()
    taken: tuple[str, ...] = ()


class AdCopy(Struct, frozen=True, kw_only=True):
    """The text of a variant.

    `angle` names its idea; `round` counts rejections, `version` renderings from 1.
    """

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
    brand: BrandFacts


class RankedPicture(Struct, frozen=True, kw_only=True):
    picture: StoredPicture
    points: float
    reasons: tuple[str, ...]


class SkippedPicture(Struct, frozen=True, kw_only=True):
    url: str
    reason: str


class Matches(Struct, frozen=True, kw_only=True):
    """Usable pictures, the best first, and skipped ones with the reason."""

    ranked: tuple[RankedPicture, ...]
    skipped: tuple[SkippedPicture, ...] = ()


class ComposeRequest(Struct, frozen=True, kw_only=True):
    brand: BrandFacts
    copy: AdCopy
    picture: StoredPicture
    sizes: tuple[SizeName, ...]


class Evidence(Struct, frozen=True, kw_only=True):
    """Evidence for approvers: the source of every claim."""

    page: str
    brand: str
    product: str
    facts: tuple[str, ...]
    palette: Palette
    pictures: tuple[RankedPicture, ...]
    skipped: tuple[SkippedPicture, ...]
    round: int


class RenderedAd(Struct, frozen=True, kw_only=True):
    """A rendered variant with its text and picture, which are needed to render it again."""

    ad: Ad
    copy: AdCopy
    picture: StoredPicture
