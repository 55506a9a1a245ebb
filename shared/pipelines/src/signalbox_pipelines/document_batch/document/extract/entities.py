"""Finding the facts on a page: one finder per type, in a fixed order of precedence."""

from collections.abc import Sequence
from itertools import chain, islice
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
from signalbox_pipelines.document_batch.document.extract.conventions import (
    Conventions,
    conventions_of,
    only_currency,
)
from signalbox_pipelines.document_batch.document.extract.dates import find_dates
from signalbox_pipelines.document_batch.document.extract.finder import Finder, TextMatch
from signalbox_pipelines.document_batch.document.extract.labelled_amounts import find_labelled_amounts
from signalbox_pipelines.document_batch.document.messages import Entity, PageText

VERSION: Final = "9"
"""Part of the key of the stored facts. Raise it when a finder changes."""
MAX_PER_PAGE: Final = 500

FINDERS: Final[tuple[tuple[EntityType, Finder], ...]] = (
    ("email", find_emails),
    ("iban", find_ibans),
    ("vat", find_vat_ids),
    ("tax_id", find_tax_ids),
    ("date", find_dates),
    ("amount", find_amounts),
    ("phone", find_phones),
)
"""By precedence: a stricter finder comes first, since an account number also looks like a phone number."""

_WITH_CHECK_DIGITS: Final = frozenset[EntityType]({"iban", "vat", "tax_id"})


class _ClaimedSpans(Struct):
    taken: list[tuple[int, int]]

    def claim(self, start: int, end: int) -> bool:
        """Claim a span; False when it overlaps one that is claimed."""
        if any(start < other_end and other_start < end for other_start, other_end in self.taken):
            return False
        self.taken.append((start, end))
        return True


def find_entities(
    page: PageText, languages: Sequence[Language], conventions: Conventions | None = None
) -> list[Entity]:
    """Find the facts on a page, in text order and without overlaps.

    Args:
        languages: of the document, the most likely one first.
        conventions: of the document; without them, those of the page.
    """
    conventions = conventions or conventions_of([page.text], languages)
    currency = conventions.currency or only_currency([page.text])
    claims = _ClaimedSpans([])
    entities: list[Entity] = []
    for kind, finder in FINDERS:
        matches = finder(page.text, conventions)
        if kind == "amount" and currency is not None:
            matches = chain(matches, find_labelled_amounts(page.text, currency))
        for found in islice(matches, MAX_PER_PAGE):
            if len(entities) >= MAX_PER_PAGE:
                break
            if claims.claim(found.start, found.end):
                entities.append(_entity(kind, found, page))
    return sorted(entities, key=lambda entity: entity.start)


def _entity(kind: EntityType, found: TextMatch, page: PageText) -> Entity:
    problem = found.problem or (None if kind in _WITH_CHECK_DIGITS else _doubt(found, page))
    return Entity(
        type=kind,
        text=page.text[found.start : found.end],
        value=found.value,
        page=page.number,
        start=found.start,
        end=found.end,
        valid=problem is None,
        currency=found.currency,
        note=problem or found.remark,
    )


def _doubt(found: TextMatch, page: PageText) -> str | None:
    for doubt in page.doubts:
        if doubt.start < found.end and found.start < doubt.end:
            return f"OCR reads {doubt.readings[0]} or {doubt.readings[1]}; compare it with the page"
    return None
