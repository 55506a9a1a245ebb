"""The workflow between a schedule and its runs.

Temporal appends a time with colons to the workflow ids of a schedule, and its overlap policies count the
workflows that the schedule started. This one therefore starts the run under a run key, and ends with it.
"""

from typing import Any

from temporalio import workflow
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError

from signalbox_core.ids import run_id_of
from signalbox_core.pipeline.contract.failures import non_retryable_error
from signalbox_core.pipeline.contract.scheduled_start import (
    SCHEDULE_STARTER,
    ScheduledStart,
    parse_starter_id,
)
from signalbox_core.pipeline.contract.search_terms import bounded, id_terms
from signalbox_core.subjects import Subject
from signalbox_core.temporal.names import (
    MEMO_PATCHES,
    MEMO_REQUEST_DIGEST,
    MEMO_STARTED_BY,
    MEMO_STARTER,
    MEMO_SUBJECT,
    MEMO_TENANT,
    SEARCH_FIND,
    SEARCH_PIPELINE,
    SEARCH_TENANT,
    fairness_key,
)


@workflow.defn(name=SCHEDULE_STARTER)
class ScheduledStartWorkflow:
    """Starts the run of one scheduled time, and waits for its end; every worker registers it.

    Cancelling it, as the overlap policy `cancel_other` does, cancels the run and waits for its clean-up.
    """

    @workflow.run
    async def run(self, start: ScheduledStart) -> None:
        starter_id = parse_starter_id(workflow.info().workflow_id)
        if starter_id is None or starter_id.tenant != start.tenant:
            raise non_retryable_error(
                "tenant_mismatch", f"{workflow.info().workflow_id} is not a workflow of tenant {start.tenant}"
            )
        try:
            run = await workflow.start_child_workflow(
                start.pipeline,
                start.input,
                id=starter_id.run_key,
                task_queue=start.task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                # The end of this workflow by an operator must not end the run.
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                memo=_memo(start),
                search_attributes=TypedSearchAttributes(
                    [
                        SearchAttributePair(SEARCH_TENANT, start.tenant),
                        SearchAttributePair(SEARCH_PIPELINE, start.pipeline),
                        *_find_terms(start, run_id_of(starter_id.run_key)),
                    ]
                ),
                priority=Priority(priority_key=start.priority, fairness_key=fairness_key(start.tenant)),
            )
        except WorkflowAlreadyStartedError:
            # A backfill of a time whose run was started before.
            return
        try:
            await run
        except ChildWorkflowError:
            # How the run ended is its own matter, unless this workflow was cancelled.
            if workflow.cancellation_reason() is not None:
                raise


def _memo(start: ScheduledStart) -> dict[str, str | Subject | tuple[str, ...]]:
    return {
        MEMO_TENANT: start.tenant,
        MEMO_STARTED_BY: start.started_by,
        MEMO_STARTER: start.starter,
        MEMO_REQUEST_DIGEST: start.digest,
        **({MEMO_SUBJECT: start.subject} if start.subject else {}),
        **({MEMO_PATCHES: start.patches} if start.patches else {}),
    }


def _find_terms(start: ScheduledStart, run_id: str) -> list[SearchAttributePair[Any]]:
    """The search attribute of a run; none for a schedule of an earlier release."""
    if not start.terms:
        return []
    return [SearchAttributePair(SEARCH_FIND, bounded([*id_terms(run_id), *start.terms]))]
