"""A question that a run carries over to its next execution (continue-as-new), and its restoration. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct, structs

from signalbox_core.events.approval_data import ApprovalRequested, LadderRung
from signalbox_core.events.policy import Policy
from signalbox_core.events.snapshot import Snapshot
from signalbox_core.events.states import ClaimState
from signalbox_core.pipeline.contract.messages import DecisionRecord
from signalbox_core.pipeline.contract.spec import Approval, PipelineSpec, json_schema
from signalbox_core.pipeline.workflow.approval_lifecycle import ApprovalPhase
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.tally import Vote
from signalbox_core.subjects import Subject


class CarriedQuestion(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question as one execution passes it to the next one.

    Attributes:
        phase: `carried`, or the outcome of a question that had ended.
        rungs: of the ladder, those that were not taken; None if the wait for the answer had not begun.
        votes: the latest of each subject, in the order in which they were cast.
        decision_id: of the decision that won.
        vetoed_by: the subject whose objection ended the question.
    """

    requested: ApprovalRequested
    phase: ApprovalPhase
    rungs: tuple[LadderRung, ...] | None = None
    votes: tuple[Vote, ...] = ()
    replies: tuple[DecisionRecord, ...] = ()
    decision_id: str | None = None
    vetoed_by: str | None = None
    claim: ClaimState | None = None
    delegated_to: str | None = None
    handed_policy: Policy | None = None


class UndeclaredAnswer(Struct, frozen=True):
    """The answer of an approval that the contract no longer declares; the run cannot ask it again."""


def carried_question(asked: AskedQuestion) -> CarriedQuestion:
    """Return what the run's next execution needs of a question."""
    return CarriedQuestion(
        requested=asked.requested,
        phase=asked.phase,
        rungs=asked.rungs,
        votes=tuple(asked.votes.values()),
        replies=tuple(asked.replies.values()),
        decision_id=asked.record.decision_id if asked.record is not None else None,
        vetoed_by=asked.veto.voter.subject if asked.veto is not None else None,
        claim=asked.claim,
        delegated_to=asked.delegated_to,
        handed_policy=asked.handed_policy,
    )


def restored_questions(
    carried: Iterable[CarriedQuestion], spec: PipelineSpec, *, run: Snapshot, starter: Subject | None
) -> tuple[AskedQuestion, ...]:
    """Return the questions as the previous execution left them; their checks come with the next `ask`."""
    return tuple(
        structs.replace(_restored(question, spec), starter=starter, tenant=run.tenant, run_id=run.run_id)
        for question in carried
    )


def _restored(carried: CarriedQuestion, spec: PipelineSpec) -> AskedQuestion:
    requested = carried.requested
    declared = next((item for item in spec.approvals if item.name == requested.name), None)
    votes = {vote.voter.subject: vote for vote in carried.votes}
    replies = {record.decision_id: record for record in carried.replies}
    return AskedQuestion(
        approval=declared or Approval(name=requested.name, title=requested.title, answer=UndeclaredAnswer),
        requested=requested,
        is_recorded=True,
        is_carried=True,
        schema_changed=declared is not None and _schema_differs(declared, requested),
        phase=carried.phase,
        rungs=carried.rungs,
        votes=votes,
        replies=replies,
        record=replies[carried.decision_id] if carried.decision_id is not None else None,
        veto=votes[carried.vetoed_by] if carried.vetoed_by is not None else None,
        claim=carried.claim,
        delegated_to=carried.delegated_to,
        handed_policy=carried.handed_policy,
    )


def _schema_differs(declared: Approval[Any], requested: ApprovalRequested) -> bool:
    live = msgspec.json.encode(json_schema(declared.answer))
    return bool(msgspec.json.decode(live) != msgspec.json.decode(requested.answer_schema))
