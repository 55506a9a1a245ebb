"""Fetching a batch: details and originals of some invoices concurrently, each stored at once.

What is stored is not requested again, so a retry repeats at most the calls that were in flight.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta
from typing import Final, Literal, TypeVar

from msgspec import Struct

from signalbox_core.errors import NotFound, Rejected, SignalboxError, Unavailable
from signalbox_core.objects import ObjectStore
from signalbox_core.pipeline.activity import current_tenant
from signalbox_core.process.cpu_pool import CpuPool
from signalbox_pipelines.invoice_import.fetch.list_reader import JSON
from signalbox_pipelines.invoice_import.fetch.reconciliation import FieldDifference, differences
from signalbox_pipelines.invoice_import.messages import BatchDone, BatchRequest, Counts, FetchFault, Halt
from signalbox_pipelines.invoice_import.pacing.lanes import LaneName
from signalbox_pipelines.invoice_import.pacing.rate_limiter import PortalRateLimiter
from signalbox_pipelines.invoice_import.portal.client import PortalClient
from signalbox_pipelines.invoice_import.portal.faults import (
    NoOriginal,
    ParameterRejected,
    PortalBlocked,
    PortalBusy,
    SessionExpired,
    UnexpectedResponse,
    WrongTaxpayer,
)
from signalbox_pipelines.invoice_import.portal.login import PortalSession
from signalbox_pipelines.invoice_import.portal.originals import (
    BadOriginal,
    Original,
    extract_xml,
    read_original,
)
from signalbox_pipelines.invoice_import.portal.rows import InvoiceRow
from signalbox_pipelines.invoice_import.results import ImportedInvoice, ItemFailure, Mismatch
from signalbox_pipelines.invoice_import.state.halts import halt_for

R = TypeVar("R")
XML: Final = "application/xml"
_RETRYABLE: Final = (PortalBusy, ParameterRejected)
"""Errors of one invoice after which it is retried in another batch."""
PartName = Literal["detail", "xml"]
_PARSE_WITHIN: Final = timedelta(seconds=20)


class InvoiceItem(Struct, kw_only=True):
    """One invoice of the batch and its progress.

    `todo` is what is still to fetch, `place` the position in the list of the part.
    """

    place: int
    row: InvoiceRow
    todo: set[PartName]
    xml_key: str | None = None
    no_original: bool = False
    differences: tuple[FieldDifference, ...] = ()
    failures: list[ItemFailure]
    faults: list[FetchFault]


class BatchFetcher:
    """Fetches one batch.

    Args:
        heartbeat: called after each call.

    Raises:
        UnexpectedResponse, WrongTaxpayer: the whole import stops.
        Unavailable: the object store or Redis does not respond.
    """

    def __init__(
        self,
        request: BatchRequest,
        *,
        client: PortalClient,
        limiter: PortalRateLimiter,
        objects: ObjectStore,
        cpu: CpuPool,
        heartbeat: Callable[[], None],
    ) -> None:
        self._request = request
        self._client = client
        self._limiter = limiter
        self._objects = objects
        self._cpu = cpu
        self._heartbeat = heartbeat
        self._answered = 0
        self._halt: Halt | None = None
        self._stop: SignalboxError | None = None

    async def fetch(self, session: PortalSession, rows: Iterable[tuple[int, InvoiceRow]]) -> BatchDone:
        """Fetch as much of the batch as possible."""
        items = [
            InvoiceItem(place=place, row=row, todo=self._requested_parts(), failures=[], faults=[])
            for place, row in rows
        ]
        jobs: dict[LaneName, list[tuple[InvoiceItem, PartName]]] = {
            "query": [(item, "detail") for item in items if "detail" in item.todo],
            "export": [(item, "xml") for item in items if "xml" in item.todo],
        }
        try:
            async with asyncio.TaskGroup() as group:
                for lane, todo in jobs.items():
                    jobs_left = iter(todo)
                    for _ in range(min(self._limiter.lanes[lane].in_flight, len(todo))):
                        group.create_task(self._run_jobs(session, jobs_left))
        except ExceptionGroup as errors:
            raise _most_specific(errors) from None
        return self._result(items)

    def _requested_parts(self) -> set[PartName]:
        wanted: set[PartName] = {"detail"} if self._request.details else set()
        return wanted | ({"xml"} if self._request.originals else set())

    async def _run_jobs(self, session: PortalSession, jobs: "Iterable[tuple[InvoiceItem, PartName]]") -> None:
        for item, part in jobs:
            if self._halt is not None:
                return
            try:
                await (
                    self._fetch_detail(session, item)
                    if part == "detail"
                    else self._fetch_original(session, item)
                )
                item.todo.discard(part)
            except (UnexpectedResponse, WrongTaxpayer):
                raise
            except _RETRYABLE as error:
                self._answered += isinstance(error, ParameterRejected)
                item.faults.append(_fault(item, part, error))
            except SignalboxError as error:
                self._handle_failure(item, part, error)
            self._heartbeat()

    def _handle_failure(self, item: InvoiceItem, part: PartName, error: SignalboxError) -> None:
        """Record a halt of the whole batch, or a failure of this invoice."""
        halt = halt_for(error)
        if halt is not None:
            self._halt = self._halt or halt
            self._stop = error if isinstance(error, SessionExpired | PortalBlocked) else self._stop
        elif isinstance(error, Unavailable):
            raise error
        else:
            self._answered += 1
            item.todo.discard(part)
            item.failures.append(self._failure(item, part, error))

    async def _fetch_detail(self, session: PortalSession, item: InvoiceItem) -> None:
        key = f"{self._request.account.root}/{item.row.key}.json"
        if await self._objects.exists(key):
            return
        async with self._permit("query"):
            body = await self._client.detail(session, item.row, self._request.part.direction)
        self._answered += 1
        await self._objects.put_new(key, body, JSON)

    async def _fetch_original(self, session: PortalSession, item: InvoiceItem) -> None:
        key = f"{self._request.account.root}/{item.row.key}.xml"
        try:
            original = await self._parse(read_original, await self._objects.get(key))
        except NotFound:
            try:
                original = await self._export_original(session, item, key)
            except NoOriginal:
                self._answered += 1
                item.no_original = True
                return
        item.differences = differences(item.row, original)
        item.xml_key = key

    async def _export_original(self, session: PortalSession, item: InvoiceItem, key: str) -> Original:
        async with self._permit("export"):
            archive = await self._client.original(session, item.row, self._request.part.direction)
        self._answered += 1
        try:
            body, original = await self._parse(_unpack, archive)
        except BadOriginal:
            digest = hashlib.sha256(archive).hexdigest()
            await self._objects.put_new(
                f"{self._request.account.root}/quarantine/{digest}.zip", archive, "application/zip"
            )
            raise
        await self._objects.put_new(key, body, XML)
        return original

    async def _parse(self, work: Callable[[bytes], R], body: bytes) -> R:
        return await self._cpu.run(
            work, body, tenant=current_tenant(), within=_PARSE_WITHIN, subject="invoice"
        )

    @contextlib.asynccontextmanager
    async def _permit(self, lane: LaneName) -> AsyncIterator[None]:
        async with self._limiter.permit(self._request.account.tax_code, lane):
            if self._stop is not None:
                # The session ended, or the firewall blocked us, while this call waited for its permit.
                raise self._stop
            yield

    def _failure(self, item: InvoiceItem, part: PartName, error: SignalboxError) -> ItemFailure:
        return ItemFailure(
            key=item.row.key,
            month=self._request.part.month,
            direction=self._request.part.direction,
            family=item.row.family,
            part=part,
            code=error.stable_code,
            message=error.detail[:300],
        )

    def _result(self, items: list[InvoiceItem]) -> BatchDone:
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
            mismatches=tuple(mismatch for item in whole for mismatch in self._mismatches(item)),
            imported=tuple(_imported(item) for item in whole if not item.failures),
            faults=tuple(item.faults[0] for item in items if item.todo and item.faults),
            answered=self._answered,
            halt=self._halt,
        )

    def _counts(self, items: list[InvoiceItem]) -> Counts:
        return Counts(
            details=sum(all(failure.part != "detail" for failure in item.failures) for item in items)
            if self._request.details
            else 0,
            xml=sum(item.xml_key is not None for item in items),
            no_original=sum(item.no_original for item in items),
            mismatches=sum(bool(item.differences) for item in items),
        )

    def _mismatches(self, item: InvoiceItem) -> Iterable[Mismatch]:
        part, row = self._request.part, item.row
        for found in item.differences:
            yield Mismatch(
                key=row.key,
                month=part.month,
                direction=part.direction,
                family=row.family,
                field=found.field,
                listed=found.listed,
                original=found.original,
            )


def _unpack(archive: bytes) -> tuple[bytes, Original]:
    body = extract_xml(archive)
    return body, read_original(body)


def _fault(item: InvoiceItem, part: PartName, error: SignalboxError) -> FetchFault:
    return FetchFault(
        place=item.place,
        key=item.row.key,
        family=item.row.family,
        part=part,
        code=error.stable_code,
        message=error.detail[:300],
    )


def _imported(item: InvoiceItem) -> ImportedInvoice:
    row = item.row
    return ImportedInvoice(
        key=row.key,
        issued_on=row.issued_on,
        total=row.gross,
        currency=row.currency,
        status=row.status,
        xml=item.xml_key,
    )


def _most_specific(errors: "ExceptionGroup[Exception]") -> Exception:
    """Prefer an error that is final to one that may pass."""
    return next((error for error in errors.exceptions if isinstance(error, Rejected)), errors.exceptions[0])
