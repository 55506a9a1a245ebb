"""The activities of an import.

An activity never waits long for the portal: it ends with a Halt, and what it has fetched is stored.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.crypto.sealing import VARIABLE as PAYLOAD_KEYS
from signalbox_core.crypto.sealing import open_key_ring
from signalbox_core.crypto.secret_refs import SecretRefs
from signalbox_core.errors import Conflict, InvalidInput, SignalboxError
from signalbox_core.ids import run_key
from signalbox_core.pipeline.activity import emit_on_complete, heartbeating, progress
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.scaling.hints import Hints
from signalbox_pipelines.invoice_import.auth.session_store import PortalSessionStore
from signalbox_pipelines.invoice_import.auth.sign_in import SignInService
from signalbox_pipelines.invoice_import.fetch.batch_fetcher import BatchFetcher
from signalbox_pipelines.invoice_import.fetch.list_reader import JSON, ListReader, index_key
from signalbox_pipelines.invoice_import.messages import (
    BatchDone,
    BatchRequest,
    CaptchaPicture,
    CaptchaRequest,
    CleanUpRequest,
    HintRequest,
    ImportReport,
    ImportReportRequest,
    ListRequest,
    ListResult,
    LockOwnerRequest,
    RecordPartRequest,
    SignInOutcome,
    SignInRequest,
    StoredFile,
    TableRequest,
)
from signalbox_pipelines.invoice_import.pacing.lanes import build_lanes
from signalbox_pipelines.invoice_import.pacing.rate_limiter import PortalRateLimiter
from signalbox_pipelines.invoice_import.portal.captcha import load_solver
from signalbox_pipelines.invoice_import.portal.client import PortalClient
from signalbox_pipelines.invoice_import.portal.rows import InvoiceRow
from signalbox_pipelines.invoice_import.portal.settings import read_portal_settings
from signalbox_pipelines.invoice_import.report.reporter import ImportReporter
from signalbox_pipelines.invoice_import.results import ImportTable, InvoicesImported
from signalbox_pipelines.invoice_import.state.halts import halt_for

_MAX_CACHED_LISTS: Final = 16
_RUNNING: Final = WorkflowExecutionStatus.RUNNING


def _imported_event(request: BatchRequest, batch: BatchDone) -> InvoicesImported | None:
    """Build the event of a batch; None when no invoice was imported."""
    if not batch.imported:
        return None
    part = request.part
    return InvoicesImported(
        tax_code=request.account.tax_code, month=part.month, direction=part.direction, invoices=batch.imported
    )


class InvoiceActivities:
    """The pipeline's activities.

    Args:
        client: the portal client; by default built from the environment.
    """

    def __init__(self, deps: ActivityDeps, client: PortalClient | None = None) -> None:
        self._objects = deps.objects
        self._cpu = deps.cpu
        self._hints = Hints(deps.redis)
        self._client = client or PortalClient(read_portal_settings(deps.environ))
        ring = open_key_ring(deps.environ.get(PAYLOAD_KEYS))
        lanes = build_lanes(self._client.settings)
        self._redis_services = (
            None
            if deps.redis is None
            else (PortalRateLimiter(deps.redis, lanes), PortalSessionStore(deps.redis, ring))
        )
        self._secrets = SecretRefs(deps.environ)
        self._solver = load_solver(self._client.settings.captcha_solver)
        # A cache: a list never changes once written, and every batch of a part reads it.
        self._lists: dict[str, Sequence[InvoiceRow]] = {}

    @activity.defn(name="invoice_import.find_holder")
    async def check_lock_holder(self, request: LockOwnerRequest) -> bool:
        """Terminate the lock of a run that ended without releasing it. Idempotent.

        Raises:
            Conflict: `import_running`: the holder is running; the message names it.
        """
        lock = activity.client().get_workflow_handle(request.turn_id)
        try:
            description = await lock.describe()
            holder = str(await description.memo_value("holder", ""))
            if holder != request.account.run_id and await _is_running(request.account.tenant, holder):
                detail = (
                    f"run {holder} is importing {request.account.tax_code}; "
                    "wait until it ends or cancel it, then start again"
                )
                raise Conflict(detail, code="import_running", field="tax_code", run_id=holder)
            # By execution id, because another run may hold the lock by now.
            stale = activity.client().get_workflow_handle(request.turn_id, run_id=description.run_id)
            await stale.terminate(reason=f"its holder {holder} has ended")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        return True

    @activity.defn(name="invoice_import.fetch_captcha")
    async def fetch_captcha(self, request: CaptchaRequest) -> CaptchaPicture:
        """Fetch a captcha. Each call returns another one."""
        return await self._sign_in_service().fetch_captcha(request.account)

    @activity.defn(name="invoice_import.sign_in")
    async def sign_in(self, request: SignInRequest) -> SignInOutcome:
        """Make one sign-in attempt. Not retried: the captcha is used up by the first attempt."""
        return await self._sign_in_service().sign_in(request)

    @activity.defn(name="invoice_import.list_invoices")
    async def list_invoices(self, request: ListRequest) -> ListResult:
        """List the invoices of one part. Idempotent by (run, part, page): stored pages are reused."""
        limiter, sessions = self._limiter_and_sessions()
        title = request.part.title

        def on_progress(seen: int, total: int) -> None:
            share = min(1.0, seen / total) if total else 0.0
            progress(request.number + share, of=request.parts, message=f"{title}: {seen:,} listed")

        async with heartbeating(activity.heartbeat):
            seen = 0
            try:
                session = await sessions.load(request.account)
                reader = ListReader(
                    client=self._client,
                    limiter=limiter,
                    objects=self._objects,
                    session=session,
                    on_progress=on_progress,
                )
                try:
                    rows, found = await reader.read(request)
                finally:
                    seen = reader.seen
            except SignalboxError as error:
                halt = halt_for(error)
                if halt is None:
                    raise
                return ListResult(seen=seen, halt=halt)
            key = index_key(request.account.folder, request.part.name)
            await self._objects.put_new(key, msgspec.json.encode(rows), JSON)
            return ListResult(seen=seen, found=found)

    @activity.defn(name="invoice_import.fetch_batch")
    @emit_on_complete("invoice.imported", payload=_imported_event, compact=True)
    async def fetch_batch(self, request: BatchRequest) -> BatchDone:
        """Fetch details and originals of some invoices. Idempotent by invoice: stored ones are reused."""
        limiter, sessions = self._limiter_and_sessions()
        async with heartbeating(activity.heartbeat):
            rows = await self._load_list(index_key(request.account.folder, request.part.name))
            fetcher = BatchFetcher(
                request,
                client=self._client,
                limiter=limiter,
                objects=self._objects,
                cpu=self._cpu,
                heartbeat=activity.heartbeat,
            )
            try:
                session = await sessions.load(request.account)
            except SignalboxError as error:
                halt = halt_for(error)
                if halt is None:
                    raise
                return BatchDone(done=(), counts={}, halt=halt)
            return await fetcher.fetch(session, [(place, rows[place]) for place in request.places])

    @activity.defn(name="invoice_import.record")
    async def record(self, request: RecordPartRequest) -> None:
        """Store the failures, mismatches and missing originals of some invoices. Idempotent by number."""
        key = f"{request.account.folder}/{request.part.name}/record-{request.number:05}.json"
        await self._objects.put_new(key, msgspec.json.encode(request.record), JSON)

    @activity.defn(name="invoice_import.write_table")
    async def write_table(self, request: TableRequest) -> StoredFile:
        """Store the table of the months so far. Idempotent by number."""
        body = msgspec.json.encode(ImportTable(tax_code=request.account.tax_code, months=request.lines))
        ref = await self._objects.put_new(
            f"{request.account.folder}/tables/{request.number:05}.json", body, JSON
        )
        return StoredFile(
            name="table.json", title="Months so far", key=ref.key, media_type=JSON, size_bytes=ref.size_bytes
        )

    @activity.defn(name="invoice_import.report")
    async def report(self, request: ImportReportRequest) -> ImportReport:
        """Write the report of the whole import. Idempotent by run: keys are written once."""
        async with heartbeating(activity.heartbeat):
            return await ImportReporter(self._objects, self._cpu, request).write()

    @activity.defn(name="invoice_import.publish_hint")
    async def publish_hint(self, request: HintRequest) -> bool:
        """Publish to the autoscaler how many batches are left. A hint only; never fails."""
        spacing_s = self._client.settings.query_spacing_ms / 1_000
        return await self._hints.publish(
            activity.info().task_queue,
            request.account.session_owner,
            remaining=request.remaining,
            max_in_flight=request.max_in_flight,
            max_rate_per_s=1 / spacing_s if spacing_s else None,
        )

    @activity.defn(name="invoice_import.leave")
    async def clean_up(self, request: CleanUpRequest) -> None:
        """Delete the session and withdraw the hint. Idempotent."""
        await self._hints.withdraw(activity.info().task_queue, request.account.session_owner)
        if self._redis_services is not None:
            await self._redis_services[1].delete(request.account)

    async def _load_list(self, key: str) -> Sequence[InvoiceRow]:
        found = self._lists.get(key)
        if found is None:
            body = await self._objects.get(key)
            found = msgspec.json.decode(body, type=list[InvoiceRow])
            while len(self._lists) >= _MAX_CACHED_LISTS:
                self._lists.pop(next(iter(self._lists)), None)
            self._lists[key] = found
        return found

    def _sign_in_service(self) -> SignInService:
        limiter, sessions = self._limiter_and_sessions()
        return SignInService(
            client=self._client,
            limiter=limiter,
            sessions=sessions,
            secrets=self._secrets,
            solver=self._solver,
        )

    def _limiter_and_sessions(self) -> tuple[PortalRateLimiter, PortalSessionStore]:
        """Return the services that need Redis; without it the portal must not be called."""
        if self._redis_services is None:
            raise InvalidInput(
                "this worker has no Redis, which the rate limit of the portal needs; set REDIS_URL",
                field="REDIS_URL",
            )
        return self._redis_services


async def _is_running(tenant: str, run_id: str) -> bool:
    # The second id is that of a run which a release without run keys started.
    for workflow_id in (run_key(tenant, run_id), run_id):
        try:
            description = await activity.client().get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        else:
            return description.status is _RUNNING
    return False
