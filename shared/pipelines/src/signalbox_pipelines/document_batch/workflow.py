"""The workflow of a batch: plan, run every document as a child workflow, report.

Statistics are computed by a child workflow that is not awaited.
"""

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
    from signalbox_core.temporal.names import fairness_key
    from signalbox_pipelines.document_batch.activities import BatchActivities
    from signalbox_pipelines.document_batch.batch_state import BatchState, SavedBatchState
    from signalbox_pipelines.document_batch.contract import (
        SPEC,
        BatchInput,
        BatchProcessed,
        BatchResult,
        DocumentOutcome,
    )
    from signalbox_pipelines.document_batch.document.contract import (
        DOCUMENT,
        KIND,
        DocumentInput,
        DocumentResult,
    )
    from signalbox_pipelines.document_batch.document.messages import DocumentEnded, DocumentWaiting
    from signalbox_pipelines.document_batch.messages import (
        BatchPlan,
        BatchReport,
        BatchReportRequest,
        ChunkRequest,
        PlannedDocument,
        PlanRequest,
        RecordOutcomesRequest,
        StatisticsRequest,
        child_run_id,
        document_name,
    )
    from signalbox_pipelines.document_batch.outcomes import failed, ok, waiting

STORAGE: Final = CallOptions(timeout=timedelta(minutes=2), maximum_attempts=6)
STATISTICS: Final = CallOptions(timeout=timedelta(minutes=2), maximum_attempts=5)
CONFIRMATION_TIMEOUT: Final = KIND.deadline + timedelta(hours=1)
"""By then a waiting document has ended, unless it was terminated."""

DocumentChild = workflow.ChildWorkflowHandle[object, DocumentResult]


@workflow.defn(name="document_batch")
class DocumentBatch:
    @workflow.init
    def __init__(self, request: BatchInput) -> None:
        self.signalbox = Run(SPEC)
        self.request = request
        saved = self.signalbox.kept(SavedBatchState)
        self.state = BatchState(saved) if saved is not None else None
        self.runs: dict[str, tuple[int, str, datetime]] = {}

    @workflow.signal
    def document_waiting(self, message: DocumentWaiting) -> None:
        """A document asks a person; its slot is free for the next one."""
        index, name, since = self.runs.get(message.run_id, (-1, "", workflow.now()))
        if index >= 0 and self.state is not None:
            self.state.apply(waiting(index, name, message.run_id, workflow.now() - since))

    @workflow.signal
    def document_settled(self, message: DocumentEnded) -> None:
        """A document that asked a person has ended; an earlier execution may have started it."""
        if self.state is None:
            return
        waiting_outcome = next(
            (outcome for outcome in self.state.waiting.values() if outcome.run_id == message.run_id), None
        )
        if waiting_outcome is not None:
            self.state.apply(_ended_outcome(waiting_outcome, message))

    @workflow.run
    async def run(self, request: BatchInput) -> BatchResult:
        async with self.signalbox as run:
            run.on_cancel(self._cancel_children)
            if self.state is None:
                async with run.step("plan") as step:
                    plan_request = PlanRequest(
                        tenant=run.tenant,
                        run_id=run.run_id,
                        documents=request.documents,
                        manifest=request.manifest,
                    )
                    plan = await step.call(BatchActivities.plan, plan_request, STORAGE)
                    self._publish_listing(plan)
                    step.say(f"{plan.total:,} documents")
                self.state = BatchState.begin(plan)
            async with run.step("process") as step:
                await self._process_chunk(step, self.state)
                step.say(self.state.summary())
            async with run.step("report") as step:
                report = await self._report(step, self.state)
            await self._start_analytics(self.state, report)
            return report.result

    def _publish_listing(self, plan: BatchPlan) -> None:
        ref = ObjectRef(key=plan.listing, media_type="application/json", size_bytes=plan.listing_bytes)
        if plan.listing:  # empty when an older version planned the batch
            self.signalbox.artifact("documents.json", ref, title="Every document with its run")

    async def _process_chunk(self, step: StepScope, state: BatchState) -> None:
        """Process one chunk, and continue as new for the next one, which keeps the history short."""
        if state.has_more:
            documents = await step.call(
                BatchActivities.load, ChunkRequest(folder=state.plan.folder, chunk=state.next_chunk), STORAGE
            )
            await self._run_chunk(step, state, documents)
            state.next_chunk += 1
            await self._record(step, state)
        if state.has_more:
            self.signalbox.keep(state.save())
            # The plan holds the documents, so the new input names only its folder.
            workflow.continue_as_new(structs.replace(self.request, documents=(), manifest=state.plan.folder))
        if self.request.wait_for_confirmation and state.waiting:
            await wait_until(lambda: not state.waiting, CONFIRMATION_TIMEOUT)
            await self._record(step, state)
            self._report_progress(step, state)

    async def _run_chunk(
        self, step: StepScope, state: BatchState, documents: tuple[PlannedDocument, ...]
    ) -> None:
        remaining = iter(documents)
        workers = min(self.request.parallel, len(documents))
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._process_documents(step, state, remaining))

    async def _process_documents(
        self, step: StepScope, state: BatchState, remaining: Iterator[PlannedDocument]
    ) -> None:
        """Process one document after another; one that waits for a person does not hold up the next."""
        for planned in remaining:
            await self.signalbox.state.until_resumed()
            state.start(planned.index)
            self._report_progress(step, state)
            await self._process_document(state, planned)
            self._report_progress(step, state)

    async def _process_document(self, state: BatchState, planned: PlannedDocument) -> None:
        run_id, name = child_run_id(self.signalbox.run_id, planned.index), document_name(planned.document)
        started_at = workflow.now()
        self.runs[run_id] = planned.index, name, started_at
        try:
            child = await self._start(run_id, planned)
            child.add_done_callback(_mark_retrieved)
            await workflow.wait_condition(lambda: child.done() or planned.index in state.waiting)
            if child.done():
                state.apply(ok(planned.index, name, run_id, workflow.now() - started_at, await child))
        except WorkflowAlreadyStartedError:
            conflict = Failure(
                code="run_id_taken",
                message=f"another run has the id {run_id}; start the batch under another run id",
            )
            state.apply(failed(planned.index, name, run_id, workflow.now() - started_at, conflict))
        except FailureError as error:
            state.apply(failed(planned.index, name, run_id, workflow.now() - started_at, failure_of(error)))

    async def _start(self, run_id: str, planned: PlannedDocument) -> DocumentChild:
        document, request = planned.document, self.request
        return await workflow.start_child_workflow(
            DOCUMENT.name,
            DocumentInput(
                url=document.url,
                object=document.object,
                name=document_name(document),
                languages=request.languages,
                engine=request.engine,
                pictures=request.pictures,
            ),
            id=run_id,
            result_type=DocumentResult,
            # A document that waits for a person outlives its batch.
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            priority=Priority(
                priority_key=document.priority, fairness_key=fairness_key(self.signalbox.tenant)
            ),
        )

    def _report_progress(self, step: StepScope, state: BatchState) -> None:
        step.progress(state.ended, state.plan.total, message=state.summary(), items=state.states)

    async def _record(self, step: StepScope, state: BatchState) -> None:
        outcomes = state.drain_unrecorded()
        if outcomes:
            number, state.files = state.files, state.files + 1
            await step.call(
                BatchActivities.record,
                RecordOutcomesRequest(folder=state.plan.folder, number=number, outcomes=outcomes),
                STORAGE,
            )

    async def _report(self, step: StepScope, state: BatchState) -> BatchReport:
        await self._record(step, state)
        report_request = BatchReportRequest(
            folder=state.plan.folder,
            total=state.plan.total,
            files=state.files,
            waiting=tuple(state.waiting.values()),
        )
        report = await step.call(BatchActivities.report, report_request, STORAGE)
        ref = ObjectRef(key=report.key, media_type="application/json", size_bytes=report.size_bytes)
        self.signalbox.artifact("report.json", ref, title="Every document with its outcome")
        counts = report.result
        data = BatchProcessed(
            total=counts.total, ok=counts.ok, failed=counts.failed, waiting=counts.waiting, report=report.key
        )
        self.signalbox.emit("batch.processed", data)
        step.say(state.summary())
        return report

    async def _start_analytics(self, state: BatchState, report: BatchReport) -> None:
        """Start the statistics without awaiting them; their failure does not affect the batch."""
        run = self.signalbox
        with suppress(WorkflowAlreadyStartedError):
            await workflow.start_child_workflow(
                BatchAnalytics.run,
                StatisticsRequest(run_id=run.run_id, folder=state.plan.folder, report=report.key),
                id=f"{run.workflow_id}/analytics",
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
            )

    async def _cancel_children(self) -> None:
        """Cancel the documents that run, and those that wait for a person."""
        if self.state is None:
            return
        open_ids = [run_id for run_id, (index, _, _) in self.runs.items() if self.state.is_open(index)]
        waiting_ids = [outcome.run_id for outcome in self.state.waiting.values()]
        await asyncio.gather(
            *(
                _cancel_document(self.signalbox.workflow_id_of(run_id))
                for run_id in dict.fromkeys([*open_ids, *waiting_ids])
            )
        )


@workflow.defn(name="document_batch.analytics")
class BatchAnalytics:
    """Computes statistics of a finished batch. Not a run: it has no stream."""

    @workflow.run
    async def run(self, request: StatisticsRequest) -> str:
        return await workflow.execute_activity_method(
            BatchActivities.write_statistics,
            request,
            start_to_close_timeout=STATISTICS.timeout,
            retry_policy=STATISTICS.retry_policy,
        )


def _ended_outcome(waiting_outcome: DocumentOutcome, message: DocumentEnded) -> DocumentOutcome:
    index, name, run_id = waiting_outcome.index, waiting_outcome.name, waiting_outcome.run_id
    duration = timedelta(seconds=waiting_outcome.seconds)
    if message.result is not None:
        return ok(index, name, run_id, duration, message.result)
    failure = message.failure or Failure(
        code="cancelled", message="the document's run was cancelled while it waited for a person"
    )
    return failed(index, name, run_id, duration, failure)


def _mark_retrieved(child: "asyncio.Task[DocumentResult]") -> None:
    """Retrieve the error of a child that is no longer awaited, so that asyncio does not log it.

    Such a child reports its end by signal.
    """
    if not child.cancelled():
        child.exception()


async def _cancel_document(workflow_id: str) -> None:
    handle = workflow.get_external_workflow_handle(workflow_id)
    with suppress(ApplicationError, FailureError):  # it has already ended
        await handle.signal(SIGNAL_CANCEL_REASON, CancelReason(reason="its batch was cancelled"))
        await handle.cancel()
