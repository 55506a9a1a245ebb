"""Previews of a document's first pages, shown to people. Stored by content, so drawn once."""

import asyncio
import io
from collections.abc import Callable
from typing import Final

from PIL import Image

from signalbox_core.objects import ObjectStore
from signalbox_pipelines.document_batch.document.messages import PagePreview
from signalbox_pipelines.document_batch.document.read.pages import DocumentPages

VERSION: Final = "1"
MAX_PREVIEWS: Final = 20
_QUALITY: Final = 72
_MEDIA_TYPE: Final = "image/jpeg"


async def render_previews(
    objects: ObjectStore, pages: DocumentPages, prefix: str, on_page: Callable[[int, int], None]
) -> tuple[PagePreview, ...]:
    """Store a JPEG of each of the first MAX_PREVIEWS pages; formats without a layout have none.

    Idempotent by `prefix`, which identifies the content.

    Args:
        on_page: called after each page with (pages drawn, pages to draw).

    Raises:
        Rejected: the page cannot be rendered.
    """
    found: list[PagePreview] = []
    count = min(pages.page_count, MAX_PREVIEWS)
    for index in range(count):
        drawn = await asyncio.to_thread(_draw, pages, index)
        if drawn is None:
            continue
        body, width, height = drawn
        ref = await objects.put_new(f"{prefix}/v{VERSION}/{index + 1:05}.jpg", body, _MEDIA_TYPE)
        found.append(
            PagePreview(
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


def _draw(pages: DocumentPages, index: int) -> tuple[bytes, int, int] | None:
    preview = pages.preview(index)
    return None if preview is None else (_jpeg(preview), preview.width, preview.height)


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
