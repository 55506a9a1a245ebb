"""How a list is asked for, and when it ends: search text, cursor, page size. Pure."""

import re
from collections.abc import Collection
from typing import Final

from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.invoice_import.months import Days
from signalbox_pipelines.invoice_import.portal.rows import Page
from signalbox_pipelines.invoice_import.results import Direction, Family

SMALLEST_PAGE: Final = 15
"""The portal's own; a heavy taxpayer's pages of 50 were seen cut, 35 times of 35."""
_VALUE: Final = re.compile(r"[A-Za-z0-9_.:/-]+")


class Query(Struct, frozen=True, kw_only=True):
    """One list of the portal. `processing` is its `ttxly` filter, without which it lists purchases of one state only."""

    direction: Direction
    family: Family
    processing: int | None
    days: Days

    @property
    def name(self) -> str:
        state = "all" if self.processing is None else str(self.processing)
        return f"{self.direction}-{self.family}-{state}-{self.days.name}"


def queries_of(direction: Direction, days: Days) -> tuple[Query, ...]:
    """The lists that together hold every invoice of a direction."""
    families: tuple[tuple[Family, int | None], ...] = (
        (("ordinary", 5), ("ordinary", 6), ("cash_register", 8))
        if direction == "purchase"
        else (("ordinary", None), ("cash_register", None))
    )
    return tuple(
        Query(direction=direction, family=family, processing=processing, days=days)
        for family, processing in families
    )


def search_text(query: Query) -> str:
    """The RSQL of a query. The portal's days are `DD/MM/YYYY`."""
    parts = [
        f"tdlap=ge={query.days.first:%d/%m/%Y}T00:00:00",
        f"tdlap=le={query.days.last:%d/%m/%Y}T23:59:59",
    ]
    if query.processing is not None:
        parts.append(f"ttxly=={query.processing}")
    return ";".join(parts)


def checked_value(text: str, *, field: str) -> str:
    """A value for the portal's URLs and search text: a `;` or `,` in it would be a clause of its own.

    Raises:
        InvalidInput: naming `field`.
    """
    if not _VALUE.fullmatch(text):
        raise InvalidInput(
            f"{field} {text[:60]!r} has characters that the portal's search does not take", field=field
        )
    return text


def is_last(page: Page, size: int, seen_states: Collection[str]) -> bool:
    """Whether nothing follows: a short page, no state, or one that was there before (the portal was seen to go in circles)."""
    return len(page.rows) < size or page.state is None or page.state in seen_states


def smaller(size: int) -> int | None:
    """The next page size after the portal could not send one; None below the smallest."""
    return None if size <= SMALLEST_PAGE else max(SMALLEST_PAGE, size // 2)
