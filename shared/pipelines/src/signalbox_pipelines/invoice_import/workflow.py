"""The workflow of an import: acquire the taxpayer's lock, sign in, list every month, fetch each one, report.

Waiting for the portal happens here, so that no activity occupies a worker meanwhile.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Final, NoReturn

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from msgspec.structs import replace
    from temporalio.exceptions import FailureError, is_cancelled_exception

    from signalbox_core.errors import SignalboxError, Unavailable
    from signalbox_core.objects import ObjectRef
    from signalbox_core.pipeline.options import CallOptions
    from signalbox_core.pipeline.run import Run
    from signalbox_core.pipeline.workflow.steps import StepScope
    from signalbox_core.pipeline.workflow.waits import all_or_first_error
    from signalbox_pipelines.invoice_import.activities import InvoiceActivities
    from signalbox_pipelines.invoice_import.auth.sign_in_flow import SignInFlow, ask_trouble
    from signalbox_pipelines.invoice_import.contract import SPEC, ImportInput
    from signalbox_pipelines.invoice_import.messages import (
        BatchRequest,
        CleanUpRequest,
        Halt,
        HintRequest,
        ImportAccount,
        ImportPart,
        ImportReportRequest,
        ListRequest,
        RecordPartRequest,
        StoredFile,
        TableRequest,
    )
    from signalbox_pipelines.invoice_import.months import split_months
    from signalbox_pipelines.invoice_import.results import ImportResult, completed_event
    from signalbox_pipelines.invoice_import.state.import_lock import (
        STORAGE,
        acquire_import_lock,
        release_import_lock,
    )
    from signalbox_pipelines.invoice_import.state.import_state import (
        MIN_BATCH,
        ImportState,
        SavedImportState,
    )
    from signalbox_pipelines.invoice_import.tax_codes import check_tax_code

LIST: Final = CallOptions(timeout=timedelta(hours=1), heartbeat=timedelta(seconds=15), maximum_attempts=250)
BATCH: Final = CallOptions(
    timeout=timedelta(minutes=10), heartbeat=timedelta(seconds=15), maximum_attempts=250
)
"""Enough attempts for two hours without Redis or the object store; errors of the portal use up none."""
REPORT: Final = CallOptions(
    timeout=timedelta(minutes=30), heartbeat=timedelta(seconds=30), maximum_attempts=5
)
HINT: Final = CallOptions(timeout=timedelta(seconds=10), maximum_attempts=2)
HINT_INTERVAL: Final = timedelta(seconds=20)


@workflow.defn(name="invoice_import")
class InvoiceImport:
    @workflow.init
    def __init__(self, request: ImportInput) -> None:
        self.signalbox = Run(SPEC)
        self.request = request
        tax_code = check_tax_code(request.tax_code)
        months = split_months(request.first_day, request.last_day)
        parts = [
            ImportPart(first=days.first, last=days.last, direction=direction)
            for days in months
            for direction in request.directions
        ]
        saved = self.signalbox.kept(SavedImportState)
        self.is_continued = saved is not None
        self.state = (
            ImportState(parts, saved) if saved is not None else ImportState.begin(parts, request.secret_ref)
        )
        self.account = ImportAccount(
            tenant=self.signalbox.tenant,
            run_id=self.signalbox.run_id,
            tax_code=tax_code,
            secret_ref=self.state.secret_ref,
            workflow_id=self.signalbox.workflow_id,
        )
        self.halt: Halt | None = None
        self.last_hint_at = workflow.now() - HINT_INTERVAL
        self.in_flight = 0

    @workflow.run
    async def run(self, request: ImportInput) -> ImportResult:
        async with self.signalbox as run:
            if not self.is_continued:
                await acquire_import_lock(self.account)
            run.on_cancel(self._clean_up)
            try:
                result = await self._import()
            except (FailureError, SignalboxError) as error:
                if not is_cancelled_exception(error):
                    await self._clean_up()
                raise
            await self._clean_up()
            return result

    async def _import(self) -> ImportResult:
        run, state = self.signalbox, self.state
        if state.listed < len(state.parts):
            if state.sign_ins == 0:
                await self._sign_in("sign in to the portal")
            async with run.step("list") as step:
                await self._list(step)
                step.say(f"{state.rows:,} invoices in {len(state.parts)} lists")
        async with run.step("fetch") as step:
            while state.part < len(state.parts):
                had_rows = bool(state.row_count(state.current))
                await self._fetch_part(step)
                if had_rows and state.part < len(state.parts):
                    self._continue()
            step.say(self._result_summary())
        async with run.step("report") as step:
            return await self._report(step)

    async def _list(self, step: StepScope) -> None:
        while self.state.listed < len(self.state.parts):
            await self.signalbox.state.until_resumed()
            part, number = self.state.parts[self.state.listed], self.state.listed
            request = ListRequest(account=self.account, part=part, number=number, parts=len(self.state.parts))
            listed = await step.call(InvoiceActivities.list_invoices, request, LIST)
            if listed.halt is not None:
                self.state.record_list_halt(listed.seen, workflow.now())
                await self._resolve_halt(step, listed.halt, f"{part.title}: {listed.seen:,} listed")
                continue
            self.state.apply_listing(part, listed)
            step.progress(
                self.state.listed,
                len(self.state.parts),
                message=f"{part.title}: {self.state.row_count(part):,} invoices",
            )
            await self._publish_table(step)

    async def _fetch_part(self, step: StepScope) -> None:
        """Fetch one month in one direction, the unit after which the run continues as new."""
        state = self.state
        state.open_part()
        while state.todo and (self.request.details or self.request.originals):
            await self._run_batches(step)
            if self.halt is not None:
                halt, self.halt = self.halt, None
                await self._resolve_halt(step, halt, state.summary())
            if state.todo and workflow.info().is_continue_as_new_suggested():
                await self._record(step)
                self._continue()
        await self._record(step)
        state.close_part()
        await self._publish_table(step)

    async def _run_batches(self, step: StepScope) -> None:
        """Run batches concurrently until nothing is left to schedule, or a halt stops them all."""
        while self.state.todo and self.halt is None and not workflow.info().is_continue_as_new_suggested():
            concurrency = self.state.concurrency
            await all_or_first_error([self._run_sequence(step, concurrency) for _ in range(concurrency)])

    async def _run_sequence(self, step: StepScope, concurrency: int) -> None:
        """Run one batch after another, until the concurrency changes."""
        while (
            self.halt is None
            and self.state.concurrency == concurrency
            and not workflow.info().is_continue_as_new_suggested()
        ):
            await self.signalbox.state.until_resumed()
            places = self.state.next_batch()
            if not places:
                return
            await self._run_batch(step, places)

    async def _run_batch(self, step: StepScope, places: tuple[int, ...]) -> None:
        self.in_flight += len(places)
        await self._hint(step)
        request = BatchRequest(
            account=self.account,
            part=self.state.current,
            places=places,
            details=self.request.details,
            originals=self.request.originals,
        )
        batch = await step.call(InvoiceActivities.fetch_batch, request, BATCH)
        self.in_flight -= len(places)
        self.state.apply_batch(places, batch, workflow.now())
        self.halt = self.halt or batch.halt
        self._report_progress(step)

    # Halts

    async def _resolve_halt(self, step: StepScope, halt: Halt, progress: str) -> None:
        """Resolve a halt: wait, sign in again, or ask a person."""
        if halt.reason == "session_over":
            await self._sign_in("the session ended; the import goes on where it was")
        elif halt.reason == "blocked":
            self.account = await ask_trouble(self.signalbox, self.state, self.account, "portal_blocked")
        elif self.state.has_timed_out(workflow.now()):
            detail = (
                f"the portal has answered nothing for two hours ({halt.message}); "
                "start the import again later"
            )
            raise Unavailable(detail, code="portal_busy")
        elif halt.wait_s > 0:
            self._report_progress(
                step,
                f"{progress}; the portal is busy ({halt.message}), the next try is in {halt.wait_s:.0f} s",
            )
            await workflow.sleep(halt.wait_s)

    async def _sign_in(self, why: str) -> None:
        self.account = await SignInFlow(self.signalbox, self.state, self.account, why).sign_in()

    # Progress, hints and files

    def _report_progress(self, step: StepScope, message: str = "") -> None:
        state = self.state
        if step.name == "list":
            step.progress(state.listed, len(state.parts), message=message)
            return
        state.set_in_flight(self.in_flight)
        step.progress(state.done, state.rows, message=message or state.summary(), items=state.part_letters)

    async def _hint(self, step: StepScope) -> None:
        now = workflow.now()
        if now - self.last_hint_at < HINT_INTERVAL:
            return
        self.last_hint_at = now
        state = self.state
        left = len(state.todo) + sum(state.row_count(part) for part in state.parts[state.part + 1 :])
        remaining = -(-left // max(MIN_BATCH, state.batch_size))
        request = HintRequest(account=self.account, remaining=remaining, max_in_flight=state.concurrency)
        with suppress(FailureError):
            await step.call(InvoiceActivities.publish_hint, request, HINT)

    async def _publish_table(self, step: StepScope) -> None:
        number, self.state.tables = self.state.tables, self.state.tables + 1
        request = TableRequest(account=self.account, number=number, lines=tuple(self.state.lines))
        self._publish(await step.call(InvoiceActivities.write_table, request, STORAGE))

    async def _record(self, step: StepScope) -> None:
        drained = self.state.drain_record()
        if drained is not None:
            request = RecordPartRequest(
                account=self.account, part=self.state.current, number=drained[0], record=drained[1]
            )
            await step.call(InvoiceActivities.record, request, STORAGE)

    async def _report(self, step: StepScope) -> ImportResult:
        state, request = self.state, self.request
        report_request = ImportReportRequest(
            account=self.account,
            first_day=request.first_day,
            last_day=request.last_day,
            originals=request.originals,
            details=request.details,
            parts=tuple(state.files),
            lines=tuple(state.lines),
            sign_ins=state.sign_ins,
        )
        report = await step.call(InvoiceActivities.report, report_request, REPORT)
        for file in report.files:
            self._publish(file)
        result = report.result
        self.signalbox.emit("import.completed", completed_event(result, report.report_key))
        step.say(self._result_summary())
        return result

    def _publish(self, file: StoredFile) -> None:
        ref = ObjectRef(key=file.key, media_type=file.media_type, size_bytes=file.size_bytes)
        self.signalbox.artifact(file.name, ref, title=file.title)

    def _result_summary(self) -> str:
        lines = self.state.lines
        xml, none, failed = (
            sum(getattr(line, name) for line in lines) for name in ("xml", "no_original", "failed")
        )
        return f"{self.state.rows:,} invoices: {xml:,} originals, {none:,} without one, {failed:,} failed"

    # Continue-as-new, and the end

    def _continue(self) -> NoReturn:
        self.signalbox.keep(self.state.save())
        workflow.continue_as_new(self.request)

    async def _clean_up(self) -> None:
        """Delete the session, withdraw the hint, release the lock."""
        with suppress(FailureError):
            await workflow.execute_activity_method(
                InvoiceActivities.clean_up,
                CleanUpRequest(account=self.account),
                start_to_close_timeout=STORAGE.timeout,
                retry_policy=replace(STORAGE, maximum_attempts=3).retry_policy,
            )
        await release_import_lock(self.account)
