"""Workflow of ad_creative: read the page, write texts, render ads, request decisions, publish."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from signalbox_core.objects import ObjectRef
    from signalbox_core.pipeline.options import CallOptions
    from signalbox_core.pipeline.run import DecisionReceipt, Run
    from signalbox_core.pipeline.workflow.steps import StepScope
    from signalbox_pipelines.ad_creative.activities import AdActivities
    from signalbox_pipelines.ad_creative.contract import (
        SPEC,
        VARIANTS,
        AdInput,
        AdResult,
        Rejection,
        ReviewedPage,
        ad_to_publish,
        policy_of,
    )
    from signalbox_pipelines.ad_creative.design.picture_assignment import assign_pictures, replace_picture
    from signalbox_pipelines.ad_creative.messages import (
        AdCopy,
        BrandFacts,
        ComposeRequest,
        CopyRequest,
        Matches,
        MatchRequest,
        PageRequest,
        RenderedAd,
        RewriteRequest,
        StoredPicture,
    )
    from signalbox_pipelines.ad_creative.review.decisions import (
        apply_decisions,
        build_evidence,
        check_decisions,
        proposed_texts,
    )

FETCH: Final = CallOptions(timeout=timedelta(minutes=3), heartbeat=timedelta(seconds=60), maximum_attempts=4)
MODEL: Final = CallOptions(
    timeout=timedelta(seconds=90), maximum_attempts=4, longest_retry_after=timedelta(seconds=20)
)
RENDER: Final = CallOptions(timeout=timedelta(minutes=2), heartbeat=timedelta(seconds=15), maximum_attempts=5)

CHECKS_EFFECTS: Final = "ad_creative.checks-effects"
"""The patch since which only exactly what was approved is published; older histories replay as recorded."""


@workflow.defn(name="ad_creative")
class AdCreativeWorkflow:
    @workflow.init
    def __init__(self, request: AdInput) -> None:
        self.signalbox = Run(SPEC)
        self.request = request
        self.approved: list[RenderedAd] = []
        self.rejected: list[Rejection] = []
        self.receipts: dict[str, DecisionReceipt] = {}
        self.checks_effects = False

    @workflow.run
    async def run(self, request: AdInput) -> AdResult:
        self.checks_effects = workflow.patched(CHECKS_EFFECTS)
        async with self.signalbox as run:
            async with run.step("extract_brand") as step:
                brand = await step.call(
                    AdActivities.extract_brand, PageRequest(url=request.url, language=request.language), FETCH
                )
                found = f"{len(brand.images)} pictures, {len(brand.benefits)} benefits"
                step.say(f"{brand.product} by {brand.name}: {found}")
            async with run.step("write_copy") as step:
                copies = await step.call(
                    AdActivities.write_copy, CopyRequest(brand=brand, count=request.variants), MODEL
                )
                step.say(f"{len(copies)} texts, {copies[0].written_by}")
            async with run.step("match_images") as step:
                matches = await step.call(AdActivities.match_images, MatchRequest(brand=brand), FETCH)
                step.say(f"{len(matches.ranked)} usable, {len(matches.skipped)} skipped")
            async with run.step("compose") as step:
                rendered = await self._render(step, brand, copies, assign_pictures(copies, matches.ranked))
                step.say(f"{sum(len(item.ad.pictures) for item in rendered)} pictures")
            async with run.step("approve") as step:
                await self._decide(step, brand, matches, rendered)
                step.say(f"{len(self.approved)} approved, {len(self.rejected)} rejected")
            async with run.step("publish") as step:
                await self._publish(step, brand)
                step.say(f"{len(self.approved)} published")
            approved = tuple(item.ad for item in self.approved)
            return AdResult(
                approved=approved, rejected=tuple(self.rejected), page=brand.page, product=brand.product
            )

    async def _decide(
        self, step: StepScope, brand: BrandFacts, matches: Matches, rendered: Sequence[RenderedAd]
    ) -> None:
        """Ask until every variant is decided. `redo_rounds` limits rewrites; edits are not limited."""
        pending = list(rendered)
        while pending:
            answer = await self.signalbox.ask(
                VARIANTS,
                options=[item.ad for item in pending],
                evidence=build_evidence(brand, matches, pending),
                proposal=proposed_texts(pending) if self.checks_effects else None,
                check=partial(
                    check_decisions, pending=pending, scripts_without_font=brand.scripts_without_font
                ),
                policy=policy_of(self.request),
            )
            outcome = apply_decisions(answer, pending, redo_rounds=self.request.redo_rounds)
            self.approved += outcome.approved
            receipt = self.signalbox.receipt(VARIANTS)
            self.receipts |= {item.ad.variant: receipt for item in outcome.approved}
            self.rejected += outcome.rejected
            rewritten = await self._rewrite(step, brand, [redo for _, redo in outcome.redone])
            copies = [item.copy for item in outcome.edited] + rewritten
            pictures = [item.picture for item in outcome.edited]
            pictures += [
                replace_picture(item.picture, matches.ranked, redo.reason) for item, redo in outcome.redone
            ]
            pending = await self._render(step, brand, copies, pictures)

    async def _rewrite(
        self, step: StepScope, brand: BrandFacts, redos: Sequence[RewriteRequest]
    ) -> list[AdCopy]:
        if not redos:
            return []
        taken = tuple({item.copy.angle for item in self.approved} | {redo.angle for redo in redos})
        return list(
            await step.call(
                AdActivities.write_copy,
                CopyRequest(brand=brand, redo=tuple(redos), taken=tuple(sorted(taken))),
                MODEL,
            )
        )

    async def _render(
        self, step: StepScope, brand: BrandFacts, copies: Sequence[AdCopy], pictures: Sequence[StoredPicture]
    ) -> list[RenderedAd]:
        """Render each text with its picture, concurrently, and register the files as artifacts."""
        sizes = self.request.sizes
        requests = [
            ComposeRequest(brand=brand, copy=copy, picture=picture, sizes=sizes)
            for copy, picture in zip(copies, pictures, strict=True)
        ]
        if not requests:
            return []
        ads = await step.map(AdActivities.compose_ad, requests, RENDER)
        for ad in ads:
            for file in ad.pictures:
                ref = ObjectRef(key=file.key, media_type="image/png", size_bytes=file.size_bytes)
                self.signalbox.artifact(file.artifact, ref, title=f"{ad.variant} {file.size}")
        return [
            RenderedAd(ad=ad, copy=request.copy, picture=request.picture)
            for ad, request in zip(ads, requests, strict=True)
        ]

    async def _publish(self, step: StepScope, brand: BrandFacts) -> None:
        page = ReviewedPage(page=brand.page, product=brand.product)
        for item in self.approved:
            data = ad_to_publish(item.ad, page)
            receipt = self.receipts[item.ad.variant] if self.checks_effects else None
            if receipt is not None:
                await step.call(AdActivities.publish, data, FETCH, approved=receipt)
            self.signalbox.emit("ad.approved", data, approved=receipt)
