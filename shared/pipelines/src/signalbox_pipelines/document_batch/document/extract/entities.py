"""Finding facts in a page's text: a finder for each type, in an order in which each claims its place. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from signalbox_pipelines.document_batch.document.contract import EntityType, Language
from signalbox_pipelines.document_batch.document.extract.accounts import (
    find_ibans,
    find_tax_ids,
    find_vat_ids,
)
from signalbox_pipelines.document_batch.document.extract.amounts import find_amounts
from signalbox_pipelines.document_batch.document.extract.contacts import find_emails, find_phones
from signalbox_pipelines.document_batch.document.extract.dates import find_dates
from signalbox_pipelines.document_batch.document.extract.match import Found
from signalbox_pipelines.document_batch.document.messages import Entity, PageText

VERSION: Final = "2"
MAX_PER_PAGE: Final = 500

Finder = Callable[[str, Language], Iterator[Found]]
# An account number looks like a phone number: what is stricter claims its place first.
FINDERS: Final[tuple[tuple[EntityType, Finder], ...]] = (
    ("email", find_emails),
    ("iban", find_ibans),
    ("vat", find_vat_ids),
    ("tax_id", find_tax_ids),
    ("date", find_dates),
    ("amount", find_amounts),
    ("phone", find_phones),
)


class _Claims(Struct):
    taken: list[tuple[int, int]]

    def claim(self, start: int, end: int) -> bool:
        """Whether nobody claimed any of it before."""
        if any(start < other_end and other_start < end for other_start, other_end in self.taken):
            return False
        self.taken.append((start, end))
        return True


def find_entities(page: PageText, languages: Sequence[Language]) -> list[Entity]:
    """The page's entities in the order of the text."""
    claims = _Claims([])
    entities: list[Entity] = []
    for kind, finder in FINDERS:
        for found in finder(page.text, languages[0]):
            if len(entities) < MAX_PER_PAGE and claims.claim(found.start, found.end):
                entities.append(_entity(kind, found, page))
    return sorted(entities, key=lambda entity: entity.start)


def _entity(kind: EntityType, found: Found, page: PageText) -> Entity:
    return Entity(
        type=kind,
        text=page.text[found.start : found.end],
        value=found.value,
        page=page.number,
        start=found.start,
        end=found.end,
        valid=found.problem is None,
        currency=found.currency,
        note=found.problem or found.remark,
    )
