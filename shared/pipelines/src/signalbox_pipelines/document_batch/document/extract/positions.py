"""Boxes of facts on their pages: from the OCR words, or from the text layer of a PDF. Plain text has none."""

import asyncio
from collections.abc import Sequence

from msgspec import structs

from signalbox_core.errors import Rejected
from signalbox_core.objects import ObjectStore
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


async def locate_entities(
    objects: ObjectStore, document: StoredDocument, pages: Sequence[PageText], entities: Sequence[Entity]
) -> list[Entity]:
    """Return the entities with their boxes, in the same order."""
    layer_pages = {page.number for page in pages if page.read_by == "text layer"}
    words = {page.number: page.words for page in pages}
    found = [
        structs.replace(entity, boxes=boxes_for_span(words[entity.page], entity.start, entity.end))
        for entity in entities
    ]
    if document.media_type != media_types.PDF or not any(entity.page in layer_pages for entity in entities):
        return found
    body = await objects.get(document.key)
    return await asyncio.to_thread(_locate_in_text_layer, body, document.name, layer_pages, found)


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


def _locate_in_text_layer(
    body: bytes, name: str, layer_pages: set[int], entities: Sequence[Entity]
) -> list[Entity]:
    found = list(entities)
    try:
        pdf = PdfPages(body, name)
    except Rejected:
        # The PDF could be opened before. The facts are worth keeping without boxes.
        return found
    try:
        for number in layer_pages:
            indexes = [index for index, entity in enumerate(found) if entity.page == number]
            spans = [(found[index].start, found[index].end) for index in indexes]
            boxes = pdf.boxes(number - 1, spans) if spans else []
            for index, box in zip(indexes, boxes, strict=True):
                found[index] = structs.replace(found[index], boxes=box)
    finally:
        pdf.close()
    return found


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
