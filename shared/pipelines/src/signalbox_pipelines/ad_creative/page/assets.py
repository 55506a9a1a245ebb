"""Getting what a page refers to: style sheets, the logo, pictures. What cannot be had is skipped with its reason."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final

from signalbox_core.errors import SignalboxError
from signalbox_core.http.fetch import PICTURES, Fetches
from signalbox_core.objects import ObjectStore
from signalbox_pipelines.ad_creative.messages import (
    Brand,
    ImageLink,
    Matches,
    RankedPicture,
    SkippedPicture,
    StoredPicture,
)
from signalbox_pipelines.ad_creative.page.pictures import (
    Judged,
    Unusable,
    judge,
    looks_like,
    open_picture,
    ranked,
)

CSS: Final = frozenset({"text/css", "text/plain"})
MAX_CSS_BYTES: Final = 500_000
MAX_PICTURE_BYTES: Final = 8_000_000
MAX_LOGO_BYTES: Final = 2_000_000
_AT_ONCE: Final = 4


async def collect_css(fetcher: Fetches, addresses: tuple[str, ...]) -> list[str]:
    """The texts of the style sheets that can be read."""
    sheets = []
    for address in addresses:
        try:
            fetched = await fetcher.fetch(address, accept=CSS, max_bytes=MAX_CSS_BYTES)
        except SignalboxError:
            continue  # a page without its colours still makes an ad
        sheets.append(fetched.body.decode(fetched.charset or "utf-8", "replace"))
    return sheets


async def collect_logo(
    fetcher: Fetches, objects: ObjectStore, addresses: tuple[str, ...]
) -> tuple[StoredPicture, bytes] | None:
    """The first logo that is a usable picture, kept under the hash of its bytes."""
    for address in addresses[:4]:
        try:
            fetched = await fetcher.fetch(address, accept=PICTURES, max_bytes=MAX_LOGO_BYTES)
            image = await asyncio.to_thread(open_picture, fetched.body)
        except (SignalboxError, Unusable):
            continue
        if min(image.size) < 24:
            continue
        ref = await objects.put_new(source_key(fetched.body), fetched.body, fetched.media_type)
        return StoredPicture(
            key=ref.key, url=address, alt="", width=image.width, height=image.height
        ), fetched.body
    return None


async def collect_pictures(
    fetcher: Fetches, objects: ObjectStore, brand: Brand, *, on_done: Callable[[int], None]
) -> Matches:
    """Fetch, judge, keep and rank the page's pictures, four at once; near-duplicates count once."""
    gate = asyncio.Semaphore(_AT_ONCE)
    done = 0

    async def one(link: ImageLink) -> tuple[ImageLink, Judged | str]:
        nonlocal done
        async with gate:
            verdict = await _judged(fetcher, link, brand)
        done += 1
        on_done(done)
        return link, verdict

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(link)) for link in brand.images]
    return await _kept(objects, [task.result() for task in tasks])


def source_key(body: bytes) -> str:
    """Where a fetched file is kept: by its content, so a second fetch of the same changes nothing."""
    return f"ad_creative/sources/{hashlib.sha256(body).hexdigest()}"


async def _judged(fetcher: Fetches, link: ImageLink, brand: Brand) -> Judged | str:
    try:
        fetched = await fetcher.fetch(link.url, accept=PICTURES, max_bytes=MAX_PICTURE_BYTES)
        return await asyncio.to_thread(judge, fetched.body, link, brand)
    except SignalboxError as error:
        return error.detail
    except Unusable as verdict:
        return str(verdict)


async def _kept(objects: ObjectStore, verdicts: list[tuple[ImageLink, Judged | str]]) -> Matches:
    good: list[tuple[RankedPicture, int]] = []
    skipped = [
        SkippedPicture(url=link.url, reason=verdict) for link, verdict in verdicts if isinstance(verdict, str)
    ]
    usable = [(link, verdict) for link, verdict in verdicts if isinstance(verdict, Judged)]
    for link, judged in sorted(usable, key=lambda item: -item[1].points):
        if any(looks_like(judged.look, look) for _, look in good):
            skipped.append(SkippedPicture(url=link.url, reason="the same picture as a better one"))
            continue
        ref = await objects.put_new(source_key(judged.body), judged.body, judged.media_type)
        stored = StoredPicture(
            key=ref.key, url=link.url, alt=link.alt, width=judged.width, height=judged.height
        )
        good.append((ranked(stored, judged), judged.look))
    return Matches(ranked=tuple(item for item, _ in good), skipped=tuple(skipped))
