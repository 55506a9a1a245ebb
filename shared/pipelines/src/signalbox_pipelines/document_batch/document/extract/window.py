"""Extracts the facts of a stored text, a window of pages per call, which bounds the memory of a call."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.extract.conventions import conventions_of
from signalbox_pipelines.document_batch.document.extract.data_facts import (
    DataFact,
    data_entity,
    place_facts,
    without_overlaps,
)
from signalbox_pipelines.document_batch.document.extract.entities import find_entities
from signalbox_pipelines.document_batch.document.extract.positions import locate_in_words
from signalbox_pipelines.document_batch.document.messages import Entity, PageText

WINDOW_CHARS = 200_000
"""A window ends with the page that reaches this length."""


class EntityWindow(Struct, frozen=True, kw_only=True):
    """The facts of some pages.

    Attributes:
        stop: index of the first page of the next window.
        layer_pages: numbers of the window's pages that were read from a text layer.
        unplaced: the facts of the data that none of the pages shows.
        has_text: whether any of the pages has text.
    """

    entities: list[Entity]
    stop: int
    page_count: int
    layer_pages: list[int]
    unplaced: list[DataFact]
    has_text: bool


def find_in_window(
    pages_json: bytes,
    start: int,
    languages: tuple[Language, ...],
    data_facts: Sequence[DataFact] = (),
    source: str = "",
) -> EntityWindow:
    """Find the facts from page index `start` on.

    Args:
        pages_json: a JSON list of PageText.
        data_facts: facts that the document states as data, to be placed on the first page that shows them.
        source: what states them.
    """
    raw_pages = msgspec.json.decode(pages_json, type=list[msgspec.Raw])
    found: list[Entity] = []
    layer_pages: list[int] = []
    unplaced = list(data_facts)
    chars, stop = 0, start
    pages: list[PageText] = []
    while stop < len(raw_pages) and chars < WINDOW_CHARS:
        pages.append(msgspec.json.decode(raw_pages[stop], type=PageText))
        chars += len(pages[-1].text)
        stop += 1
    conventions = conventions_of([page.text for page in pages], languages)
    for page in pages:
        in_text = find_entities(page, languages, conventions)
        places = place_facts(page, unplaced, in_text)
        stated = [data_entity(unplaced[index], source, page, span) for index, span in places.items()]
        unplaced = [fact for index, fact in enumerate(unplaced) if index not in places]
        of_page = [*without_overlaps(in_text, list(places.values())), *stated]
        found += locate_in_words(page, sorted(of_page, key=lambda entity: entity.start))
        if page.read_by == "text layer":
            layer_pages.append(page.number)
    return EntityWindow(
        entities=found,
        stop=stop,
        page_count=len(raw_pages),
        layer_pages=layer_pages,
        unplaced=unplaced,
        has_text=chars > 0,
    )
