"""The approvals of one run: which questions are open and which decision won. Pure: no Temporal, no clock."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from signalbox_core.events.approval_data import ApprovalRequested
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import non_retryable_error, pipeline_bug
from signalbox_core.pipeline.contract.messages import Assignment, Decision, DecisionRecord, EarlyDecision
from signalbox_core.pipeline.contract.spec import PipelineSpec
from signalbox_core.pipeline.workflow.answers import validate_answer
from signalbox_core.pipeline.workflow.approval_lifecycle import (
    TABLE,
    ApprovalEffect,
    ApprovalInput,
    ApprovalPhase,
)
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.assignment import check_assignment
from signalbox_core.pipeline.workflow.ballot.carried import CarriedQuestion, carried_question
from signalbox_core.pipeline.workflow.ballot.link_votes import check_recorded_permission
from signalbox_core.pipeline.workflow.ballot.signed_vote import verify_vote_signature
from signalbox_core.pipeline.workflow.ballot.tally import check_voter
from signalbox_core.pipeline.workflow.ballot.vote import (
    apply_vote,
    check_same_voter,
    classify,
    record_of,
    refuse,
    validate_content,
)
from signalbox_core.pipeline.workflow.journal import CarriedState


class ApprovalRegistry:
    """Tracks a run's questions. Each has exactly one outcome; `approval_lifecycle.TABLE` decides which."""

    def __init__(self, spec: PipelineSpec) -> None:
        self._spec = spec
        self._asked: dict[str, AskedQuestion] = {}
        self._early: dict[str, EarlyDecision] = {}
        self.counts: dict[str, int] = {}

    @property
    def early_decisions(self) -> tuple[EarlyDecision, ...]:
        """The decisions whose questions have not been asked."""
        return tuple(self._early.values())

    @property
    def questions(self) -> tuple[AskedQuestion, ...]:
        """All questions, in the order in which they were asked."""
        return tuple(self._asked.values())

    def restore(self, carried: CarriedState, questions: Iterable[AskedQuestion]) -> None:
        """Take over what the run's previous execution left."""
        self.counts = dict(carried.asked)
        self._early = {item.decision.approval_id: item for item in carried.early}
        self._asked = {question.approval_id: question for question in questions}

    def next_id(self, name: str) -> str:
        """Return the id of the next question of this name: `variants`, then `variants-2`, …"""
        count = self.counts.get(name, 0)
        return name if count == 0 else f"{name}-{count + 1}"

    def open(self, approval_id: str, question: AskedQuestion) -> None:
        """Ask a question; a decision that arrived before it becomes its `early` decision.

        Raises:
            ApplicationError: `pipeline_bug` when the id is in use.
        """
        cell = TABLE[self.phase(approval_id), ApprovalInput.ASK]
        if cell.effect is ApprovalEffect.BUG:
            raise pipeline_bug(
                f"approval id {approval_id!r} is used twice; "
                "leave approval_id out, or make it unique in the run"
            )
        question.phase = cell.phase
        question.early = self._early.pop(approval_id, None)
        self._asked[approval_id] = question
        name = question.approval.name
        self.counts[name] = self.counts.get(name, 0) + 1

    def carry(self) -> tuple[CarriedQuestion, ...]:
        """Return the questions that the run's next execution takes over."""
        found = [question for question in self.questions if question.carries_over]
        for question in found:
            self._transition(question.approval_id, ApprovalInput.CARRY)
        return tuple(map(carried_question, found))

    def get(self, approval_id: str) -> AskedQuestion:
        return self._asked[approval_id]

    def find(self, approval_id: str) -> AskedQuestion | None:
        """Return a question that has been asked."""
        return self._asked.get(approval_id)

    def asked(self, name: str, approval_id: str | None) -> AskedQuestion:
        """Return a question of an approval, the latest without an id.

        Raises:
            ApplicationError: `pipeline_bug`: there is none.
        """
        named = [question for question in self.questions if question.approval.name == name]
        found = [question for question in named if approval_id in (None, question.approval_id)]
        if not found:
            raise pipeline_bug(f"the run has not asked {approval_id or name}; call run.ask first")
        return found[-1]

    def pending(self) -> tuple[AskedQuestion, ...]:
        """Return the open questions in the order in which they were asked."""
        return tuple(question for question in self.questions if question.is_open)

    def phase(self, approval_id: str) -> ApprovalPhase:
        question = self._asked.get(approval_id)
        if question is not None:
            return question.phase
        return ApprovalPhase.EARLY if approval_id in self._early else ApprovalPhase.UNASKED

    def close(self, approval_id: str, given: ApprovalInput) -> ApprovalEffect:
        """Apply a deadline, a withdrawal, a continuation or the end of the run."""
        return self._transition(approval_id, given)

    def validate(self, decision: Decision, *, allow_early: bool = False) -> None:
        """Check that a decision can be accepted now, against the live contract and the recorded question.

        Args:
            allow_early: accept a decision before its question even if the contract does not; so did
                versions whose histories record no verdicts.

        Raises:
            ApplicationError: `unknown_approval`, `not_asked_yet`, `already_decided`, `vetoed`,
                `approval_expired`, `withdrawn`, `reason_required`, `invalid_answer`, or as `check_recorded`.
        """
        question = self._asked.get(decision.approval_id)
        if question is None:
            self._validate_early(decision, allow_early=allow_early)
            return
        effect = self._effect_of(decision)
        if effect is not ApprovalEffect.RETURN:
            validate_content(question, decision)
        if effect is not ApprovalEffect.DEFER or not question.is_replayed:
            self.check_recorded(decision)

    def validate_early(self, decision: Decision) -> None:
        """Check a decision that arrived before its question, which has just been asked.

        Raises:
            ApplicationError: `invalid_answer`, or as `check_recorded`.
        """
        self.check_recorded(decision)
        validate_content(self._asked[decision.approval_id], decision)

    def check_recorded(self, decision: Decision) -> None:
        """Check a decision against the policy, links and digest that are recorded. Looks at no contract.

        Raises:
            ApplicationError: `not_allowed_by_policy`, `stale_digest`, or as `verify_vote_signature`.
        """
        question = self._asked[decision.approval_id]
        check_recorded_permission(question, decision)
        if decision.decision_id not in question.replies:
            check_voter(question.policy, question.starter, decision.decider, objects=decision.objection)
        digest = question.digest
        if decision.digest is not None and decision.digest != digest:
            raise non_retryable_error(
                messages.STALE_DIGEST,
                f"approval {decision.approval_id} has changed since you saw it; "
                "load it again and decide again",
                field="digest",
                digest=digest,
            )
        if decision.decision_id not in question.replies:
            verify_vote_signature(question, decision)

    def accept(self, decision: Decision, now: datetime) -> tuple[DecisionRecord, bool]:
        """Record a decision that was validated before. Looks at no contract, so replay repeats it exactly.

        Returns:
            What is on record of the decision, and whether this call voted on an open question.

        Raises:
            ApplicationError: the question has another outcome.
        """
        effect = self._effect_of(decision)
        earlier = self._reply_to(decision)
        if effect is ApprovalEffect.RETURN and earlier is not None:
            return earlier, False
        if effect is ApprovalEffect.HOLD:
            record = record_of(decision, now)
            self._early[decision.approval_id] = EarlyDecision(decision=decision, record=record)
            return record, False
        question = self._asked[decision.approval_id]
        given = classify(question, decision, now)
        self._transition(decision.approval_id, given)
        return apply_vote(question, decision, given, now), True

    def validate_assignment(self, assignment: Assignment, now: datetime) -> None:
        """Check that a question can be claimed, released or delegated now.

        Raises:
            ApplicationError: as `check_assignment`, or the question is not open.
        """
        question = self._asked.get(assignment.approval_id)
        effect = TABLE[self.phase(assignment.approval_id), ApprovalInput.ASSIGN].effect
        refuse(effect, assignment.approval_id, question.record if question is not None else None)
        if question is not None and not (effect is ApprovalEffect.DEFER and question.is_replayed):
            check_assignment(question, assignment, now)

    def confirm(self, recorded: ApprovalRequested, now: datetime, *, accepts_early: bool) -> Decision | None:
        """Take over a question as the history has it, and the verdict on its early decision.

        Returns:
            The early decision if it is a vote on the question now.
        """
        question = self._asked[recorded.approval_id]
        live = question.requested.answer_schema
        question.schema_changed = msgspec.json.decode(recorded.answer_schema) != msgspec.json.decode(live)
        question.requested = recorded
        early = question.early.decision if accepts_early and question.early is not None else None
        given = classify(question, early, now) if early is not None else None
        if given is ApprovalInput.DECIDE:
            effect = self._transition(recorded.approval_id, ApprovalInput.RECORDED_EARLY)
        else:
            effect = self._transition(recorded.approval_id, ApprovalInput.RECORDED)
            if given is not None and question.is_open:
                effect = self._transition(recorded.approval_id, given)
        if early is None or given is None or effect is ApprovalEffect.NOTHING:
            return None
        apply_vote(question, early, given, now)
        return early

    def _effect_of(self, decision: Decision) -> ApprovalEffect:
        """Look a decision up in the table.

        Raises:
            ApplicationError: the table refuses it.
        """
        record = self._record_on_file(decision.approval_id)
        given = ApprovalInput.DECIDE
        if (reply := self._reply_to(decision)) is not None:
            check_same_voter(self._asked.get(decision.approval_id), decision, reply)
            given = ApprovalInput.REPEAT
        elif record is not None:
            given = ApprovalInput.OTHER
        effect = TABLE[self.phase(decision.approval_id), given].effect
        refuse(effect, decision.approval_id, record)
        return effect

    def _record_on_file(self, approval_id: str) -> DecisionRecord | None:
        """Return the decision that the approval has, or holds for a question that was not asked yet."""
        question = self._asked.get(approval_id)
        if question is not None:
            return question.record
        early = self._early.get(approval_id)
        return early.record if early is not None else None

    def _reply_to(self, decision: Decision) -> DecisionRecord | None:
        """Return what is on record of a decision, by its id."""
        question = self._asked.get(decision.approval_id)
        if question is not None:
            return question.replies.get(decision.decision_id)
        early = self._early.get(decision.approval_id)
        is_same = early is not None and early.record.decision_id == decision.decision_id
        return early.record if early is not None and is_same else None

    def _transition(self, approval_id: str, given: ApprovalInput) -> ApprovalEffect:
        cell = TABLE[self.phase(approval_id), given]
        assert cell.effect is not ApprovalEffect.IMPOSSIBLE, (approval_id, given)
        question = self._asked.get(approval_id)
        if question is not None:
            question.phase = cell.phase
        return cell.effect

    def _validate_early(self, decision: Decision, *, allow_early: bool) -> None:
        approval_id = decision.approval_id
        approval = next(
            (item for item in self._spec.approvals if self.next_id(item.name) == approval_id), None
        )
        if approval is None:
            raise non_retryable_error(
                messages.UNKNOWN_APPROVAL,
                f"this run has no approval {approval_id!r}; load the run to see its approvals",
                field="approval_id",
            )
        if not (approval.early or allow_early):
            raise non_retryable_error(
                messages.NOT_ASKED_YET,
                f"approval {approval_id} has not been asked yet; wait for the question, then decide",
                field="approval_id",
            )
        self._effect_of(decision)
        if decision.objection:
            raise non_retryable_error(
                messages.NOT_ASKED_YET,
                f"approval {approval_id} has not been asked yet; wait for the question, then object",
                field="approval_id",
            )
        validate_answer(approval, decision, None)
