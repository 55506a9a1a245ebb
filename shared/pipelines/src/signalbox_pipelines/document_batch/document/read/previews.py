"""Pictures of a document's first pages, for the people who look at it. Kept under the document's content, so made once."""

import asyncio
import io
from collections.abc import Callable
from typing import Final

from PIL import Image

from signalbox_core.objects import ObjectStore
from signalbox_pipelines.document_batch.document.messages import PagePicture
from signalbox_pipelines.document_batch.document.read.reader import Pages

VERSION: Final = "1"
MAX_PICTURES: Final = 20
_QUALITY: Final = 72
_MEDIA_TYPE: Final = "image/jpeg"


async def draw_pages(
    objects: ObjectStore, pages: Pages, prefix: str, on_page: Callable[[int, int], None]
) -> tuple[PagePicture, ...]:
    """A picture of each of the first MAX_PICTURES pages that has a look. Idempotent by `prefix`, which names the content.

    Raises:
        Rejected: as of reading the page.
    """
    found: list[PagePicture] = []
    count = min(pages.page_count, MAX_PICTURES)
    for index in range(count):
        drawn = await asyncio.to_thread(_drawn, pages, index)
        if drawn is None:
            continue
        body, width, height = drawn
        ref = await objects.put_new(f"{prefix}/v{VERSION}/{index + 1:05}.jpg", body, _MEDIA_TYPE)
        found.append(
            PagePicture(
                page=index + 1,
                name=f"page-{index + 1:03}.jpg",
                key=ref.key,
                media_type=_MEDIA_TYPE,
                size_bytes=ref.size_bytes,
                width=width,
                height=height,
            )
        )
        on_page(index + 1, count)
    return tuple(found)


def _drawn(pages: Pages, index: int) -> tuple[bytes, int, int] | None:
    view = pages.view(index)
    return None if view is None else (_jpeg(view), view.width, view.height)


def _jpeg(view: Image.Image) -> bytes:
    buffer = io.BytesIO()
    view.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
