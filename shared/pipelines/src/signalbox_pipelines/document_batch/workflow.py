"""The story of a batch: plan it, run every document as a child of its own, report. Statistics are left to a child that nobody awaits."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from msgspec import structs
    from temporalio.common import Priority, WorkflowIDReusePolicy
    from temporalio.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError

    from signalbox_core.events.catalogue import Failure
    from signalbox_core.objects import ObjectRef
    from signalbox_core.pipeline.contract.failures import failure_of
    from signalbox_core.pipeline.contract.messages import SIGNAL_CANCEL_REASON, CancelReason
    from signalbox_core.pipeline.options import CallOptions
    from signalbox_core.pipeline.run import Run, wait_until
    from signalbox_core.pipeline.workflow.steps import StepScope
    from signalbox_core.temporal.names import MEMO_STARTED_BY, MEMO_TENANT
    from signalbox_pipelines.document_batch.activities import BatchActivities
    from signalbox_pipelines.document_batch.batch_state import Kept, Ledger
    from signalbox_pipelines.document_batch.contract import (
        SPEC,
        BatchInput,
        BatchProcessed,
        BatchResult,
        Outcome,
    )
    from signalbox_pipelines.document_batch.document.contract import (
        DOCUMENT,
        KIND,
        DocumentInput,
        DocumentResult,
    )
    from signalbox_pipelines.document_batch.document.messages import Settled, Waiting
    from signalbox_pipelines.document_batch.messages import (
        ChunkRequest,
        Plan,
        PlannedDocument,
        PlanRequest,
        RecordRequest,
        Report,
        ReportRequest,
        StatisticsRequest,
        child_id,
        name_of,
    )
    from signalbox_pipelines.document_batch.outcomes import failed, ok, waiting

LISTS: Final = CallOptions(timeout=timedelta(minutes=2), maximum_attempts=6)
STATISTICS: Final = CallOptions(timeout=timedelta(minutes=2), maximum_attempts=5)
LAST_WORD: Final = KIND.deadline + timedelta(hours=1)
"""A document that asked has ended by then, unless the server ended it without its code."""

Child = workflow.ChildWorkflowHandle[object, DocumentResult]


@workflow.defn(name="document_batch")
class DocumentBatch:
    @workflow.init
    def __init__(self, request: BatchInput) -> None:
        self.signalbox = Run(SPEC)
        self.request = request
        kept = self.signalbox.kept(Kept)
        self.ledger = Ledger(kept) if kept is not None else None
        self.runs: dict[str, tuple[int, str, datetime]] = {}

    @workflow.signal
    def document_waiting(self, told: Waiting) -> None:
        """A document asks a person; its lane goes on with the next one."""
        index, name, since = self.runs.get(told.run_id, (-1, "", workflow.now()))
        if index >= 0 and self.ledger is not None:
            self.ledger.note(waiting(index, name, told.run_id, workflow.now() - since))

    @workflow.signal
    def document_settled(self, told: Settled) -> None:
        """A document that had asked has ended; it may have been started by an earlier execution of this run."""
        if self.ledger is None:
            return
        asked = next(
            (outcome for outcome in self.ledger.waiting.values() if outcome.run_id == told.run_id), None
        )
        if asked is not None:
            self.ledger.note(_settled(asked, told))

    @workflow.run
    async def run(self, request: BatchInput) -> BatchResult:
        async with self.signalbox as run:
            run.on_cancel(self._cancel_children)
            if self.ledger is None:
                async with run.step("plan") as step:
                    ask = PlanRequest(
                        tenant=run.tenant,
                        run_id=run.run_id,
                        documents=request.documents,
                        manifest=request.manifest,
                    )
                    plan = await step.call(BatchActivities.plan, ask, LISTS)
                    self._list(plan)
                    step.say(f"{plan.total:,} documents")
                self.ledger = Ledger.of(plan)
            async with run.step("process") as step:
                await self._work(step, self.ledger)
                step.say(self.ledger.sentence())
            async with run.step("report") as step:
                report = await self._report(step, self.ledger)
            await self._leave_statistics(self.ledger, report)
            return report.result

    def _list(self, plan: Plan) -> None:
        ref = ObjectRef(key=plan.listing, media_type="application/json", size_bytes=plan.listing_bytes)
        if plan.listing:  # batches that were planned before there were lists have none
            self.signalbox.artifact("documents.json", ref, title="Every document with its run")

    async def _work(self, step: StepScope, ledger: Ledger) -> None:
        """One chunk; then, if there is more, the next one in a new execution, so that history stays short."""
        if ledger.has_more:
            documents = await step.call(
                BatchActivities.load, ChunkRequest(folder=ledger.plan.folder, chunk=ledger.next_chunk), LISTS
            )
            await self._run_chunk(step, ledger, documents)
            ledger.next_chunk += 1
            await self._record(step, ledger)
        if ledger.has_more:
            self.signalbox.keep(ledger.keep())
            # The plan holds the documents now; what goes along is the list's place only.
            workflow.continue_as_new(structs.replace(self.request, documents=(), manifest=ledger.plan.folder))
        if self.request.wait_for_confirmation and ledger.waiting:
            await wait_until(lambda: not ledger.waiting, LAST_WORD)
            await self._record(step, ledger)
            self._show(step, ledger)

    async def _run_chunk(
        self, step: StepScope, ledger: Ledger, documents: tuple[PlannedDocument, ...]
    ) -> None:
        todo = iter(documents)
        lanes = min(self.request.parallel, len(documents))
        async with asyncio.TaskGroup() as group:
            for _ in range(lanes):
                group.create_task(self._lane(step, ledger, todo))

    async def _lane(self, step: StepScope, ledger: Ledger, todo: Iterator[PlannedDocument]) -> None:
        """One document after another; one that waits for a person holds no lane."""
        for planned in todo:
            await self.signalbox.state.until_resumed()
            ledger.start(planned.index)
            self._show(step, ledger)
            await self._one(ledger, planned)
            self._show(step, ledger)

    async def _one(self, ledger: Ledger, planned: PlannedDocument) -> None:
        run_id, name = child_id(self.signalbox.run_id, planned.index), name_of(planned.document)
        began = workflow.now()
        self.runs[run_id] = planned.index, name, began
        try:
            child = await self._start(run_id, planned)
            child.add_done_callback(_look_at)
            await workflow.wait_condition(lambda: child.done() or planned.index in ledger.waiting)
            if child.done():
                ledger.note(ok(planned.index, name, run_id, workflow.now() - began, await child))
        except WorkflowAlreadyStartedError:
            taken = Failure(
                code="run_id_taken",
                message=f"another run has the id {run_id}; start the batch under another run id",
            )
            ledger.note(failed(planned.index, name, run_id, workflow.now() - began, taken))
        except FailureError as error:
            ledger.note(failed(planned.index, name, run_id, workflow.now() - began, failure_of(error)))

    async def _start(self, run_id: str, planned: PlannedDocument) -> Child:
        document, request = planned.document, self.request
        return await workflow.start_child_workflow(
            DOCUMENT.name,
            DocumentInput(
                url=document.url,
                object=document.object,
                name=name_of(document),
                languages=request.languages,
                engine=request.engine,
                pictures=request.pictures,
            ),
            id=run_id,
            result_type=DocumentResult,
            # A document outlives its batch when it waits for a person.
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            memo={
                MEMO_TENANT: self.signalbox.tenant,
                MEMO_STARTED_BY: workflow.memo_value(MEMO_STARTED_BY, "", type_hint=str),
            },
            priority=Priority(priority_key=document.priority, fairness_key=self.signalbox.tenant[:64]),
        )

    def _show(self, step: StepScope, ledger: Ledger) -> None:
        step.progress(ledger.ended, ledger.plan.total, message=ledger.sentence(), items=ledger.states)

    async def _record(self, step: StepScope, ledger: Ledger) -> None:
        outcomes = ledger.take_unwritten()
        if outcomes:
            number, ledger.files = ledger.files, ledger.files + 1
            await step.call(
                BatchActivities.record,
                RecordRequest(folder=ledger.plan.folder, number=number, outcomes=outcomes),
                LISTS,
            )

    async def _report(self, step: StepScope, ledger: Ledger) -> Report:
        await self._record(step, ledger)
        ask = ReportRequest(
            folder=ledger.plan.folder,
            total=ledger.plan.total,
            files=ledger.files,
            waiting=tuple(ledger.waiting.values()),
        )
        report = await step.call(BatchActivities.report, ask, LISTS)
        ref = ObjectRef(key=report.key, media_type="application/json", size_bytes=report.size_bytes)
        self.signalbox.artifact("report.json", ref, title="Every document with its outcome")
        counts = report.result
        data = BatchProcessed(
            total=counts.total, ok=counts.ok, failed=counts.failed, waiting=counts.waiting, report=report.key
        )
        self.signalbox.emit("batch.processed", data)
        step.say(ledger.sentence())
        return report

    async def _leave_statistics(self, ledger: Ledger, report: Report) -> None:
        """Nothing waits for them, and nothing that befalls them touches the batch."""
        run_id = self.signalbox.run_id
        with suppress(WorkflowAlreadyStartedError):
            await workflow.start_child_workflow(
                BatchAnalytics.run,
                StatisticsRequest(run_id=run_id, folder=ledger.plan.folder, report=report.key),
                id=f"{run_id}/analytics",
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
            )

    async def _cancel_children(self) -> None:
        """Documents under way, and those that wait, end with their batch."""
        if self.ledger is None:
            return
        open_runs = [run_id for run_id, (index, _, _) in self.runs.items() if self.ledger.is_open(index)]
        earlier = [outcome.run_id for outcome in self.ledger.waiting.values()]
        await asyncio.gather(*(_cancel(run_id) for run_id in dict.fromkeys([*open_runs, *earlier])))


@workflow.defn(name="document_batch.analytics")
class BatchAnalytics:
    """Counts over a finished batch; no run, nobody watches it."""

    @workflow.run
    async def run(self, request: StatisticsRequest) -> str:
        return await workflow.execute_activity_method(
            BatchActivities.write_statistics,
            request,
            start_to_close_timeout=STATISTICS.timeout,
            retry_policy=STATISTICS.retry_policy,
        )


def _settled(asked: Outcome, told: Settled) -> Outcome:
    if told.result is not None:
        return ok(asked.index, asked.name, asked.run_id, timedelta(seconds=asked.seconds), told.result)
    failure = told.failure or Failure(
        code="cancelled", message="the document's run was cancelled while a person was asked"
    )
    return failed(asked.index, asked.name, asked.run_id, timedelta(seconds=asked.seconds), failure)


def _look_at(child: "asyncio.Task[DocumentResult]") -> None:
    """A child that nobody awaits any more has told its end by signal; its error is looked at so that asyncio does not complain."""
    if not child.cancelled():
        child.exception()


async def _cancel(run_id: str) -> None:
    handle = workflow.get_external_workflow_handle(run_id)
    with suppress(ApplicationError, FailureError):  # it has ended meanwhile
        await handle.signal(SIGNAL_CANCEL_REASON, CancelReason(reason="its batch was cancelled"))
        await handle.cancel()
