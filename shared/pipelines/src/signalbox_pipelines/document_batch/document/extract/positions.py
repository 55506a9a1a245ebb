"""Boxes of facts on their pages: from the OCR words, or from the text layer of a PDF. Plain text has none."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from msgspec import structs

from signalbox_core.errors import LimitExceeded, Rejected
from signalbox_core.objects import ObjectStore
from signalbox_core.pipeline.activity import current_tenant
from signalbox_core.process.cpu_pool import CpuPool
from signalbox_pipelines.document_batch.document.messages import (
    Box,
    Entity,
    PageText,
    StoredDocument,
    Word,
    box_of,
)
from signalbox_pipelines.document_batch.document.read import media_types
from signalbox_pipelines.document_batch.document.read.pdf import PdfPages

_LOCATE_WITHIN: Final = timedelta(seconds=45)


async def locate_entities(
    objects: ObjectStore,
    cpu: CpuPool,
    document: StoredDocument,
    layer_pages: Collection[int],
    entities: Sequence[Entity],
) -> list[Entity]:
    """Return the entities with their boxes in the text layer of a PDF, in the same order.

    Args:
        layer_pages: numbers of the pages that were read from the text layer.
    """
    found = list(entities)
    if document.media_type != media_types.PDF or not any(entity.page in layer_pages for entity in found):
        return found
    body = await objects.get(document.key)
    spans = {
        page: [(entity.start, entity.end) for entity in found if entity.page == page]
        for page in sorted({entity.page for entity in found} & set(layer_pages))
    }
    try:
        boxes = await cpu.run(
            _boxes_in_text_layer,
            body,
            document.name,
            spans,
            tenant=current_tenant(),
            within=_LOCATE_WITHIN,
            subject="document",
        )
    except LimitExceeded:
        # The facts are worth keeping without boxes.
        return found
    left = {page: iter(of_page) for page, of_page in boxes.items()}
    return [
        structs.replace(entity, boxes=next(left[entity.page])) if entity.page in left else entity
        for entity in found
    ]


def locate_in_words(page: PageText, entities: Sequence[Entity]) -> list[Entity]:
    """Return the entities of a page with their boxes among its OCR words, if it has any."""
    return [
        structs.replace(entity, boxes=boxes_for_span(page.words, entity.start, entity.end))
        for entity in entities
    ]


def boxes_for_span(words: Sequence[Word], start: int, end: int) -> tuple[Box, ...]:
    """Return the boxes of a span, one per line; a word that is only partly inside is cut proportionally."""
    lines: list[Box] = []
    for word in words:
        if word.end <= start or end <= word.start:
            continue
        box = _clip(word, max(start, word.start), min(end, word.end))
        if lines and _share_a_line(lines[-1], box):
            lines[-1] = _bounding_box(lines[-1], box)
        else:
            lines.append(box)
    return tuple(lines)


def _boxes_in_text_layer(
    body: bytes, name: str, spans: dict[int, list[tuple[int, int]]]
) -> dict[int, list[tuple[Box, ...]]]:
    try:
        pdf = PdfPages(body, name)
    except Rejected:
        # The PDF could be opened before. The facts are worth keeping without boxes.
        return {}
    try:
        return {page: pdf.boxes(page - 1, of_page) for page, of_page in spans.items()}
    finally:
        pdf.close()


def _clip(word: Word, start: int, end: int) -> Box:
    left, top, right, bottom = word.box
    width = (right - left) / max(1, word.end - word.start)
    return box_of(left + (start - word.start) * width, top, right - (word.end - end) * width, bottom)


def _share_a_line(before: Box, after: Box) -> bool:
    """Whether the boxes go from left to right and overlap by more than half the height of the smaller one."""
    shared = min(before[3], after[3]) - max(before[1], after[1])
    return after[0] >= before[0] and shared > 0.5 * min(before[3] - before[1], after[3] - after[1])


def _bounding_box(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
