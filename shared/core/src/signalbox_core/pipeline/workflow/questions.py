"""Asking a person: record the question, take the rungs of its ladder, wait for its outcome."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs
from temporalio import workflow

from signalbox_core.events import approval_data
from signalbox_core.events.policy import Policy, check_narrowed
from signalbox_core.events.question_digest import QuestionContent
from signalbox_core.pipeline.contract.failures import VetoedError, non_retryable_error, pipeline_bug
from signalbox_core.pipeline.contract.messages import APPROVAL_EXPIRED, MAX_ANSWER_BYTES, Decision
from signalbox_core.pipeline.contract.spec import Approval, json_schema
from signalbox_core.pipeline.contract.stated_patches import DETAILED_OUTCOMES, LEAN_QUESTIONS, RECORDED_LINKS
from signalbox_core.pipeline.contract.step_header import current_call
from signalbox_core.pipeline.workflow.answers import AnswerCheck, decode_accepted
from signalbox_core.pipeline.workflow.approval_lifecycle import ApprovalInput, ApprovalPhase
from signalbox_core.pipeline.workflow.approvals import ApprovalRegistry
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.continuation import withdraw
from signalbox_core.pipeline.workflow.ballot.ladder import (
    default_answer_of,
    recorded_rungs,
    rungs_before,
    take_rung,
)
from signalbox_core.pipeline.workflow.origin import run_starter
from signalbox_core.pipeline.workflow.recorded import EarlyValidation
from signalbox_core.pipeline.workflow.state import RunState
from signalbox_core.pipeline.workflow.waits import wait_until


class ApprovalQuestion(Struct, frozen=True, kw_only=True):
    """What the approver sees, and the pipeline's check of the answer.

    Attributes:
        about: what the question is about; None when the title states it.
        approval_id: empty for the next one of the approval.
        proposal: the answer, or a part of it, as proposed; None without one.
    """

    approval: Approval[Any]
    title: str
    about: str | None
    deadline: timedelta
    policy: Policy
    approval_id: str
    options: object
    evidence: object
    check: AnswerCheck | None = None
    proposal: object = None


async def ask_question(
    state: RunState, question: ApprovalQuestion, refusal_of_early: Callable[[Decision], str | None]
) -> AskedQuestion:
    """Ask a question, or ask one again that the run's previous execution has carried over.

    A question that is asked again stays as it was asked, except for its check.

    Raises:
        ApplicationError: `pipeline_bug`: the id is in use, or the policy is weaker than the contract's or can
            never be met.
    """
    resumed = _resume_question(state, question)
    if resumed is not None:
        return resumed
    async with state.recorder.slot():
        approval_id = question.approval_id or state.approvals.next_id(question.approval.name)
        question = structs.replace(question, approval_id=approval_id)
        _check_policy(question)
        return open_question(state, question, refusal_of_early)


def _resume_question(state: RunState, question: ApprovalQuestion) -> AskedQuestion | None:
    if state.withdrawal is None:
        # Nothing was carried over; a run may ask very many questions.
        return None
    name, approval_id = question.approval.name, question.approval_id
    for asked in state.approvals.questions:
        if asked.is_carried and asked.requested.name == name and approval_id in ("", asked.approval_id):
            asked.is_carried, asked.is_resumed, asked.check = False, True, question.check
            state.approvals.close(asked.approval_id, ApprovalInput.ASK_AGAIN)
            return asked
    return None


def _check_policy(question: ApprovalQuestion) -> None:
    """Check the policy of a question: the contract's, or a stricter one.

    A question that the history has keeps its policy, even if the contract's has become stricter since. So the
    refusal is recorded as a patch.
    """
    try:
        check_narrowed(question.approval.policy, question.policy, run_starter())
    except ValueError as error:
        if workflow.patched(f"signalbox.policy-refused-{question.approval_id}"):
            raise pipeline_bug(f"approval {question.approval_id}: {error}") from None


def open_question(
    state: RunState, question: ApprovalQuestion, refusal_of_early: Callable[[Decision], str | None]
) -> AskedQuestion:
    """Open the question and record it with `approval.requested`.

    Args:
        refusal_of_early: returns the code with which the question refuses the decision that arrived before
            it, or None; the validation is recorded too.
    """
    is_recorded = state.questions_patch is not None
    data = _requested(
        question,
        has_ladder=state.follows_ladders,
        is_recorded=is_recorded,
        has_links=is_recorded and RECORDED_LINKS in state.stated_patches,
    )
    # A history without the recorded question is older than rounds: its event must stay as it was.
    number = round_of(state.approvals, question.approval.name) if is_recorded else 1
    data = structs.replace(data, round=number if number > 1 else UNSET)
    asked = AskedQuestion(
        approval=question.approval,
        check=question.check,
        requested=data,
        is_replayed=workflow.unsafe.is_replaying(),
        is_recorded=is_recorded,
        starter=run_starter(),
        tenant=state.tenant,
        run_id=state.run_id,
    )
    state.approvals.open(question.approval_id, asked)
    refusal = refusal_of_early(asked.early.decision) if asked.early is not None else None
    validation = EarlyValidation(is_accepted=asked.early is not None and refusal is None, refusal=refusal)
    event = state.record_event("approval.requested", data, step=data.step)
    if asked.is_recorded:
        state.recorder.add(event, validation)
    else:
        state.confirm_question(data, accepts_early=validation.is_accepted)
    return asked


def round_of(approvals: ApprovalRegistry, name: str) -> int:
    """Return the round of a question of this name: 1 while an earlier one is open, or if there was none."""
    is_asked = any(question.approval.name == name for question in approvals.pending())
    return 1 if is_asked else approvals.counts.get(name, 0) + 1


def _requested(
    question: ApprovalQuestion, *, has_ladder: bool, is_recorded: bool, has_links: bool
) -> approval_data.ApprovalRequested:
    """Build the data of `approval.requested`.

    Args:
        is_recorded: the history holds the question. Without that record the digest is computed again on
            replay, so such a question keeps the form of the digest with which it was asked.
        has_links: the event records whether the question may be decided by link.
    """
    approval = question.approval
    content = QuestionContent(
        title=question.title,
        answer_schema=_raw(json_schema(approval.answer)),
        options=_raw(question.options),
        evidence=_raw(question.evidence),
        about=question.about,
        policy=None if question.policy.is_default else question.policy,
        proposal=_raw(question.proposal) if question.proposal is not None else None,
    )
    call = current_call.get()
    now, ladder = workflow.now(), approval.ladder if has_ladder else ()
    deadline_at = now + question.deadline
    return approval_data.ApprovalRequested(
        approval_id=question.approval_id,
        name=approval.name,
        title=content.title,
        answer_schema=content.answer_schema,
        options=content.options,
        evidence=content.evidence,
        digest=content.digest if is_recorded else content.text_digest,
        step=call.step if call is not None else None,
        deadline_at=deadline_at,
        about=content.about if content.about is not None else UNSET,
        policy=content.policy if content.policy is not None else UNSET,
        proposal=content.proposal if content.proposal is not None else UNSET,
        ladder=rungs_before(ladder, now, deadline_at),
        default_answer=default_answer_of(ladder),
        links=approval.links if has_links else UNSET,
    )


async def wait_for_outcome(state: RunState, asked: AskedQuestion, *, default: object) -> None:
    """Wait until the question has an outcome. A decision that arrives with the deadline wins.

    Args:
        default: the answer with which the pipeline continues after the deadline; UNSET without one.
    """
    try:
        await _wait_for_votes(state, asked, default=default)
    except asyncio.CancelledError:
        # A cancelled run closes its questions when it ends.
        if workflow.cancellation_reason() is None:
            withdraw(state, asked)
        raise


def answer_of(asked: AskedQuestion, open_for: timedelta) -> Any:
    """Return the answer of an ended question, or the default of its ladder.

    Raises:
        VetoedError: a member of a veto group objected.
        ApplicationError: `approval_expired`: nobody decided in time, and the ladder has no default.
    """
    kind = asked.approval.answer
    if asked.record is not None:
        return decode_accepted(asked.record.answer, kind)
    if asked.veto is not None:
        raise VetoedError(asked.approval_id, asked.veto.decision.note or "", asked.veto.voter)
    if asked.requested.default_answer:
        return decode_accepted(asked.requested.default_answer, kind)
    raise non_retryable_error(
        APPROVAL_EXPIRED,
        f"approval {asked.approval_id} expired undecided after {open_for}; start the run again",
    )


async def _wait_for_votes(state: RunState, asked: AskedQuestion, *, default: object) -> None:
    if state.follows_ladders or asked.is_resumed:
        # The rungs are those that the history has. Votes that waited precede a deadline that has passed.
        await workflow.wait_condition(lambda: not asked.defers_votes)
    if asked.is_resumed and not asked.is_open:
        return
    if asked.rungs is None:
        asked.rungs = recorded_rungs(asked.requested, workflow.now())
    while asked.rungs:
        rung = asked.rungs[0]
        if await _ended_by_votes_within(state, asked, rung.at - workflow.now()):
            return
        asked.rungs = asked.rungs[1:]
        take_rung(state, asked, rung)
    if await _ended_by_votes_within(state, asked, asked.deadline_at - workflow.now()):
        return
    has_default = default is not UNSET or asked.requested.default_answer is not UNSET
    deadline = ApprovalInput.DEADLINE_WITH_DEFAULT if has_default else ApprovalInput.DEADLINE
    state.approvals.close(asked.approval_id, deadline)
    expired = approval_data.ApprovalExpired(approval_id=asked.approval_id)
    if DETAILED_OUTCOMES in state.stated_patches:
        expired = structs.replace(
            expired,
            outcome="defaulted" if has_default else "expired",
            answer=_default_answer(asked, default),
        )
    state.record_event("approval.expired", expired)


def _default_answer(asked: AskedQuestion, default: object) -> msgspec.Raw | UnsetType:
    """The answer with which the run continues; UNSET if it has none, or one too large for an event."""
    if default is UNSET:
        answer = asked.requested.default_answer
    else:
        answer = _raw(default) if isinstance(default, Struct) else UNSET
    return UNSET if isinstance(answer, UnsetType) or len(bytes(answer)) > MAX_ANSWER_BYTES else answer


async def _ended_by_votes_within(state: RunState, asked: AskedQuestion, limit: timedelta) -> bool:
    if state.questions_patch != LEAN_QUESTIONS:
        return await wait_until(lambda: asked.is_voted_out, limit)
    if not asked.is_voted_out:
        with suppress(TimeoutError):
            async with asyncio.timeout(limit.total_seconds()):
                await state.outcomes.wait(asked.approval_id)
    if asked.phase is ApprovalPhase.CARRIED:
        # A message that came with the timer has continued the run as new: the next execution waits on.
        await workflow.wait_condition(lambda: False)
    return asked.is_voted_out


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
