"""Previews of a document's first pages, shown to people. Stored by content, so drawn once."""

from collections.abc import Callable
from typing import Final

from signalbox_core.objects import ObjectStore
from signalbox_pipelines.document_batch.document.messages import PagePreview
from signalbox_pipelines.document_batch.document.read.open_document import OpenDocument

VERSION: Final = "1"
MAX_PREVIEWS: Final = 20
_PAGES_PER_CALL: Final = 5
_MEDIA_TYPE: Final = "image/jpeg"


async def render_previews(
    objects: ObjectStore, pages: OpenDocument, prefix: str, on_page: Callable[[int, int], None]
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
    drawn: list[tuple[bytes, int, int] | None] = []
    for index in range(count):
        if index == len(drawn):
            drawn += await pages.previews(range(index, min(index + _PAGES_PER_CALL, count)))
        picture, drawn[index] = drawn[index], None
        if picture is None:
            continue
        body, width, height = picture
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
