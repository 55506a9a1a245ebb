"""Composition of a variant: layouts for every size, object keys, artifact names and the finished `Ad`."""

import io
import unicodedata
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace
from PIL import Image

from signalbox_core.errors import Rejected
from signalbox_core.formats.pictures import DAMAGED_PICTURE
from signalbox_core.ids import derived_id
from signalbox_pipelines.ad_creative.contract import Ad, AdPicture, SizeName
from signalbox_pipelines.ad_creative.design.ad_plan import AdPlan
from signalbox_pipelines.ad_creative.design.colour_scheme import colour_scheme_for
from signalbox_pipelines.ad_creative.design.crop import measure_aspect
from signalbox_pipelines.ad_creative.design.fonts import (
    FontSelection,
    find_uncovered,
    without_uncovered_symbols,
)
from signalbox_pipelines.ad_creative.design.layout import plan_ad
from signalbox_pipelines.ad_creative.design.renderer import render_plan
from signalbox_pipelines.ad_creative.design.scripts import cjk_language, is_mostly_rtl, needs_shaping
from signalbox_pipelines.ad_creative.design.text_column import AdTexts
from signalbox_pipelines.ad_creative.design.text_runs import can_shape
from signalbox_pipelines.ad_creative.messages import AdCopy, BrandFacts, ComposeRequest
from signalbox_pipelines.ad_creative.page.pictures import open_picture
from signalbox_pipelines.ad_creative.review.score import score_ad

TEMPLATE_VERSION = "2"
"""Part of every object key; increment it when the rendering of an unchanged plan changes."""


def plan_sizes(
    request: ComposeRequest, picture: bytes, fonts: FontSelection
) -> tuple[list[AdPlan], tuple[str, ...]]:
    """Lay out the ad in each size; returns the plans, and the reasons for skipped sizes.

    Raises:
        Rejected: `script_not_covered`: a text cannot be drawn with the fonts of this worker.
    """
    texts, colours = (
        build_ad_texts(request.brand, request.copy, fonts),
        colour_scheme_for(request.copy.style, request.brand.palette),
    )
    check_fonts(texts, request.copy.variant)
    aspect = measure_aspect(open_picture(picture))
    plans, skipped = [], []
    for size in request.sizes:
        plan = plan_ad(size, request.copy.style, colours, texts, aspect=aspect)
        if plan is None:
            skipped.append(f"{size}: the text does not fit at the minimum font size")
        else:
            plans.append(plan)
    return plans, tuple(skipped)


def build_ad_texts(brand: BrandFacts, copy: AdCopy, fonts: FontSelection) -> AdTexts:
    """Select the texts of the ad; product, price and rating are omitted if the copy already contains them."""
    written = f"{copy.headline} {copy.body}"

    def composed(text: str) -> str:
        """Combine letters with their marks, since fonts have glyphs for the combinations."""
        return unicodedata.normalize("NFC", text)

    scale = "" if brand.rating_best == "5" else f"/{brand.rating_best}"
    rating = f"{brand.rating}{scale} ({brand.reviews})" if brand.rating and brand.reviews else ""
    return AdTexts(
        eyebrow="" if brand.product in written else composed(brand.product),
        headline=composed(copy.headline),
        body=composed(copy.body),
        price="" if brand.price and brand.price in written else brand.price,
        rating="" if brand.rating and brand.rating in written else rating,
        cta=composed(copy.cta),
        brand=composed(brand.name),
        fonts=FontSelection(
            folders=fonts.folders,
            language=cjk_language(f"{brand.product} {written}", brand.language),
            is_rtl=is_mostly_rtl(copy.headline),
        ),
    )


def drawable_copy(copy: AdCopy, fonts: FontSelection) -> AdCopy:
    """Remove the symbols and emoji that no font covers from the text of a variant."""
    return replace(
        copy,
        headline=without_uncovered_symbols(copy.headline, fonts) or copy.headline,
        body=without_uncovered_symbols(copy.body, fonts),
    )


def check_fonts(texts: AdTexts, variant: str) -> None:
    """Check that every text can be drawn.

    Raises:
        Rejected: `script_not_covered`; the message names the script and what to install.
    """
    for field, text in (
        ("headline", texts.headline),
        ("body", texts.body),
        ("cta", texts.cta),
        ("url", f"{texts.eyebrow} {texts.price} {texts.rating} {texts.brand}"),
    ):
        subject = f"the facts for {variant}" if field == "url" else f"the {field} of {variant}"
        if uncovered := find_uncovered(text, "Bold", texts.fonts):
            raise Rejected(
                f"{subject} cannot be drawn: this worker has no font for "
                f"{uncovered.script or 'the character'} ({uncovered.character}, "
                f"U+{ord(uncovered.character):04X}); install the Debian package {uncovered.package} on it, "
                "or add a folder with a Noto font to SIGNALBOX_WORKER_FONT_DIRS",
                field=field,
                code="script_not_covered",
            )
        if needs_shaping(text) and not can_shape():
            raise Rejected(
                f"{subject} cannot be drawn: its script needs the library FriBiDi, which this worker lacks; "
                "install the Debian package libfribidi0 on it",
                field=field,
                code="script_not_covered",
            )


def render_ads(plans: Sequence[AdPlan], picture: bytes, logo: bytes | None) -> list[bytes]:
    """Render plans as PNG, in their order."""
    image, mark = open_picture(picture), _open_logo(logo) if logo else None
    return [render_plan(plan, image.copy(), mark.copy() if mark else None) for plan in plans]


def ad_object_key(request: ComposeRequest, size: SizeName) -> str:
    """Return the object key: equal for the same text, style, brand, picture, size and template version."""
    inputs = msgspec.json.encode([request.brand, request.copy, request.picture.key], order="sorted").decode()
    return f"ad_creative/ads/{derived_id(inputs, TEMPLATE_VERSION)}/{size}.png"


def artifact_name(copy: AdCopy, size: SizeName) -> str:
    """Return a name that is unique in the run: `variant-1-300x250.png`, then `variant-1-v2-300x250.png`."""
    version = f"-v{copy.version}" if copy.version > 1 else ""
    return f"{copy.variant}{version}-{size}.png"


def build_ad(
    request: ComposeRequest, plans: list[AdPlan], files: tuple[AdPicture, ...], skipped: tuple[str, ...]
) -> Ad:
    copy = request.copy
    return Ad(
        variant=copy.variant,
        version=copy.version,
        headline=copy.headline,
        body=copy.body,
        cta=copy.cta,
        style=copy.style,
        pictures=files,
        score=score_ad(plans, copy, request.brand.language),
        written_by=copy.written_by,
        source_picture=request.picture.url,
        skipped_sizes=skipped,
    )


def _open_logo(body: bytes) -> Image.Image | None:
    try:
        with Image.open(io.BytesIO(body)) as image:
            return image.convert("RGBA")
    except DAMAGED_PICTURE:
        return None
