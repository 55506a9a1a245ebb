"""Where entities stand on their pages: words of OCR know it, a text layer is asked. Plain text has no places."""

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
from signalbox_pipelines.document_batch.document.read.pdf import Pdf


async def located(
    objects: ObjectStore, document: StoredDocument, pages: Sequence[PageText], entities: Sequence[Entity]
) -> list[Entity]:
    """The entities with their boxes, in the same order."""
    layered = {page.number for page in pages if page.read_by == "text layer"}
    words = {page.number: page.words for page in pages}
    found = [
        structs.replace(entity, boxes=boxes_of(words[entity.page], entity.start, entity.end))
        for entity in entities
    ]
    if document.media_type != media_types.PDF or not any(entity.page in layered for entity in entities):
        return found
    body = await objects.get(document.key)
    return await asyncio.to_thread(_asked, body, document.name, layered, found)


def boxes_of(words: Sequence[Word], start: int, end: int) -> tuple[Box, ...]:
    """The boxes of the words between two positions, one a line; a word of which only a part is meant gives that part."""
    lines: list[Box] = []
    for word in words:
        if word.end <= start or end <= word.start:
            continue
        box = _part(word, max(start, word.start), min(end, word.end))
        if lines and _on_one_line(lines[-1], box):
            lines[-1] = _around(lines[-1], box)
        else:
            lines.append(box)
    return tuple(lines)


def _asked(body: bytes, name: str, layered: set[int], entities: Sequence[Entity]) -> list[Entity]:
    found = list(entities)
    try:
        pdf = Pdf(body, name)
    except Rejected:
        # It was read a moment ago; without places the facts are as good.
        return found
    try:
        for number in layered:
            places = [place for place, entity in enumerate(found) if entity.page == number]
            boxes = (
                pdf.boxes(number - 1, [(found[place].start, found[place].end) for place in places])
                if places
                else []
            )
            for place, box in zip(places, boxes, strict=True):
                found[place] = structs.replace(found[place], boxes=box)
    finally:
        pdf.close()
    return found


def _part(word: Word, start: int, end: int) -> Box:
    left, top, right, bottom = word.box
    width = (right - left) / max(1, word.end - word.start)
    return box_of(left + (start - word.start) * width, top, right - (word.end - end) * width, bottom)


def _on_one_line(before: Box, after: Box) -> bool:
    """They share more than half of the lower one's height, and go from left to right."""
    shared = min(before[3], after[3]) - max(before[1], after[1])
    return after[0] >= before[0] and shared > 0.5 * min(before[3] - before[1], after[3] - after[1])


def _around(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
