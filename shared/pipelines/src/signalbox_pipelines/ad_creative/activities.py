"""The work of ad_creative. Each activity can be repeated: what it keeps is kept create-only under keys derived from its content."""

import asyncio
from collections.abc import Mapping

from temporalio import activity

from signalbox_core.chat_model.settings import model_settings
from signalbox_core.errors import Rejected
from signalbox_core.http.fetch import HTML, Fetches
from signalbox_core.pipeline.activity import progress
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_pipelines.ad_creative.contract import Ad, Picture
from signalbox_pipelines.ad_creative.copy.copywriter import Copywriter, TemplateCopywriter
from signalbox_pipelines.ad_creative.copy.model_copywriter import ModelCopywriter
from signalbox_pipelines.ad_creative.design.composition import (
    ad_of,
    artifact_name,
    object_key,
    paint,
    plans_for,
)
from signalbox_pipelines.ad_creative.messages import (
    Brand,
    ComposeRequest,
    Copy,
    CopyRequest,
    Matches,
    MatchRequest,
    PageRequest,
)
from signalbox_pipelines.ad_creative.page.assets import collect_css, collect_logo, collect_pictures
from signalbox_pipelines.ad_creative.page.brand import brand_of
from signalbox_pipelines.ad_creative.page.facts import read_page
from signalbox_pipelines.ad_creative.page.palette import choose_palette

MAX_PAGE_BYTES = 5_000_000


class AdActivities:
    """The pipeline's activities, given what they may use."""

    def __init__(self, deps: ActivityDeps) -> None:
        self._objects = deps.objects
        self._fetcher: Fetches = deps.fetcher
        self._copywriter = copywriter_for(deps.environ)

    @activity.defn(name="ad_creative.extract_brand")
    async def extract_brand(self, request: PageRequest) -> Brand:
        """Read the page, its style sheets and its logo. Idempotent: reads only; the logo is kept under its content's hash."""
        progress(0, of=4, message="fetching the page")
        page = await self._fetcher.fetch(request.url, accept=HTML, max_bytes=MAX_PAGE_BYTES)
        facts = await asyncio.to_thread(
            read_page, page.body, url=page.url, charset=page.charset, wanted=request.language
        )
        if not facts.images:
            detail = f"{page.url} shows no pictures; give a page with at least one picture of what it sells"
            raise Rejected(detail, field="url", code="no_pictures")
        progress(1, of=4, message="reading its colours")
        css = await collect_css(self._fetcher, facts.style_sheets)
        progress(2, of=4, message="looking for its logo")
        logo = await collect_logo(self._fetcher, self._objects, facts.logos)
        progress(3, of=4, message="choosing colours")
        palette = await asyncio.to_thread(
            choose_palette, [*css, *facts.inline_css], theme=facts.theme, logo=logo[1] if logo else None
        )
        progress(4, of=4, message=facts.product)
        return brand_of(facts, page.url, palette, logo[0] if logo else None)

    @activity.defn(name="ad_creative.write_copy")
    async def write_copy(self, request: CopyRequest) -> tuple[Copy, ...]:
        """Write texts. Idempotent offline (same facts, same texts); a model's retry writes other words, and only the last answer counts."""
        return await self._copywriter.write(request)

    @activity.defn(name="ad_creative.match_images")
    async def match_images(self, request: MatchRequest) -> Matches:
        """Fetch and rank the page's pictures. Idempotent by picture content; a bad or blocked one is an item of `skipped`, no error."""
        links = request.brand.images

        def tell(done: int) -> None:
            progress(done, of=len(links), message=f"{done} of {len(links)} pictures")

        matches = await collect_pictures(self._fetcher, self._objects, request.brand, on_done=tell)
        if not matches.ranked:
            first = f"; the first: {matches.skipped[0].reason}" if matches.skipped else ""
            detail = f"none of the {len(links)} pictures of {request.brand.page} can be used{first}; give a page with larger pictures"
            raise Rejected(detail, field="url", code="no_pictures")
        return matches

    @activity.defn(name="ad_creative.compose_ad")
    async def compose_ad(self, request: ComposeRequest) -> Ad:
        """Draw one variant in every size. Idempotent by (text, style, brand, picture, size, template version): a repeated
        attempt finds what is drawn and draws the rest."""
        body = await self._objects.get(request.picture.key)
        plans, skipped = await asyncio.to_thread(plans_for, request, body)
        if not plans:
            detail = (
                f"{request.copy.variant}: its text fits no size ({'; '.join(skipped)}); shorten the headline"
            )
            raise Rejected(detail, field="headline", code="text_too_long")
        logo: bytes | None = None
        files = []
        for done, plan in enumerate(plans):
            progress(done, of=len(plans), message=f"{request.copy.variant} {plan.size}")
            key = object_key(request, plan.size)
            if not await self._objects.exists(key):
                logo = logo or (
                    await self._objects.get(request.brand.logo.key) if request.brand.logo else None
                )
                await self._objects.put_new(
                    key, await asyncio.to_thread(paint, plan, body, logo), "image/png"
                )
            size_bytes = len(await self._objects.get(key))
            files.append(
                Picture(
                    size=plan.size,
                    artifact=artifact_name(request.copy, plan.size),
                    key=key,
                    size_bytes=size_bytes,
                )
            )
        progress(len(plans), of=len(plans), message=request.copy.variant)
        return ad_of(request, plans, tuple(files), skipped)


def copywriter_for(environ: Mapping[str, str]) -> Copywriter:
    """A model's when `SIGNALBOX_WORKER_MODEL_URL` is set, else the offline templates.

    Raises:
        InvalidInput: a setting of the model is wrong.
    """
    settings = model_settings(environ)
    return ModelCopywriter(settings) if settings is not None else TemplateCopywriter()
