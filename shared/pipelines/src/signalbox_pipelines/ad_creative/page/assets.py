"""Fetches style sheets, logo and pictures of a page. Unusable ones are skipped."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from signalbox_core.errors import SignalboxError
from signalbox_core.http.fetch import PICTURES, Fetches
from signalbox_core.objects import ObjectStore
from signalbox_core.pipeline.activity import current_tenant
from signalbox_core.process.cpu_pool import CpuPool
from signalbox_pipelines.ad_creative.messages import (
    BrandFacts,
    ImageLink,
    Matches,
    RankedPicture,
    SkippedPicture,
    StoredPicture,
)
from signalbox_pipelines.ad_creative.page.charsets import decode_text
from signalbox_pipelines.ad_creative.page.pictures import (
    ScoredPicture,
    UnusablePictureError,
    is_near_duplicate,
    picture_size,
    score_picture,
)

CSS: Final = frozenset({"text/css", "text/plain"})
MAX_CSS_BYTES: Final = 500_000
MAX_PICTURE_BYTES: Final = 8_000_000
MAX_LOGO_BYTES: Final = 2_000_000
_MAX_CONCURRENT: Final = 4
_DECODE_WITHIN: Final = timedelta(seconds=20)


async def collect_css(fetcher: Fetches, addresses: tuple[str, ...]) -> list[str]:
    """Fetch the style sheets; those that fail are skipped."""
    sheets = []
    for address in addresses:
        try:
            fetched = await fetcher.fetch(address, accept=CSS, max_bytes=MAX_CSS_BYTES)
        except SignalboxError:
            continue  # the palette falls back to neutral colours
        sheets.append(decode_text(fetched.body, fetched.charset))
    return sheets


async def collect_logo(
    fetcher: Fetches, objects: ObjectStore, cpu: CpuPool, addresses: tuple[str, ...]
) -> tuple[StoredPicture, bytes] | None:
    """Return the first usable logo, stored under the hash of its content, with its bytes."""
    for address in addresses[:4]:
        try:
            fetched = await fetcher.fetch(address, accept=PICTURES, max_bytes=MAX_LOGO_BYTES)
            width, height = await cpu.run(
                picture_size,
                fetched.body,
                tenant=current_tenant(),
                within=_DECODE_WITHIN,
                subject="picture",
            )
        except (SignalboxError, UnusablePictureError):
            continue
        if min(width, height) < 24:
            continue
        ref = await objects.put_new(source_object_key(fetched.body), fetched.body, fetched.media_type)
        return StoredPicture(key=ref.key, url=address, alt="", width=width, height=height), fetched.body
    return None


async def collect_pictures(
    fetcher: Fetches, objects: ObjectStore, cpu: CpuPool, brand: BrandFacts, *, on_done: Callable[[int], None]
) -> Matches:
    """Fetch, score, store and rank the pictures of a page, four at a time; near-duplicates are skipped."""
    limit = asyncio.Semaphore(_MAX_CONCURRENT)
    done = 0

    async def collect_one(link: ImageLink) -> tuple[ImageLink, ScoredPicture | str]:
        nonlocal done
        async with limit:
            result = await _fetch_and_score(fetcher, cpu, link, brand)
        done += 1
        on_done(done)
        return link, result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(collect_one(link)) for link in brand.images]
    return await _store_ranked(objects, [task.result() for task in tasks])


def source_object_key(body: bytes) -> str:
    """Return the object key of a fetched file, derived from its content."""
    return f"ad_creative/sources/{hashlib.sha256(body).hexdigest()}"


async def _fetch_and_score(
    fetcher: Fetches, cpu: CpuPool, link: ImageLink, brand: BrandFacts
) -> ScoredPicture | str:
    try:
        fetched = await fetcher.fetch(link.url, accept=PICTURES, max_bytes=MAX_PICTURE_BYTES)
        return await cpu.run(
            score_picture,
            fetched.body,
            link,
            brand,
            tenant=current_tenant(),
            within=_DECODE_WITHIN,
            subject="picture",
        )
    except SignalboxError as error:
        return error.detail
    except UnusablePictureError as error:
        return str(error)


async def _store_ranked(
    objects: ObjectStore, results: list[tuple[ImageLink, ScoredPicture | str]]
) -> Matches:
    good: list[tuple[RankedPicture, int]] = []
    skipped = [
        SkippedPicture(url=link.url, reason=result) for link, result in results if isinstance(result, str)
    ]
    usable = [(link, result) for link, result in results if isinstance(result, ScoredPicture)]
    for link, scored in sorted(usable, key=lambda item: -item[1].points):
        if any(is_near_duplicate(scored.image_hash, image_hash) for _, image_hash in good):
            skipped.append(SkippedPicture(url=link.url, reason="near-duplicate of a better picture"))
            continue
        ref = await objects.put_new(source_object_key(scored.body), scored.body, scored.media_type)
        stored = StoredPicture(
            key=ref.key, url=link.url, alt=link.alt, width=scored.width, height=scored.height
        )
        ranked = RankedPicture(picture=stored, points=scored.points, reasons=scored.reasons)
        good.append((ranked, scored.image_hash))
    return Matches(ranked=tuple(item for item, _ in good), skipped=tuple(skipped))
