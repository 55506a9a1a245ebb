"""Reading the lists of a part page by page.

Each page is stored at once, so a retry continues at the first page that is not stored.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import NotFound
from signalbox_core.objects import ObjectStore
from signalbox_pipelines.invoice_import.messages import FamilyFound, ListRequest
from signalbox_pipelines.invoice_import.months import Days, split_in_half
from signalbox_pipelines.invoice_import.pacing.rate_limiter import PortalRateLimiter
from signalbox_pipelines.invoice_import.portal.client import PortalClient
from signalbox_pipelines.invoice_import.portal.faults import ParameterRejected, TruncatedResponse
from signalbox_pipelines.invoice_import.portal.login import PortalSession
from signalbox_pipelines.invoice_import.portal.queries import (
    SMALLEST_PAGE,
    ListQuery,
    is_last_page,
    queries_for,
    smaller_page_size,
)
from signalbox_pipelines.invoice_import.portal.rows import InvoiceRow, ListPage, check_taxpayer
from signalbox_pipelines.invoice_import.results import Family

JSON: Final = "application/json"
_MAX_REJECTIONS: Final = 3
NO_CASH_REGISTERS: Final = "the portal has no cash register invoices of this taxpayer"


class PageFile(Struct, frozen=True, kw_only=True):
    """A stored page. `size` is the requested page size, which later pages do not exceed."""

    size: int
    page: ListPage


class QueryResult(Struct, frozen=True, kw_only=True):
    """All rows of a query. `total` is the portal's own count."""

    rows: dict[str, InvoiceRow]
    total: int


class ListReader:
    """Reads the lists of one part; after an error, the pages read so far are stored.

    Args:
        on_progress: called with (rows read, rows in total).
    """

    def __init__(
        self,
        *,
        client: PortalClient,
        limiter: PortalRateLimiter,
        objects: ObjectStore,
        session: PortalSession,
        on_progress: Callable[[int, int], None],
    ):
        self._client = client
        self._limiter = limiter
        self._objects = objects
        self._session = session
        self._on_progress = on_progress
        self._size = client.settings.page_size
        self.seen = 0

    async def read(self, request: ListRequest) -> tuple[list[InvoiceRow], tuple[FamilyFound, ...]]:
        """Return every row of the part once, and the counts of each family."""
        part = request.part
        self._size = await self._limiter.sizes.get(request.account.tax_code, self._size)
        rows: dict[str, InvoiceRow] = {}
        found: dict[Family, FamilyFound] = {}
        for query in queries_for(part.direction, Days(part.first, part.last)):
            try:
                result = await self._complete(request, query)
            except (NotFound, ParameterRejected):
                if query.family != "cash_register":
                    raise
                found[query.family] = FamilyFound(family=query.family, rows=0, note=NO_CASH_REGISTERS)
                continue
            new = {key: row for key, row in result.rows.items() if key not in rows}
            rows.update(new)
            before = found.get(query.family, FamilyFound(family=query.family, rows=0))
            missing = before.missing + max(0, result.total - len(result.rows))
            found[query.family] = FamilyFound(
                family=query.family, rows=before.rows + len(new), missing=missing
            )
        return list(rows.values()), tuple(found.values())

    async def _complete(self, request: ListRequest, query: ListQuery) -> QueryResult:
        """Return the rows of the query; when some are missing, query shorter ranges of days as well.

        The portal's cursor has been observed to go in circles and so to lose rows.
        """
        result = await self._read_pages(request, query)
        parts = split_in_half(query.days)
        if len(result.rows) >= result.total or len(parts) == 1:
            return result
        rows = dict(result.rows)
        for days in parts:
            rows.update((await self._complete(request, msgspec.structs.replace(query, days=days))).rows)
        return QueryResult(rows=rows, total=result.total)

    async def _read_pages(self, request: ListRequest, query: ListQuery) -> QueryResult:
        rows: dict[str, InvoiceRow] = {}
        states: list[str] = []
        number = 0
        while True:
            state = states[-1] if states else None
            file = await self._page(request, query, number, state)
            self._size = min(self._size, file.size)
            rows.update({row.key: row for row in file.page.rows})
            self.seen += len(file.page.rows)
            self._on_progress(self.seen, file.page.total)
            if is_last_page(file.page, file.size, states):
                return QueryResult(rows=rows, total=file.page.total)
            states.append(file.page.state or "")
            number += 1

    async def _page(self, request: ListRequest, query: ListQuery, number: int, state: str | None) -> PageFile:
        key = f"{request.account.folder}/{request.part.name}/pages/{query.name}/{number:05}.json"
        try:
            return msgspec.json.decode(await self._objects.get(key), type=PageFile)
        except NotFound:
            pass
        file = await self._request_page(request, query, state)
        check_taxpayer(file.page.rows, request.account.tax_code, query.direction)
        await self._objects.put_new(key, msgspec.json.encode(file), JSON)
        return file

    async def _request_page(self, request: ListRequest, query: ListQuery, state: str | None) -> PageFile:
        """Request a page; after a truncated or rejected one, a smaller page. The third rejection is final."""
        rejections = 0
        while True:
            size = self._size
            try:
                async with self._limiter.permit(request.account.tax_code, "query"):
                    return PageFile(
                        size=size, page=await self._client.page(self._session, query, size=size, state=state)
                    )
            except TruncatedResponse:
                smaller = smaller_page_size(size)
                if smaller is None:
                    raise
                self._size = smaller
                await self._limiter.sizes.shrink(request.account.tax_code, smaller)
            except ParameterRejected:
                rejections += 1
                if rejections >= _MAX_REJECTIONS:
                    raise
                self._size = min(size, SMALLEST_PAGE)


def index_key(folder: str, part_name: str) -> str:
    return f"{folder}/{part_name}/index.json"
