"""The work of invoice_import. Every activity gives its slot back instead of waiting for the portal, with what it has kept in the store."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import msgspec
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.crypto.sealing import VARIABLE as PAYLOAD_KEYS
from signalbox_core.crypto.sealing import open_key_ring
from signalbox_core.crypto.secret_refs import SecretRefs
from signalbox_core.errors import Conflict, InvalidInput, SignalboxError
from signalbox_core.pipeline.activity import emit_on_complete, progress
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.scaling.hints import Hints
from signalbox_pipelines.invoice_import.auth.sessions import Sessions
from signalbox_pipelines.invoice_import.auth.sign_in import Desk
from signalbox_pipelines.invoice_import.fetch.batch_fetcher import BatchFetcher
from signalbox_pipelines.invoice_import.fetch.list_reader import JSON, ListReader, index_key
from signalbox_pipelines.invoice_import.messages import (
    BatchDone,
    BatchRequest,
    CaptchaPicture,
    CaptchaRequest,
    HintRequest,
    HolderRequest,
    LeaveRequest,
    Listed,
    ListRequest,
    RecordRequest,
    Report,
    ReportRequest,
    SignInOutcome,
    SignInRequest,
    StoredFile,
    TableRequest,
)
from signalbox_pipelines.invoice_import.pacing.lanes import lanes_of
from signalbox_pipelines.invoice_import.pacing.pacing import Pacing
from signalbox_pipelines.invoice_import.portal.captcha import solver_named
from signalbox_pipelines.invoice_import.portal.client import PortalClient
from signalbox_pipelines.invoice_import.portal.rows import Row
from signalbox_pipelines.invoice_import.portal.settings import portal_settings
from signalbox_pipelines.invoice_import.report.reporter import Reporter
from signalbox_pipelines.invoice_import.results import ImportTable, InvoicesImported
from signalbox_pipelines.invoice_import.state.halts import halt_for
from signalbox_pipelines.invoice_import.state.import_state import title_of

_BEAT_S: Final = 4.0
_RUNNING: Final = WorkflowExecutionStatus.RUNNING


def _told(request: BatchRequest, batch: BatchDone) -> InvoicesImported | None:
    """The event of a batch; none when nothing came in."""
    if not batch.imported:
        return None
    part = request.part
    return InvoicesImported(
        tax_code=request.account.tax_code, month=part.month, direction=part.direction, invoices=batch.imported
    )


class InvoiceActivities:
    """The pipeline's activities, given what they may use.

    Args:
        client: of the portal; the one that the environment names unless given.
    """

    def __init__(self, deps: ActivityDeps, client: PortalClient | None = None) -> None:
        self._objects = deps.objects
        self._hints = Hints(deps.redis)
        self._client = client or PortalClient(portal_settings(deps.environ))
        ring = open_key_ring(deps.environ.get(PAYLOAD_KEYS))
        lanes = lanes_of(self._client.settings)
        self._shared = None if deps.redis is None else (Pacing(deps.redis, lanes), Sessions(deps.redis, ring))
        self._secrets = SecretRefs(deps.environ)
        self._solver = solver_named(self._client.settings.captcha_solver)
        # Lists never change once written; every batch of a part reads the same one.
        self._lists: dict[str, Sequence[Row]] = {}

    @activity.defn(name="invoice_import.find_holder")
    async def find_holder(self, request: HolderRequest) -> bool:
        """Whether the taxpayer's turn is free after all: its holder has ended without giving it back. Idempotent.

        Raises:
            Conflict: `import_running`, naming the run.
        """
        turn = activity.client().get_workflow_handle(request.turn_id)
        try:
            description = await turn.describe()
            holder = str(await description.memo_value("holder", ""))
            holds = holder != request.account.run_id and await _runs(holder)
            if holds:
                detail = f"run {holder} imports {request.account.tax_code} now; wait for its end or cancel it, then start again"
                raise Conflict(detail, code="import_running", field="tax_code", run_id=holder)
            # By its execution: another run may have the turn by now.
            stale = activity.client().get_workflow_handle(request.turn_id, run_id=description.run_id)
            await stale.terminate(reason=f"its holder {holder} has ended")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        return True

    @activity.defn(name="invoice_import.fetch_captcha")
    async def fetch_captcha(self, request: CaptchaRequest) -> CaptchaPicture:
        """A picture to be read. Not repeated by itself: each one is another picture."""
        return await self._desk().picture(request.account)

    @activity.defn(name="invoice_import.sign_in")
    async def sign_in(self, request: SignInRequest) -> SignInOutcome:
        """One try with one picture. Tried once: a second one with the same picture cannot succeed."""
        return await self._desk().sign_in(request)

    @activity.defn(name="invoice_import.list_invoices")
    async def list_invoices(self, request: ListRequest) -> Listed:
        """Every row of a month and direction. Idempotent by (run, part, page): pages that are kept are not asked for again."""
        pacing, sessions = self._shared_state()
        title = title_of(request.part)

        def tell(seen: int, total: int) -> None:
            share = min(1.0, seen / total) if total else 0.0
            progress(request.number + share, of=request.parts, message=f"{title}: {seen:,} listed")

        async with _beating():
            seen = 0
            try:
                session = await sessions.open(request.account)
                reader = ListReader(
                    client=self._client, pacing=pacing, objects=self._objects, session=session, tell=tell
                )
                try:
                    rows, found = await reader.read(request)
                finally:
                    seen = reader.seen
            except SignalboxError as error:
                halt = halt_for(error)
                if halt is None:
                    raise
                return Listed(seen=seen, halt=halt)
            key = index_key(request.account.folder, request.part.name)
            await self._objects.put_new(key, await asyncio.to_thread(msgspec.json.encode, rows), JSON)
            return Listed(seen=seen, found=found)

    @activity.defn(name="invoice_import.fetch_batch")
    @emit_on_complete("invoice.imported", payload=_told, compact=True)
    async def fetch_batch(self, request: BatchRequest) -> BatchDone:
        """Details and originals of some invoices. Idempotent by invoice: what is in the store is not asked for again."""
        pacing, sessions = self._shared_state()
        async with _beating() as beat:
            rows = await self._rows(index_key(request.account.folder, request.part.name))
            fetcher = BatchFetcher(
                request, client=self._client, pacing=pacing, objects=self._objects, tell=beat
            )
            try:
                session = await sessions.open(request.account)
            except SignalboxError as error:
                halt = halt_for(error)
                if halt is None:
                    raise
                return BatchDone(done=(), counts={}, halt=halt)
            return await fetcher.fetch(session, [(place, rows[place]) for place in request.places])

    @activity.defn(name="invoice_import.record")
    async def record(self, request: RecordRequest) -> None:
        """Keep what is not plain about some invoices. Idempotent by the record's number."""
        key = f"{request.account.folder}/{request.part.name}/record-{request.number:05}.json"
        await self._objects.put_new(key, msgspec.json.encode(request.record), JSON)

    @activity.defn(name="invoice_import.write_table")
    async def write_table(self, request: TableRequest) -> StoredFile:
        """The months so far. Idempotent by the table's number."""
        body = msgspec.json.encode(ImportTable(tax_code=request.account.tax_code, months=request.lines))
        ref = await self._objects.put_new(
            f"{request.account.folder}/tables/{request.number:05}.json", body, JSON
        )
        return StoredFile(
            name="table.json", title="Months so far", key=ref.key, media_type=JSON, size_bytes=ref.size_bytes
        )

    @activity.defn(name="invoice_import.report")
    async def report(self, request: ReportRequest) -> Report:
        """Totals, lists and pictures of the whole import. Idempotent by run: keys are written once."""
        async with _beating():
            return await Reporter(self._objects, request).write()

    @activity.defn(name="invoice_import.publish_hint")
    async def publish_hint(self, request: HintRequest) -> bool:
        """Tell the autoscaler how many batches are still to come. Advice only; never fails."""
        spacing_s = self._client.settings.query_spacing_ms / 1_000
        return await self._hints.publish(
            activity.info().task_queue,
            request.account.run_id,
            remaining=request.remaining,
            max_in_flight=request.max_in_flight,
            max_rate_per_s=1 / spacing_s if spacing_s else None,
        )

    @activity.defn(name="invoice_import.leave")
    async def leave(self, request: LeaveRequest) -> None:
        """Forget the session and take the hint back. Idempotent."""
        await self._hints.withdraw(activity.info().task_queue, request.account.run_id)
        if self._shared is not None:
            await self._shared[1].close(request.account)

    async def _rows(self, key: str) -> Sequence[Row]:
        found = self._lists.get(key)
        if found is None:
            body = await self._objects.get(key)
            found = await asyncio.to_thread(msgspec.json.decode, body, type=list[Row])
            while len(self._lists) >= _KEPT_LISTS:
                self._lists.pop(next(iter(self._lists)), None)
            self._lists[key] = found
        return found

    def _desk(self) -> Desk:
        pacing, sessions = self._shared_state()
        return Desk(
            client=self._client, pacing=pacing, sessions=sessions, secrets=self._secrets, solver=self._solver
        )

    def _shared_state(self) -> tuple[Pacing, Sessions]:
        """What all workers share; without it nobody may call the portal."""
        if self._shared is None:
            raise InvalidInput(
                "this worker has no Redis to share the portal's pace through; set REDIS_URL",
                field="REDIS_URL",
            )
        return self._shared


_KEPT_LISTS: Final = 16


async def _runs(run_id: str) -> bool:
    try:
        description = await activity.client().get_workflow_handle(run_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return description.status is _RUNNING


@contextlib.asynccontextmanager
async def _beating() -> AsyncIterator[Callable[[], None]]:
    """Heartbeats all the while: a call may be silent for as long as the portal is."""

    async def keep_on() -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            activity.heartbeat()

    task = asyncio.create_task(keep_on(), name="heartbeat")
    try:
        yield activity.heartbeat
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
