"""Questions at continue-as-new: the next execution takes them over, or they are withdrawn."""

from collections.abc import Iterable

from temporalio import workflow

from signalbox_core.events import approval_data
from signalbox_core.pipeline.contract.failures import pipeline_bug
from signalbox_core.pipeline.contract.stated_patches import LEAN_QUESTIONS
from signalbox_core.pipeline.workflow.approval_lifecycle import (
    ApprovalEffect,
    ApprovalInput,
    ApprovalPhase,
)
from signalbox_core.pipeline.workflow.approvals import ApprovalRegistry
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.origin import has_patch
from signalbox_core.pipeline.workflow.state import RunState
from signalbox_core.pipeline.workflow.waits import wait_until_idle


async def carry_questions(state: RunState, approval_ids: Iterable[str]) -> None:
    """Let the run's next execution take questions over, once no message is being handled.

    A decision that waits for the record of its question would end with this execution.

    Raises:
        ApplicationError: `pipeline_bug`: this execution has not asked a question, or has withdrawn it.
    """
    found = [_carriable(state, approval_id) for approval_id in approval_ids]
    for asked in found:
        asked.carries_over = True
    await workflow.wait_condition(
        lambda: workflow.all_handlers_finished() and not any(asked.defers_votes for asked in found)
    )


def _carriable(state: RunState, approval_id: str) -> AskedQuestion:
    asked = state.approvals.find(approval_id)
    if asked is None or asked.is_carried or asked.phase is ApprovalPhase.WITHDRAWN:
        raise pipeline_bug(
            f"approval {approval_id!r} cannot be carried over: this execution of the run has not asked it, "
            "or has withdrawn it; call run.ask first, and do not cancel it"
        )
    return asked


def withdraw_open_questions(state: RunState) -> None:
    """Withdraw what nobody waits for after continue-as-new."""
    for asked in state.approvals.pending():
        if not asked.carries_over:
            withdraw(state, asked)


async def withdraw_unasked_after_first_task(state: RunState) -> None:
    """Withdraw the carried questions that the first workflow task does not ask again.

    The bound lets decisions that arrive meanwhile wait for the check that comes with `ask`, to be validated
    in the workflow task in which they arrived, where a patch can record the refusal. In a paused run, whose
    steps do not begin, it is the workflow task that resumes it.
    """
    await wait_until_idle()
    if state.paused:
        await workflow.wait_condition(lambda: not state.paused)
        await wait_until_idle()
    withdraw_unasked(state)


def withdraw_unasked(state: RunState) -> None:
    """Withdraw the carried questions that have not been asked again."""
    for asked in state.approvals.pending():
        if asked.is_carried:
            withdraw(state, asked)
    end_resumption(state.approvals)


def end_resumption(approvals: ApprovalRegistry) -> None:
    """Let no carried question answer one that is asked from now on, whatever has become of it."""
    for asked in approvals.questions:
        asked.is_carried = False


def withdraw(state: RunState, asked: AskedQuestion) -> None:
    """Close a question that the run no longer asks; one of an older history stays as it was.

    An eviction cancels the waiting task as well; `has_patch` raises then.
    """
    # A run has no such patch if its contract has lost all approvals; it may still have a carried question.
    patch = state.questions_patch or (LEAN_QUESTIONS if asked.is_carried else None)
    if patch is None or not has_patch(patch):
        return
    asked.is_carried = asked.carries_over = False
    if state.approvals.close(asked.approval_id, ApprovalInput.WITHDRAW) is ApprovalEffect.WITHDRAW:
        withdrawn = approval_data.ApprovalWithdrawn(approval_id=asked.approval_id)
        state.record_event("approval.withdrawn", withdrawn)
