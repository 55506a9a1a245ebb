"""Fetching a batch: details and originals of some invoices side by side, each stored at once under its own key.

What is in the store is never asked for again, so another attempt repeats at most the calls that were under way.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final, Literal

from msgspec import Struct

from signalbox_core.errors import NotFound, Rejected, SignalboxError, Unavailable
from signalbox_core.objects import ObjectStore
from signalbox_pipelines.invoice_import.fetch.list_reader import JSON
from signalbox_pipelines.invoice_import.fetch.reconciliation import Difference, differences
from signalbox_pipelines.invoice_import.messages import BatchDone, BatchRequest, Counts, Fault, Halt
from signalbox_pipelines.invoice_import.pacing.lanes import LaneName
from signalbox_pipelines.invoice_import.pacing.pacing import Pacing
from signalbox_pipelines.invoice_import.portal.client import PortalClient
from signalbox_pipelines.invoice_import.portal.faults import (
    Blocked,
    Busy,
    Drift,
    Mismatch,
    NoOriginal,
    Refused,
    SessionOver,
)
from signalbox_pipelines.invoice_import.portal.login import Session
from signalbox_pipelines.invoice_import.portal.originals import BadOriginal, Original, read_original, xml_in
from signalbox_pipelines.invoice_import.portal.rows import Row
from signalbox_pipelines.invoice_import.results import ImportedInvoice, ItemFailure
from signalbox_pipelines.invoice_import.results import Mismatch as Differing
from signalbox_pipelines.invoice_import.state.halts import halt_for

XML: Final = "application/xml"
_PASSING: Final = (Busy, Refused)
"""Faults of one invoice's call after which it is asked again, in another batch."""
PartName = Literal["detail", "xml"]


class Had(Struct, kw_only=True):
    """One invoice of the batch, as far as it is."""

    place: int
    row: Row
    todo: set[PartName]
    xml_key: str | None = None
    no_original: bool = False
    differences: tuple[Difference, ...] = ()
    failures: list[ItemFailure]
    faults: list[Fault]


class BatchFetcher:
    """Works on one batch.

    Raises:
        Drift, Mismatch: the whole import stops.
        Unavailable: the store or Redis is away.
    """

    def __init__(
        self,
        request: BatchRequest,
        *,
        client: PortalClient,
        pacing: Pacing,
        objects: ObjectStore,
        tell: Callable[[], None],
    ) -> None:
        self._request = request
        self._client = client
        self._pacing = pacing
        self._objects = objects
        self._tell = tell
        self._answered = 0
        self._halt: Halt | None = None
        self._stop: SignalboxError | None = None

    async def fetch(self, session: Session, rows: Iterable[tuple[int, Row]]) -> BatchDone:
        """Everything that can be had now."""
        items = [
            Had(place=place, row=row, todo=self._wanted(), failures=[], faults=[]) for place, row in rows
        ]
        jobs: dict[LaneName, list[tuple[Had, PartName]]] = {
            "query": [(item, "detail") for item in items if "detail" in item.todo],
            "export": [(item, "xml") for item in items if "xml" in item.todo],
        }
        try:
            async with asyncio.TaskGroup() as group:
                for lane, todo in jobs.items():
                    each = iter(todo)
                    for _ in range(min(self._pacing.lanes[lane].in_flight, len(todo))):
                        group.create_task(self._work(session, each))
        except ExceptionGroup as errors:
            raise _first_of(errors) from None
        return self._done(items)

    def _wanted(self) -> set[PartName]:
        wanted: set[PartName] = {"detail"} if self._request.details else set()
        return wanted | ({"xml"} if self._request.originals else set())

    async def _work(self, session: Session, jobs: "Iterable[tuple[Had, PartName]]") -> None:
        for item, part in jobs:
            if self._halt is not None:
                return
            try:
                await (self._detail(session, item) if part == "detail" else self._xml(session, item))
                item.todo.discard(part)
            except (Drift, Mismatch):
                raise
            except _PASSING as error:
                self._answered += isinstance(error, Refused)
                item.faults.append(_fault(item, part, error))
            except SignalboxError as error:
                self._other(item, part, error)
            self._tell()

    def _other(self, item: Had, part: PartName, error: SignalboxError) -> None:
        """A halt for everybody, or this invoice's own failure."""
        halt = halt_for(error)
        if halt is not None:
            self._halt = self._halt or halt
            self._stop = error if isinstance(error, SessionOver | Blocked) else self._stop
        elif isinstance(error, Unavailable):
            raise error
        else:
            self._answered += 1
            item.todo.discard(part)
            item.failures.append(self._failure(item, part, error))

    async def _detail(self, session: Session, item: Had) -> None:
        key = f"{self._request.account.root}/{item.row.key}.json"
        if await self._objects.exists(key):
            return
        async with self._turn("query"):
            body = await self._client.detail(session, item.row, self._request.part.direction)
        self._answered += 1
        await self._objects.put_new(key, body, JSON)

    async def _xml(self, session: Session, item: Had) -> None:
        key = f"{self._request.account.root}/{item.row.key}.xml"
        try:
            original = await asyncio.to_thread(read_original, await self._objects.get(key))
        except NotFound:
            try:
                original = await self._exported(session, item, key)
            except NoOriginal:
                self._answered += 1
                item.no_original = True
                return
        item.differences = differences(item.row, original)
        item.xml_key = key

    async def _exported(self, session: Session, item: Had, key: str) -> Original:
        async with self._turn("export"):
            archive = await self._client.original(session, item.row, self._request.part.direction)
        self._answered += 1
        try:
            body, original = await asyncio.to_thread(_unpacked, archive)
        except BadOriginal:
            digest = hashlib.sha256(archive).hexdigest()
            await self._objects.put_new(
                f"{self._request.account.root}/quarantine/{digest}.zip", archive, "application/zip"
            )
            raise
        await self._objects.put_new(key, body, XML)
        return original

    @contextlib.asynccontextmanager
    async def _turn(self, lane: LaneName) -> AsyncIterator[None]:
        async with self._pacing.turn(self._request.account.tax_code, lane):
            if self._stop is not None:
                # The session ended, or the firewall closed, while this call waited for its turn.
                raise self._stop
            yield

    def _failure(self, item: Had, part: PartName, error: SignalboxError) -> ItemFailure:
        return ItemFailure(
            key=item.row.key,
            month=self._request.part.month,
            direction=self._request.part.direction,
            family=item.row.family,
            part=part,
            code=error.stable_code,
            message=error.detail[:300],
        )

    def _done(self, items: list[Had]) -> BatchDone:
        whole = [item for item in items if not item.todo]
        families = {item.row.family for item in whole}
        return BatchDone(
            done=tuple(item.place for item in whole),
            counts={
                family: self._counts([item for item in whole if item.row.family == family])
                for family in sorted(families)
            },
            no_original=tuple(item.place for item in whole if item.no_original),
            failures=tuple(failure for item in whole for failure in item.failures),
            mismatches=tuple(differing for item in whole for differing in self._differing(item)),
            imported=tuple(_imported(item) for item in whole if not item.failures),
            faults=tuple(item.faults[0] for item in items if item.todo and item.faults),
            answered=self._answered,
            halt=self._halt,
        )

    def _counts(self, items: list[Had]) -> Counts:
        return Counts(
            details=sum(all(failure.part != "detail" for failure in item.failures) for item in items)
            if self._request.details
            else 0,
            xml=sum(item.xml_key is not None for item in items),
            no_original=sum(item.no_original for item in items),
            mismatches=sum(bool(item.differences) for item in items),
        )

    def _differing(self, item: Had) -> Iterable[Differing]:
        part, row = self._request.part, item.row
        for found in item.differences:
            yield Differing(
                key=row.key,
                month=part.month,
                direction=part.direction,
                family=row.family,
                field=found.field,
                listed=found.listed,
                original=found.original,
            )


def _unpacked(archive: bytes) -> tuple[bytes, Original]:
    body = xml_in(archive)
    return body, read_original(body)


def _fault(item: Had, part: PartName, error: SignalboxError) -> Fault:
    return Fault(
        place=item.place,
        key=item.row.key,
        family=item.row.family,
        part=part,
        code=error.stable_code,
        message=error.detail[:300],
    )


def _imported(item: Had) -> ImportedInvoice:
    row = item.row
    return ImportedInvoice(
        key=row.key,
        issued_on=row.issued_on,
        total=row.gross,
        currency=row.currency,
        status=row.status,
        xml=item.xml_key,
    )


def _first_of(errors: "ExceptionGroup[Exception]") -> Exception:
    """The one that says most: a final one before one that may pass."""
    return next((error for error in errors.exceptions if isinstance(error, Rejected)), errors.exceptions[0])
