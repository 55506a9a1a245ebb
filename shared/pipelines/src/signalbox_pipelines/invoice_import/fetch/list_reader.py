"""Reading the lists of a part: page by page, each kept at once, so that another attempt goes on at the first page not kept."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import NotFound
from signalbox_core.objects import ObjectStore
from signalbox_pipelines.invoice_import.messages import FamilyFound, ListRequest
from signalbox_pipelines.invoice_import.months import Days, halves_of
from signalbox_pipelines.invoice_import.pacing.pacing import Pacing
from signalbox_pipelines.invoice_import.portal.client import PortalClient
from signalbox_pipelines.invoice_import.portal.faults import CutBody, Refused
from signalbox_pipelines.invoice_import.portal.login import Session
from signalbox_pipelines.invoice_import.portal.queries import (
    SMALLEST_PAGE,
    Query,
    is_last,
    queries_of,
    smaller,
)
from signalbox_pipelines.invoice_import.portal.rows import Page, Row, guard
from signalbox_pipelines.invoice_import.results import Family

JSON: Final = "application/json"
_MAX_REFUSALS: Final = 3
NO_CASH_REGISTERS: Final = "the portal has no cash register invoices of this taxpayer"


class PageFile(Struct, frozen=True, kw_only=True):
    """A page as it is kept. `size` is what was asked for: later pages are asked no larger."""

    size: int
    page: Page


class Window(Struct, frozen=True, kw_only=True):
    """All that a query gave. `total` is the portal's own count."""

    rows: dict[str, Row]
    total: int


class ListReader:
    """Reads one part. Raises what the portal's answers mean; what was read until then is kept."""

    def __init__(
        self,
        *,
        client: PortalClient,
        pacing: Pacing,
        objects: ObjectStore,
        session: Session,
        tell: Callable[[int, int], None],
    ):
        self._client = client
        self._pacing = pacing
        self._objects = objects
        self._session = session
        self._tell = tell
        self._size = client.settings.page_size
        self.seen = 0

    async def read(self, request: ListRequest) -> tuple[list[Row], tuple[FamilyFound, ...]]:
        """Every row of the part once, and what each family gave."""
        part = request.part
        self._size = await self._pacing.sizes.known(request.account.tax_code, self._size)
        rows: dict[str, Row] = {}
        found: dict[Family, FamilyFound] = {}
        for query in queries_of(part.direction, Days(part.first, part.last)):
            try:
                window = await self._complete(request, query)
            except (NotFound, Refused):
                if query.family != "cash_register":
                    raise
                found[query.family] = FamilyFound(family=query.family, rows=0, note=NO_CASH_REGISTERS)
                continue
            new = {key: row for key, row in window.rows.items() if key not in rows}
            rows.update(new)
            before = found.get(query.family, FamilyFound(family=query.family, rows=0))
            missing = before.missing + max(0, window.total - len(window.rows))
            found[query.family] = FamilyFound(
                family=query.family, rows=before.rows + len(new), missing=missing
            )
        return list(rows.values()), tuple(found.values())

    async def _complete(self, request: ListRequest, query: Query) -> Window:
        """The query's rows; when the portal's cursor loses some (it was seen to go in circles), also those of shorter ranges."""
        window = await self._window(request, query)
        parts = halves_of(query.days)
        if len(window.rows) >= window.total or len(parts) == 1:
            return window
        rows = dict(window.rows)
        for days in parts:
            rows.update((await self._complete(request, msgspec.structs.replace(query, days=days))).rows)
        return Window(rows=rows, total=window.total)

    async def _window(self, request: ListRequest, query: Query) -> Window:
        rows: dict[str, Row] = {}
        states: list[str] = []
        number = 0
        while True:
            state = states[-1] if states else None
            file = await self._page(request, query, number, state)
            self._size = min(self._size, file.size)
            rows.update({row.key: row for row in file.page.rows})
            self.seen += len(file.page.rows)
            self._tell(self.seen, file.page.total)
            if is_last(file.page, file.size, states):
                return Window(rows=rows, total=file.page.total)
            states.append(file.page.state or "")
            number += 1

    async def _page(self, request: ListRequest, query: Query, number: int, state: str | None) -> PageFile:
        key = f"{request.account.folder}/{request.part.name}/pages/{query.name}/{number:05}.json"
        try:
            return msgspec.json.decode(await self._objects.get(key), type=PageFile)
        except NotFound:
            pass
        file = await self._asked(request, query, state)
        guard(file.page.rows, request.account.tax_code, query.direction)
        await self._objects.put_new(key, msgspec.json.encode(file), JSON)
        return file

    async def _asked(self, request: ListRequest, query: Query, state: str | None) -> PageFile:
        """The page from the portal: a cut body asks for a smaller one, as does a refusal, which is final the third time."""
        refusals = 0
        while True:
            size = self._size
            try:
                async with self._pacing.turn(request.account.tax_code, "query"):
                    return PageFile(
                        size=size, page=await self._client.page(self._session, query, size=size, state=state)
                    )
            except CutBody:
                fewer = smaller(size)
                if fewer is None:
                    raise
                self._size = fewer
                await self._pacing.sizes.shrink(request.account.tax_code, fewer)
            except Refused:
                refusals += 1
                if refusals >= _MAX_REFUSALS:
                    raise
                self._size = min(size, SMALLEST_PAGE)


def index_key(folder: str, part_name: str) -> str:
    return f"{folder}/{part_name}/index.json"
