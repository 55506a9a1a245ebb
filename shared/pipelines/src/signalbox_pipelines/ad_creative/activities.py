"""Activities of ad_creative.

All are idempotent: objects are written create-only under keys derived from their content.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio import activity

from signalbox_core.chat_model.settings import read_model_settings
from signalbox_core.errors import Rejected
from signalbox_core.http.fetch import HTML, Fetches
from signalbox_core.pipeline.activity import current_tenant, progress
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_pipelines.ad_creative.contract import Ad, AdApproved, AdPicture
from signalbox_pipelines.ad_creative.copy.copywriter import Copywriter, TemplateCopywriter
from signalbox_pipelines.ad_creative.copy.model_copywriter import ModelCopywriter
from signalbox_pipelines.ad_creative.design.ad_plan import AdPlan
from signalbox_pipelines.ad_creative.design.composition import (
    ad_object_key,
    artifact_name,
    build_ad,
    drawable_copy,
    plan_sizes,
    render_ads,
)
from signalbox_pipelines.ad_creative.design.fonts import FontSelection, read_font_folders
from signalbox_pipelines.ad_creative.messages import (
    AdCopy,
    BrandFacts,
    ComposeRequest,
    CopyRequest,
    Matches,
    MatchRequest,
    PageRequest,
)
from signalbox_pipelines.ad_creative.page.assets import collect_css, collect_logo, collect_pictures
from signalbox_pipelines.ad_creative.page.facts import build_brand, read_page
from signalbox_pipelines.ad_creative.page.palette import choose_palette

R = TypeVar("R")
MAX_PAGE_BYTES: Final = 5_000_000
_PARSE_WITHIN: Final = timedelta(seconds=15)
_RENDER_WITHIN: Final = timedelta(seconds=45)
_SIZES_PER_CALL: Final = 3


class AdActivities:
    """The activities of ad_creative, with their dependencies."""

    def __init__(self, deps: ActivityDeps) -> None:
        self._objects = deps.objects
        self._cpu = deps.cpu
        self._fetcher: Fetches = deps.fetcher
        self._copywriter = copywriter_for(deps.environ)
        self._fonts = FontSelection(folders=read_font_folders(deps.environ))

    @activity.defn(name="ad_creative.extract_brand")
    async def extract_brand(self, request: PageRequest) -> BrandFacts:
        """Read the page, its style sheets and its logo.

        Idempotent: the logo is stored under the hash of its content.
        """
        progress(0, of=4, message="fetching the page")
        page = await self._fetcher.fetch(request.url, accept=HTML, max_bytes=MAX_PAGE_BYTES)
        facts = await self._compute("page", read_page, page.body, page.url, page.charset, request.language)
        if not facts.images:
            detail = f"{page.url} contains no pictures; use a page with at least one picture of the product"
            raise Rejected(detail, field="url", code="no_pictures")
        progress(1, of=4, message="reading the style sheets")
        css = await collect_css(self._fetcher, facts.style_sheets)
        progress(2, of=4, message="looking for the logo")
        logo = await collect_logo(self._fetcher, self._objects, self._cpu, facts.logos)
        progress(3, of=4, message="choosing the colours")
        sheets, logo_body = [*css, *facts.inline_css], logo[1] if logo else None
        palette = await self._compute("style sheet", choose_palette, sheets, facts.theme, logo_body)
        progress(4, of=4, message=facts.product)
        return build_brand(facts, page.url, palette, logo[0] if logo else None, self._fonts)

    @activity.defn(name="ad_creative.write_copy")
    async def write_copy(self, request: CopyRequest) -> tuple[AdCopy, ...]:
        """Write the texts.

        Idempotent offline: the same facts give the same texts. A retry with a model gives other texts; only
        the result of the successful attempt is used. Symbols that no font covers are removed.
        """
        copies = await self._copywriter.write(request)
        return tuple(drawable_copy(copy, self._fonts) for copy in copies)

    @activity.defn(name="ad_creative.match_images")
    async def match_images(self, request: MatchRequest) -> Matches:
        """Fetch and rank the pictures of the page;

        `skipped` lists unusable ones. Idempotent by content of the pictures.
        """
        links = request.brand.images

        def report(done: int) -> None:
            progress(done, of=len(links), message=f"{done} of {len(links)} pictures")

        matches = await collect_pictures(
            self._fetcher, self._objects, self._cpu, request.brand, on_done=report
        )
        if not matches.ranked:
            reason = f" (the first one: {matches.skipped[0].reason})" if matches.skipped else ""
            raise Rejected(
                f"none of the {len(links)} pictures of {request.brand.page} can be used{reason}; "
                "use a page with larger pictures",
                field="url",
                code="no_pictures",
            )
        return matches

    @activity.defn(name="ad_creative.compose_ad")
    async def compose_ad(self, request: ComposeRequest) -> Ad:
        """Render one variant in every size.

        Idempotent by text, style, brand, picture, size and template version: a retry renders only the missing
        files.

        Raises:
            Rejected: `script_not_covered`: no font of this worker covers the text; `text_too_long`: it fits
                no size.
        """
        body = await self._objects.get(request.picture.key)
        plans, skipped = await self._compute("picture", plan_sizes, request, body, self._fonts)
        if not plans:
            raise Rejected(
                f"the text of {request.copy.variant} fits no size ({'; '.join(skipped)}); "
                "shorten the headline",
                field="headline",
                code="text_too_long",
            )
        await self._render_missing(request, plans, body)
        files = []
        for plan in plans:
            key = ad_object_key(request, plan.size)
            stored = await self._objects.get(key)
            files.append(
                AdPicture(
                    size=plan.size,
                    artifact=artifact_name(request.copy, plan.size),
                    key=key,
                    size_bytes=len(stored),
                    sha256=hashlib.sha256(stored).hexdigest(),
                )
            )
        progress(len(plans), of=len(plans), message=request.copy.variant)
        return build_ad(request, plans, tuple(files), skipped)

    @activity.defn(name="ad_creative.publish")
    async def publish(self, ad: AdApproved) -> None:
        """Check that every picture of an approved ad can be read, just before the ad is published.

        Called with `approved=`, so a picture that was changed since it was shown is refused. Idempotent: it
        only reads.
        """
        for done, picture in enumerate(ad.pictures, start=1):
            await self._objects.get(picture.key)
            progress(done, of=len(ad.pictures), message=picture.artifact)

    async def _render_missing(self, request: ComposeRequest, plans: list[AdPlan], picture: bytes) -> None:
        """Render the sizes that are not stored, a few per call so that pictures are passed seldom."""
        missing = [
            plan for plan in plans if not await self._objects.exists(ad_object_key(request, plan.size))
        ]
        logo = await self._objects.get(request.brand.logo.key) if missing and request.brand.logo else None
        for start in range(0, len(missing), _SIZES_PER_CALL):
            batch = missing[start : start + _SIZES_PER_CALL]
            progress(
                len(plans) - len(missing) + start,
                of=len(plans),
                message=f"{request.copy.variant} {batch[0].size}",
            )
            rendered = await self._compute("picture", render_ads, batch, picture, logo, within=_RENDER_WITHIN)
            for plan, body in zip(batch, rendered, strict=True):
                await self._objects.put_new(ad_object_key(request, plan.size), body, "image/png")

    async def _compute(
        self, subject: str, work: Callable[..., R], *arguments: Any, within: timedelta = _PARSE_WITHIN
    ) -> R:
        return await self._cpu.run(work, *arguments, tenant=current_tenant(), within=within, subject=subject)


def copywriter_for(environ: Mapping[str, str]) -> Copywriter:
    """Return the model copywriter when `SIGNALBOX_WORKER_MODEL_URL` is set, else the offline templates.

    Raises:
        InvalidInput: a setting of the model is missing or malformed.
    """
    settings = read_model_settings(environ)
    return ModelCopywriter(settings) if settings is not None else TemplateCopywriter()
