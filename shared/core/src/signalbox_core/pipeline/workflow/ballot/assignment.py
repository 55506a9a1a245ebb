"""Claims, releases and delegations of a question: checked against its recorded policy, then applied. Pure."""

from datetime import datetime

from msgspec import UNSET, Struct
from temporalio.exceptions import ApplicationError

from signalbox_core.events.approval_data import ApprovalClaimed, ApprovalHandedOver, ApprovalReleased
from signalbox_core.events.states import ClaimState
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import non_retryable_error
from signalbox_core.pipeline.contract.messages import CLAIM_DURATION, Assignment, AssignmentRecord
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.tally import check_voter
from signalbox_core.subjects import Subject

GROUP_PREFIX = "group:"


def check_assignment(question: AskedQuestion, assignment: Assignment, now: datetime) -> None:
    """Check that a subject may claim, release or delegate a question.

    Raises:
        ApplicationError: `not_allowed_by_policy`: the subject, or the one it delegates to, may not decide;
            `claimed`: another subject has claimed it; `not_claimed`: there is no claim to release.
    """
    check_voter(question.policy, question.starter, assignment.by, objects=True)
    claim = current_claim(question, now)
    if claim is not None and claim.by.subject != assignment.by.subject:
        raise non_retryable_error(
            messages.CLAIMED,
            f"approval {question.approval_id} is claimed by {claim.by.name or claim.by.subject} until "
            f"{claim.until.isoformat(timespec='seconds')}; wait, or decide without a claim",
            claimed_by=claim.by.subject,
            claimed_until=claim.until,
        )
    if assignment.action == "release" and claim is None:
        raise non_retryable_error(
            messages.NOT_CLAIMED, f"you have no claim of approval {question.approval_id}; nothing to release"
        )
    if assignment.action == "delegate":
        _check_delegate(question, assignment)


def current_claim(question: AskedQuestion, now: datetime) -> ClaimState | None:
    """The claim of a question that has not expired."""
    return question.claim if question.claim is not None and now < question.claim.until else None


def _check_delegate(question: AskedQuestion, assignment: Assignment) -> None:
    """Check what is known of the delegate. Its groups are checked when it votes."""
    policy, to = question.policy, assignment.to or ""
    starter = question.starter.subject if question.starter is not None else None
    if to == assignment.by.subject:
        raise _refused("delegate", "a question is delegated to somebody else; claim it instead")
    if policy.exclude_starter and to == starter:
        raise _refused("exclude_starter", f"{to} started this run; delegate to another person")
    if to.startswith(GROUP_PREFIX):
        groups = [quorum.group for quorum in policy.quorum]
        if None not in groups and to.removeprefix(GROUP_PREFIX) not in groups:
            wanted = " or ".join(group for group in groups if group is not None)
            raise _refused("quorum", f"members of {to} do not decide this approval; delegate to {wanted}")
    elif policy.people and to not in policy.people:
        raise _refused("people", f"{to} is not one of the people who decide this approval")


def _refused(rule: str, message: str) -> ApplicationError:
    return non_retryable_error(messages.NOT_ALLOWED_BY_POLICY, message, field="to", rule=rule)


def apply_assignment(question: AskedQuestion, assignment: Assignment, now: datetime) -> tuple[str, Struct]:
    """Change who deals with a question; return name and data of the event."""
    approval_id, by = question.approval_id, assignment.by
    if assignment.action == "claim":
        question.claim = ClaimState(by=by, until=now + CLAIM_DURATION)
        claimed = ApprovalClaimed(approval_id=approval_id, claimed_by=by, until=question.claim.until)
        return "approval.claimed", claimed
    question.claim = None
    if assignment.action == "release":
        return "approval.released", ApprovalReleased(approval_id=approval_id, released_by=by)
    question.delegated_to = assignment.to
    delegated = ApprovalHandedOver(
        approval_id=approval_id,
        to=assignment.to or "",
        deadline_at=question.deadline_at,
        delegated_by=by,
        note=assignment.note or UNSET,
    )
    return "approval.delegated", delegated


def end_claim(question: AskedQuestion, voter: Subject) -> None:
    """End the claim of a subject that votes."""
    if question.claim is not None and question.claim.by.subject == voter.subject:
        question.claim = None


def assignment_record(question: AskedQuestion) -> AssignmentRecord:
    """Return who deals with a question."""
    claim = question.claim
    return AssignmentRecord(
        approval_id=question.approval_id,
        claimed_by=claim.by if claim is not None else None,
        claimed_until=claim.until if claim is not None else None,
        delegated_to=question.delegated_to,
    )
