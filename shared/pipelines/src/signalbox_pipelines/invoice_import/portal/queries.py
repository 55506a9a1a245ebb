"""How lists are queried, and when they end: search text, cursor, page size. Pure."""

import re
from collections.abc import Collection
from typing import Final

from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.invoice_import.months import Days
from signalbox_pipelines.invoice_import.portal.rows import ListPage
from signalbox_pipelines.invoice_import.results import Direction, Family

SMALLEST_PAGE: Final = 15
"""The size that the portal's own page uses. For a large taxpayer, 35 of 35 pages of 50 were cut off."""
_VALUE: Final = re.compile(r"[A-Za-z0-9_.:/-]+")


class ListQuery(Struct, frozen=True, kw_only=True):
    """One list of the portal.

    `processing` is the `ttxly` filter, without which the portal lists purchases of one state only.
    """

    direction: Direction
    family: Family
    processing: int | None
    days: Days

    @property
    def name(self) -> str:
        state = "all" if self.processing is None else str(self.processing)
        return f"{self.direction}-{self.family}-{state}-{self.days.name}"


def queries_for(direction: Direction, days: Days) -> tuple[ListQuery, ...]:
    """Return the queries that together cover every invoice of a direction."""
    families: tuple[tuple[Family, int | None], ...] = (
        (("ordinary", 5), ("ordinary", 6), ("cash_register", 8))
        if direction == "purchase"
        else (("ordinary", None), ("cash_register", None))
    )
    return tuple(
        ListQuery(direction=direction, family=family, processing=processing, days=days)
        for family, processing in families
    )


def search_text(query: ListQuery) -> str:
    """Build the RSQL filter of a query. The portal writes days as `DD/MM/YYYY`."""
    parts = [
        f"tdlap=ge={query.days.first:%d/%m/%Y}T00:00:00",
        f"tdlap=le={query.days.last:%d/%m/%Y}T23:59:59",
    ]
    if query.processing is not None:
        parts.append(f"ttxly=={query.processing}")
    return ";".join(parts)


def checked_value(text: str, *, field: str) -> str:
    """Check a value for the portal's URLs and filters, where a `;` or `,` would start another clause.

    Raises:
        InvalidInput: with the field `field`.
    """
    if not _VALUE.fullmatch(text):
        raise InvalidInput(
            f"{field} {text[:60]!r} has characters that the portal does not allow", field=field
        )
    return text


def is_last_page(page: ListPage, size: int, seen_states: Collection[str]) -> bool:
    """Whether the list ends here: a short page, no cursor, or a cursor seen before.

    The portal has been observed to return the same cursors again.
    """
    return len(page.rows) < size or page.state is None or page.state in seen_states


def smaller_page_size(size: int) -> int | None:
    """The page size to try after a page was cut off; None when it cannot be smaller."""
    return None if size <= SMALLEST_PAGE else max(SMALLEST_PAGE, size // 2)
