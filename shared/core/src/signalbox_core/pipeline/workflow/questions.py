"""Asking a person: open the question, wait for its outcome, send a reminder at half the deadline."""

from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct
from temporalio import workflow

from signalbox_core.events import catalogue
from signalbox_core.pipeline.contract.spec import Approval, json_schema
from signalbox_core.pipeline.contract.step_header import current_call
from signalbox_core.pipeline.workflow.approvals import AskedQuestion, Check, digest_of
from signalbox_core.pipeline.workflow.state import RunState
from signalbox_core.pipeline.workflow.waits import wait_until


class ApprovalQuestion(Struct, frozen=True, kw_only=True):
    """What the approver sees, and the pipeline's check of the answer."""

    approval: Approval[Any]
    approval_id: str
    options: object
    evidence: object
    check: Check | None = None


def open_question(state: RunState, question: ApprovalQuestion) -> AskedQuestion:
    """Register the question and record `approval.requested`."""
    approval = question.approval
    schema = json_schema(approval.answer)
    form = {"title": approval.title, "answer_schema": schema}
    asked = AskedQuestion(
        approval=approval,
        check=question.check,
        digest=digest_of(form, question.options, question.evidence),
    )
    state.approvals.open(question.approval_id, asked)
    call = current_call.get()
    data = catalogue.ApprovalRequested(
        approval_id=question.approval_id,
        name=approval.name,
        title=approval.title,
        answer_schema=_raw(schema),
        options=_raw(question.options),
        evidence=_raw(question.evidence),
        digest=asked.digest,
        step=call.step if call is not None else None,
        deadline_at=workflow.now() + approval.deadline,
    )
    state.record_event("approval.requested", data, step=data.step)
    return asked


async def wait_for_outcome(state: RunState, approval_id: str, asked: AskedQuestion) -> None:
    """Wait until the question is decided or expired. A decision that arrives with the deadline wins."""
    half = asked.approval.deadline / 2
    deadline_at = workflow.now() + asked.approval.deadline
    if await _decided_within(asked, half):
        return
    state.record_event(
        "approval.reminded", catalogue.ApprovalReminded(approval_id=approval_id, deadline_at=deadline_at)
    )
    if await _decided_within(asked, deadline_at - workflow.now()):
        return
    asked.expired = True
    state.record_event("approval.expired", catalogue.ApprovalExpired(approval_id=approval_id))


async def _decided_within(asked: AskedQuestion, limit: timedelta) -> bool:
    return await wait_until(lambda: asked.record is not None, limit)


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
