"""Votes by link: whether a question permits them. Pure."""

from msgspec import UNSET
from temporalio.exceptions import ApplicationError

from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import non_retryable_error
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.subjects import LINK_PREFIX


def check_live_permission(question: AskedQuestion | None, decision: Decision) -> None:
    """Refuse a vote by link before its question is asked, or if the live contract decides and permits none.

    Raises:
        ApplicationError: `not_allowed_by_policy`.
    """
    if not _is_by_link(decision):
        return
    if question is None or (question.requested.links is UNSET and not question.approval.links):
        raise _refused(decision)


def check_recorded_permission(question: AskedQuestion, decision: Decision) -> None:
    """Refuse a vote by link if the question was asked without them. Looks at no contract.

    Raises:
        ApplicationError: `not_allowed_by_policy`.
    """
    if question.requested.links is False and _is_by_link(decision):
        raise _refused(decision)


def _is_by_link(decision: Decision) -> bool:
    return decision.decider is not None and decision.decider.subject.startswith(LINK_PREFIX)


def _refused(decision: Decision) -> ApplicationError:
    return non_retryable_error(
        messages.NOT_ALLOWED_BY_POLICY,
        f"approval {decision.approval_id} accepts no decision by link; its contract needs links=True "
        "when the question is asked",
    )
