"""What a run keeps in its history because replay must not compute it again from code that may have changed.

A question is kept as the result of a local activity. The judgement of a decision that arrived by signal is
kept as a patch marker, the only record that workflow code can read without waiting: a signal must take
effect at once, or a cancel that arrives with it would overtake it.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from msgspec import Struct
from temporalio import activity, workflow

from signalbox_core.events.catalogue import ApprovalRequested
from signalbox_core.pipeline.contract.step_header import current_call

RECORD_QUESTION: Final = "signalbox.record_question"
RECORDED_QUESTIONS: Final = "signalbox.recorded-questions"
"""The patch since which questions are recorded.

It is set when a run starts, so a run of an older version goes on with what live code computes.
"""
_TIMEOUT: Final = timedelta(seconds=5)


class RecordedQuestion(Struct, frozen=True, kw_only=True):
    """A question as it was asked, and how the decision that had arrived before it was judged."""

    question: ApprovalRequested
    early_accepted: bool = False


@activity.defn(name=RECORD_QUESTION)
async def record_question(question: RecordedQuestion) -> RecordedQuestion:
    """Return the question; its marker keeps it in the history. Idempotent. Every worker registers it."""
    return question


async def recorded_question(question: RecordedQuestion) -> RecordedQuestion:
    """Record the question and return it; on replay, return the question that was asked."""
    # The question is not work of the step that asks it.
    token = current_call.set(None)
    try:
        handle = workflow.start_local_activity(record_question, question, start_to_close_timeout=_TIMEOUT)
    finally:
        current_call.reset(token)
    return await handle


def recorded_judgement(key: str, judge: Callable[[], bool]) -> bool:
    """Judge once: call `judge` on the first execution and return the recorded outcome on replay.

    To be called from a message handler only. After a local activity Temporal may replay the code before it
    reads the markers of the workflow task in which that code ran.

    Args:
        key: unique in the run.
        judge: called on replay too when the history is older than this record.
    """
    accepted, refused = f"{key}-accepted", f"{key}-refused"
    if workflow.unsafe.is_replaying():
        if workflow.patched(accepted):
            return True
        return False if workflow.patched(refused) else judge()
    verdict = judge()
    workflow.patched(accepted if verdict else refused)
    return verdict
