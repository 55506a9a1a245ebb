"""Extracts the facts of a stored text, a window of pages per call, which bounds the memory of a call."""

import msgspec
from msgspec import Struct

from signalbox_pipelines.document_batch.document.contract import Language
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
    """

    entities: list[Entity]
    stop: int
    page_count: int
    layer_pages: list[int]


def find_in_window(pages_json: bytes, start: int, languages: tuple[Language, ...]) -> EntityWindow:
    """Find the facts from page index `start` on.

    Args:
        pages_json: a JSON list of PageText.
    """
    raw_pages = msgspec.json.decode(pages_json, type=list[msgspec.Raw])
    found: list[Entity] = []
    layer_pages: list[int] = []
    chars, stop = 0, start
    while stop < len(raw_pages) and chars < WINDOW_CHARS:
        page = msgspec.json.decode(raw_pages[stop], type=PageText)
        found += locate_in_words(page, find_entities(page, languages))
        if page.read_by == "text layer":
            layer_pages.append(page.number)
        chars += len(page.text)
        stop += 1
    return EntityWindow(entities=found, stop=stop, page_count=len(raw_pages), layer_pages=layer_pages)
