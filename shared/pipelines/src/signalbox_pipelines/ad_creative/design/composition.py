"""From a variant to its ads: plans for every size, their keys in the object store, the finished `Ad`."""

import io

import msgspec
from PIL import Image

from signalbox_core.ids import derived_id
from signalbox_pipelines.ad_creative.contract import Ad, Picture, SizeName
from signalbox_pipelines.ad_creative.design.columns import Words
from signalbox_pipelines.ad_creative.design.crop import shape_of
from signalbox_pipelines.ad_creative.design.layout import plan_for
from signalbox_pipelines.ad_creative.design.plan import Plan
from signalbox_pipelines.ad_creative.design.renderer import paint_plan
from signalbox_pipelines.ad_creative.design.styles import look_for
from signalbox_pipelines.ad_creative.messages import Brand, ComposeRequest, Copy
from signalbox_pipelines.ad_creative.page.pictures import open_picture
from signalbox_pipelines.ad_creative.review.score import score_of

TEMPLATE_VERSION = "1"
"""Part of every key: raise it when the same plan would be painted differently."""


def plans_for(request: ComposeRequest, picture: bytes) -> tuple[list[Plan], tuple[str, ...]]:
    """A plan for each size that can hold the text, and why the others cannot."""
    words, look = words_of(request.brand, request.copy), look_for(request.copy.style, request.brand.palette)
    shape = shape_of(open_picture(picture))
    plans, skipped = [], []
    for size in request.sizes:
        plan = plan_for(size, request.copy.style, look, words, shape=shape)
        if plan is None:
            skipped.append(f"{size}: the text does not fit at a readable size")
        else:
            plans.append(plan)
    return plans, tuple(skipped)


def words_of(brand: Brand, copy: Copy) -> Words:
    """What the ad says; nothing twice, so price and rating are left out when the text already names them."""
    said = f"{copy.headline} {copy.body}"
    rating = f"{brand.rating} ({brand.reviews})" if brand.rating and brand.reviews else ""
    return Words(
        eyebrow="" if brand.product in said else brand.product,
        headline=copy.headline,
        body=copy.body,
        price="" if brand.price and brand.price in said else brand.price,
        rating="" if brand.rating and brand.rating in said else rating,
        cta=copy.cta,
        brand=brand.name,
    )


def paint(plan: Plan, picture: bytes, logo: bytes | None) -> bytes:
    """The PNG of one plan."""
    return paint_plan(plan, open_picture(picture), _open_logo(logo) if logo else None)


def object_key(request: ComposeRequest, size: SizeName) -> str:
    """Where the ad is kept: the same text, style, brand, picture and template give the same key."""
    seen = msgspec.json.encode([request.brand, request.copy, request.picture.key], order="sorted").decode()
    return f"ad_creative/ads/{derived_id(seen, TEMPLATE_VERSION)}/{size}.png"


def artifact_name(copy: Copy, size: SizeName) -> str:
    """Unique in the run for each rendering: `variant-1-300x250.png`, then `variant-1-v2-300x250.png`."""
    version = f"-v{copy.version}" if copy.version > 1 else ""
    return f"{copy.variant}{version}-{size}.png"


def ad_of(
    request: ComposeRequest, plans: list[Plan], files: tuple[Picture, ...], skipped: tuple[str, ...]
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
        score=score_of(plans, copy, request.brand.language),
        written_by=copy.written_by,
        source_picture=request.picture.url,
        skipped_sizes=skipped,
    )


def _open_logo(body: bytes) -> Image.Image | None:
    try:
        with Image.open(io.BytesIO(body)) as image:
            return image.convert("RGBA")
    except (OSError, ValueError, SyntaxError):
        return None
