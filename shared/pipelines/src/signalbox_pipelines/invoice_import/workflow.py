"""The story of an import: take the taxpayer's turn, sign in, list every month, fetch each one, report. It waits for the portal itself."""

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
    from signalbox_core.pipeline.workflow.steps import StepScope, all_or_first_error
    from signalbox_pipelines.invoice_import.activities import InvoiceActivities
    from signalbox_pipelines.invoice_import.auth.sign_in_flow import Entrance, ask_trouble
    from signalbox_pipelines.invoice_import.contract import SPEC, ImportInput
    from signalbox_pipelines.invoice_import.messages import (
        Account,
        BatchRequest,
        Halt,
        HintRequest,
        LeaveRequest,
        ListRequest,
        Part,
        RecordRequest,
        ReportRequest,
        StoredFile,
        TableRequest,
    )
    from signalbox_pipelines.invoice_import.months import months_of
    from signalbox_pipelines.invoice_import.results import ImportCompleted, ImportResult
    from signalbox_pipelines.invoice_import.state.import_lock import KEEP, give_turn_back, take_turn
    from signalbox_pipelines.invoice_import.state.import_state import SMALLEST_BATCH, Kept, Ledger, title_of
    from signalbox_pipelines.invoice_import.tax_codes import check_tax_code

LIST: Final = CallOptions(timeout=timedelta(hours=1), heartbeat=timedelta(seconds=15), maximum_attempts=250)
BATCH: Final = CallOptions(
    timeout=timedelta(minutes=10), heartbeat=timedelta(seconds=15), maximum_attempts=250
)
"""Attempts for two hours of a Redis or a store that is away; the portal's own troubles cost none."""
REPORT: Final = CallOptions(
    timeout=timedelta(minutes=30), heartbeat=timedelta(seconds=30), maximum_attempts=5
)
ADVICE: Final = CallOptions(timeout=timedelta(seconds=10), maximum_attempts=2)
HINT_EVERY: Final = timedelta(seconds=20)


@workflow.defn(name="invoice_import")
class InvoiceImport:
    @workflow.init
    def __init__(self, request: ImportInput) -> None:
        self.signalbox = Run(SPEC)
        self.request = request
        tax_code = check_tax_code(request.tax_code)
        months = months_of(request.first_day, request.last_day)
        parts = [
            Part(first=days.first, last=days.last, direction=direction)
            for days in months
            for direction in request.directions
        ]
        kept = self.signalbox.kept(Kept)
        self.goes_on = kept is not None
        self.ledger = Ledger(parts, kept) if kept is not None else Ledger.of(parts, request.secret_ref)
        self.account = Account(
            tenant=self.signalbox.tenant,
            run_id=self.signalbox.run_id,
            tax_code=tax_code,
            secret_ref=self.ledger.secret_ref,
        )
        self.halt: Halt | None = None
        self.hinted_at = workflow.now() - HINT_EVERY
        self.under_way = 0

    @workflow.run
    async def run(self, request: ImportInput) -> ImportResult:
        async with self.signalbox as run:
            if not self.goes_on:
                await take_turn(self.account)
            run.on_cancel(self._leave)
            try:
                result = await self._import()
            except (FailureError, SignalboxError) as error:
                if not is_cancelled_exception(error):
                    await self._leave()
                raise
            await self._leave()
            return result

    async def _import(self) -> ImportResult:
        run, ledger = self.signalbox, self.ledger
        if ledger.listed < len(ledger.parts):
            if ledger.sign_ins == 0:
                await self._sign_in("sign in to the portal")
            async with run.step("list") as step:
                await self._list(step)
                step.say(f"{ledger.rows:,} invoices in {len(ledger.parts)} lists")
        async with run.step("fetch") as step:
            while ledger.part < len(ledger.parts):
                had_rows = bool(ledger.rows_of(ledger.current))
                await self._fetch_part(step)
                if had_rows and ledger.part < len(ledger.parts):
                    self._continue()
            step.say(self._told())
        async with run.step("report") as step:
            return await self._report(step)

    # Lists

    async def _list(self, step: StepScope) -> None:
        while self.ledger.listed < len(self.ledger.parts):
            await self.signalbox.state.until_resumed()
            part, number = self.ledger.parts[self.ledger.listed], self.ledger.listed
            request = ListRequest(
                account=self.account, part=part, number=number, parts=len(self.ledger.parts)
            )
            listed = await step.call(InvoiceActivities.list_invoices, request, LIST)
            if listed.halt is not None:
                self.ledger.note_list_halt(listed.seen, workflow.now())
                await self._clear(step, listed.halt, f"{title_of(part)}: {listed.seen:,} listed")
                continue
            self.ledger.note_listed(part, listed)
            step.progress(
                self.ledger.listed,
                len(self.ledger.parts),
                message=f"{title_of(part)}: {self.ledger.rows_of(part):,} invoices",
            )
            await self._show_table(step)

    # Batches

    async def _fetch_part(self, step: StepScope) -> None:
        """One month in one direction; then a new execution begins with the next, so that history stays short."""
        ledger = self.ledger
        ledger.open_part()
        while ledger.todo and (self.request.details or self.request.originals):
            await self._lanes(step)
            if self.halt is not None:
                halt, self.halt = self.halt, None
                await self._clear(step, halt, ledger.sentence())
            if ledger.todo and workflow.info().is_continue_as_new_suggested():
                await self._record(step)
                self._continue()
        await self._record(step)
        ledger.close_part()
        await self._show_table(step)

    async def _lanes(self, step: StepScope) -> None:
        """Batches side by side until nothing is left to schedule, or something stops them all."""
        while self.ledger.todo and self.halt is None and not workflow.info().is_continue_as_new_suggested():
            lanes = self.ledger.lanes
            await all_or_first_error([self._lane(step, lanes) for _ in range(lanes)])

    async def _lane(self, step: StepScope, lanes: int) -> None:
        """One batch after another, while as many lanes as now are still wanted."""
        while (
            self.halt is None
            and self.ledger.lanes == lanes
            and not workflow.info().is_continue_as_new_suggested()
        ):
            await self.signalbox.state.until_resumed()
            places = self.ledger.take()
            if not places:
                return
            await self._batch(step, places)

    async def _batch(self, step: StepScope, places: tuple[int, ...]) -> None:
        self.under_way += len(places)
        await self._hint(step)
        request = BatchRequest(
            account=self.account,
            part=self.ledger.current,
            places=places,
            details=self.request.details,
            originals=self.request.originals,
        )
        batch = await step.call(InvoiceActivities.fetch_batch, request, BATCH)
        self.under_way -= len(places)
        self.ledger.note(places, batch, workflow.now())
        self.halt = self.halt or batch.halt
        self._show(step)

    # Waiting, and whom it takes

    async def _clear(self, step: StepScope, halt: Halt, told: str) -> None:
        """Do what a halt asks for: wait, sign in again, or have somebody look at it."""
        if halt.reason == "session_over":
            await self._sign_in("the session ended; the import goes on where it was")
        elif halt.reason == "blocked":
            self.account = await ask_trouble(self.signalbox, self.ledger, self.account, "portal_blocked")
        elif self.ledger.is_hopeless(workflow.now()):
            detail = f"the portal has answered nothing for two hours ({halt.message}); start the import again later"
            raise Unavailable(detail, code="portal_busy")
        elif halt.wait_s > 0:
            self._show(
                step, f"{told}; the portal is busy ({halt.message}), the next try is in {halt.wait_s:.0f} s"
            )
            await workflow.sleep(halt.wait_s)

    async def _sign_in(self, why: str) -> None:
        self.account = await Entrance(self.signalbox, self.ledger, self.account, why).pass_through()

    # What people and machines are told

    def _show(self, step: StepScope, message: str = "") -> None:
        ledger = self.ledger
        if step.name == "list":
            step.progress(ledger.listed, len(ledger.parts), message=message)
            return
        ledger.note_under_way(self.under_way)
        step.progress(ledger.done, ledger.rows, message=message or ledger.sentence(), items=ledger.letters)

    async def _hint(self, step: StepScope) -> None:
        now = workflow.now()
        if now - self.hinted_at < HINT_EVERY:
            return
        self.hinted_at = now
        ledger = self.ledger
        left = len(ledger.todo) + sum(ledger.rows_of(part) for part in ledger.parts[ledger.part + 1 :])
        remaining = -(-left // max(SMALLEST_BATCH, ledger.batch_size))
        request = HintRequest(account=self.account, remaining=remaining, max_in_flight=ledger.lanes)
        with suppress(FailureError):
            await step.call(InvoiceActivities.publish_hint, request, ADVICE)

    async def _show_table(self, step: StepScope) -> None:
        number, self.ledger.tables = self.ledger.tables, self.ledger.tables + 1
        request = TableRequest(account=self.account, number=number, lines=tuple(self.ledger.lines))
        self._publish(await step.call(InvoiceActivities.write_table, request, KEEP))

    async def _record(self, step: StepScope) -> None:
        taken = self.ledger.take_record()
        if taken is not None:
            request = RecordRequest(
                account=self.account, part=self.ledger.current, number=taken[0], record=taken[1]
            )
            await step.call(InvoiceActivities.record, request, KEEP)

    async def _report(self, step: StepScope) -> ImportResult:
        ledger, request = self.ledger, self.request
        ask = ReportRequest(
            account=self.account,
            first_day=request.first_day,
            last_day=request.last_day,
            originals=request.originals,
            details=request.details,
            parts=tuple(ledger.files),
            lines=tuple(ledger.lines),
            sign_ins=ledger.sign_ins,
        )
        report = await step.call(InvoiceActivities.report, ask, REPORT)
        for file in report.files:
            self._publish(file)
        result = report.result
        completed = ImportCompleted(
            tax_code=result.tax_code,
            first_day=result.first_day,
            last_day=result.last_day,
            status=result.status,
            rows=result.rows,
            xml=result.xml,
            no_original=result.no_original,
            failed=result.failed,
            mismatches=result.mismatches,
            report=report.report_key,
        )
        self.signalbox.emit("import.completed", completed)
        step.say(self._told())
        return result

    def _publish(self, file: StoredFile) -> None:
        ref = ObjectRef(key=file.key, media_type=file.media_type, size_bytes=file.size_bytes)
        self.signalbox.artifact(file.name, ref, title=file.title)

    def _told(self) -> str:
        lines = self.ledger.lines
        xml, none, failed = (
            sum(getattr(line, name) for line in lines) for name in ("xml", "no_original", "failed")
        )
        return f"{self.ledger.rows:,} invoices: {xml:,} originals, {none:,} without one, {failed:,} failed"

    # One import a taxpayer, and the way on to the next execution

    def _continue(self) -> NoReturn:
        self.signalbox.keep(self.ledger.keep())
        workflow.continue_as_new(self.request)

    async def _leave(self) -> None:
        """Forget the session, take the hint back, give the turn back."""
        with suppress(FailureError):
            await workflow.execute_activity_method(
                InvoiceActivities.leave,
                LeaveRequest(account=self.account),
                start_to_close_timeout=KEEP.timeout,
                retry_policy=replace(KEEP, maximum_attempts=3).retry_policy,
            )
        await give_turn_back(self.account)
