"""The message handlers of a run.

Queries `snapshot` and `judge_decisions`; updates `decide` and `assign_approval`; signals `decide`, `pause`,
`resume` and `cancel_reason`.
"""

from collections.abc import Callable

from msgspec import structs
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from signalbox_core.decision_doors import SIGNAL_DOOR
from signalbox_core.events import Snapshot, catalogue
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import non_retryable_error
from signalbox_core.pipeline.contract.messages import (
    Assignment,
    AssignmentRecord,
    CancelReason,
    Control,
    Decision,
    DecisionBatch,
    DecisionPreview,
    DecisionPreviews,
    DecisionRecord,
)
from signalbox_core.pipeline.contract.stated_patches import DETAILED_OUTCOMES
from signalbox_core.pipeline.workflow.answers import require_digest
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.assignment import apply_assignment, assignment_record
from signalbox_core.pipeline.workflow.ballot.link_votes import check_live_permission
from signalbox_core.pipeline.workflow.ballot.refused_vote import REASONS, refused_vote
from signalbox_core.pipeline.workflow.ballot.vote import preview_of, validate_content
from signalbox_core.pipeline.workflow.ballot.vote_events import check_size
from signalbox_core.pipeline.workflow.recorded import recorded_refusal, recorded_signal_validation
from signalbox_core.pipeline.workflow.state import RunState
from signalbox_core.subjects import Subject


class RunMessageHandlers:
    """Registers the handlers. They change the run's state and return at once; the workflow reacts to it."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._signal_count = 0
        self._resumed_count = 0
        workflow.set_query_handler(messages.QUERY_SNAPSHOT, self.snapshot)
        workflow.set_query_handler(messages.QUERY_PREVIEW, self.preview)
        workflow.set_update_handler(messages.UPDATE_DECIDE, self.decide, validator=self.validate_decision)
        workflow.set_update_handler(messages.UPDATE_ASSIGN, self.assign, validator=self.validate_assignment)
        workflow.set_signal_handler(messages.SIGNAL_DECIDE, self.decide_by_signal)
        workflow.set_signal_handler(messages.SIGNAL_PAUSE, self.pause)
        workflow.set_signal_handler(messages.SIGNAL_RESUME, self.resume)
        workflow.set_signal_handler(messages.SIGNAL_CANCEL_REASON, self.announce_cancel)

    def snapshot(self) -> Snapshot:
        return self._state.journal.snapshot

    def preview(self, batch: DecisionBatch) -> DecisionPreviews:
        """Return what each decision would do now, were it the only one. Changes nothing."""
        return DecisionPreviews(previews=tuple(map(self._preview, batch.decisions)))

    def _preview(self, decision: Decision) -> DecisionPreview:
        try:
            self.validate_decision(decision)
        except ApplicationError as refusal:
            return DecisionPreview(refusal=refusal.details[0])
        return preview_of(self._state.approvals.find(decision.approval_id), decision, workflow.now())

    def validate_decision(self, decision: Decision, *, allow_early: bool = False) -> None:
        """Reject a decision that cannot be accepted; as a validator, before it enters the history.

        Raises:
            ApplicationError: `not_allowed_by_policy` when an agent votes, or a link is used although the
                question permits none; `conflict` when the run has ended or is being cancelled;
                `digest_required`; `answer_too_large`; else as `ApprovalRegistry.validate`.
        """
        _require_no_agent(decision.decider)
        self._require_open_run()
        check_live_permission(self._state.approvals.find(decision.approval_id), decision)
        self._state.approvals.validate(decision, allow_early=allow_early)
        asked = self._state.approvals.find(decision.approval_id)
        if asked is not None and asked.is_open and not allow_early:
            require_digest(decision)
            if decision.decision_id not in asked.replies:
                check_size(asked, decision, workflow.now())

    def _require_open_run(self) -> None:
        if self._state.journal.has_ended:
            status = self._state.journal.snapshot.status
            raise non_retryable_error(
                "conflict", f"run {self._state.run_id} has ended ({status}); nothing to decide"
            )
        if self._state.is_cancelling:
            raise non_retryable_error(
                "conflict", f"run {self._state.run_id} is being cancelled; nothing to decide"
            )

    async def decide(self, decision: Decision) -> DecisionRecord:
        """Accept a vote; an update's validator has accepted it in this very step.

        Replay runs no validator: what the history accepted is not validated again.

        Raises:
            ApplicationError: another decision, a cancel or the deadline came first, or the question turns out
                to be another than the one that was decided.
        """
        asked = self._state.approvals.find(decision.approval_id)
        if asked is not None and asked.defers_votes:
            is_carried = asked.is_carried
            await workflow.wait_condition(lambda: not asked.defers_votes)
            self._require_open_run()
            if asked.is_open:
                self._state.approvals.check_recorded(decision)
                if is_carried and decision.decision_id not in asked.replies:
                    self._validate_resumed(asked, decision)
        record, is_vote = self._state.approvals.accept(decision, workflow.now())
        if is_vote:
            self._state.record_vote(decision)
        return record

    def _validate_resumed(self, asked: AskedQuestion, decision: Decision) -> None:
        """Validate a decision that arrived before its carried question was asked again, with its check.

        Raises:
            ApplicationError: as `validate_content`.
        """
        self._resumed_count += 1
        is_replay = workflow.unsafe.is_replaying()
        refusal = None if is_replay else _error_of(lambda: validate_content(asked, decision))
        if recorded_refusal(f"signalbox.resumed-{self._resumed_count}", lambda: refusal is not None):
            raise refusal or non_retryable_error(
                messages.INVALID_ANSWER, f"approval {asked.approval_id} has refused this answer"
            )

    def validate_assignment(self, assignment: Assignment) -> None:
        """Reject a claim, release or delegation that the question's policy does not allow.

        Raises:
            ApplicationError: `not_allowed_by_policy`, `claimed`, `not_claimed`, or the question is not open.
        """
        _require_no_agent(assignment.by)
        self._require_open_run()
        self._state.approvals.validate_assignment(assignment, workflow.now())

    async def assign(self, assignment: Assignment) -> AssignmentRecord:
        """Apply a claim, release or delegation that was validated before."""
        asked = self._state.approvals.get(assignment.approval_id)
        if asked.defers_votes:
            await workflow.wait_condition(lambda: not asked.defers_votes)
            self._require_open_run()
            self._state.approvals.validate_assignment(assignment, workflow.now())
        name, data = apply_assignment(asked, assignment, workflow.now())
        self._state.record_event(name, data)
        return assignment_record(asked)

    async def decide_by_signal(self, decision: Decision) -> None:
        """Decide without a reply, for when no worker runs. A refusal is an event, `approval.vote_refused`."""
        self._signal_count += 1
        if decision.door is None and DETAILED_OUTCOMES in self._state.stated_patches:
            decision = structs.replace(decision, door=SIGNAL_DOOR)
        key = f"signalbox.signal-{self._signal_count}"
        # Histories without recorded validations may hold any early decision.
        allow_early = workflow.unsafe.is_replaying()
        validation = recorded_signal_validation(
            key,
            lambda: _refusal_of(lambda: self.validate_decision(decision, allow_early=allow_early)),
            REASONS,
        )
        if validation.code is not None:
            self._report_refusal(decision, validation.code, is_event=validation.is_reported)
            return
        asked = self._state.approvals.find(decision.approval_id)
        # Read before the wait, as a patch is only reliable in the workflow task of the message.
        is_event = asked is not None and asked.defers_votes and workflow.patched(f"{key}-deferred")
        try:
            await self.decide(decision)
        except ApplicationError as refusal:
            self._report_refusal(decision, str(refusal.type), is_event=is_event)

    def refusal_of_early(self, decision: Decision) -> str | None:
        """Validate a decision that arrived before its question, now that the question is known.

        Returns:
            The code of the refusal, or None.
        """
        if self._state.journal.has_ended or self._state.is_cancelling:
            return "conflict"
        return _refusal_of(lambda: self._validate_early(decision))

    def _validate_early(self, decision: Decision) -> None:
        self._state.approvals.validate_early(decision)
        check_size(self._state.approvals.get(decision.approval_id), decision, workflow.now())

    def _report_refusal(self, decision: Decision, code: str, *, is_event: bool) -> None:
        extra = {"approval_id": decision.approval_id, "reason": code}
        workflow.logger.warning("decision refused", extra=extra)
        if is_event and not self._state.journal.has_ended:
            self._state.record_event("approval.vote_refused", refused_vote(decision, code))

    def pause(self, control: Control) -> None:
        if not self._state.paused and not self._state.journal.has_ended:
            self._state.paused = True
            self._state.record_event("run.paused", catalogue.RunPaused(by=control.by))

    def resume(self, control: Control) -> None:
        if self._state.paused and not self._state.journal.has_ended:
            self._state.paused = False
            self._state.record_event("run.resumed", catalogue.RunResumed(by=control.by))

    def announce_cancel(self, reason: CancelReason) -> None:
        self._state.announce_cancel(reason)


def _require_no_agent(subject: Subject | None) -> None:
    if subject is not None and subject.kind == "agent":
        raise non_retryable_error(
            messages.NOT_ALLOWED_BY_POLICY, f"agents never decide, and {subject.subject} is one; ask a person"
        )


def _refusal_of(validate: Callable[[], None]) -> str | None:
    """The code with which a validation fails; None if it passes."""
    error = _error_of(validate)
    return str(error.type) if error is not None else None


def _error_of(validate: Callable[[], None]) -> ApplicationError | None:
    try:
        validate()
    except ApplicationError as error:
        return error
    return None
