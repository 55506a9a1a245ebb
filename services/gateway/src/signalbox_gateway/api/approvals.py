"""Approvals: the inbox, one question, and the decision."""

import secrets
from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from signalbox_core.errors import Conflict, NotFound
from signalbox_core.events.snapshot import ENDED, ApprovalState, Snapshot
from signalbox_core.ids import derived_id
from signalbox_core.pipeline.contract.messages import Decision, DecisionRecord
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.streams import RunStream
from signalbox_gateway.api.endpoint import Call, json_response
from signalbox_gateway.api.runs import run_ended
from signalbox_gateway.api.schemas import Decide, Decided, Inbox, InboxEntry, ListApprovals
from signalbox_gateway.http import validation
from signalbox_gateway.runs.decide import Decisions
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.views import approval_view


class Approvals:
    """The handlers of approvals."""

    def __init__(
        self,
        states: RunReader,
        streams: RunStream,
        decisions: Decisions,
        pipelines: Mapping[str, PipelineSpec],
    ) -> None:
        self._states = states
        self._streams = streams
        self._decisions = decisions
        self._pipelines = pipelines

    async def inbox(self, call: Call) -> Response:
        call.query(ListApprovals)
        return json_response(await self.inbox_of(call.principal.tenant))

    async def inbox_of(self, tenant: str) -> Inbox:
        """The tenant's open approvals, oldest first."""
        items = await self._streams.inbox(tenant)
        entries = tuple(
            InboxEntry(
                run_id=item.run_id,
                approval_id=item.approval_id,
                title=item.title,
                pipeline=item.pipeline,
                requested_at=item.requested_at,
                deadline_at=item.deadline_at,
                url=f"/v1/runs/{quote(item.run_id, safe='')}/approvals/{quote(item.approval_id, safe='')}",
            )
            for item in items
        )
        return Inbox(approvals=entries)

    async def show(self, call: Call) -> Response:
        run_id, approval_id = call.param("run_id"), call.param("approval_id")
        snapshot = await self._snapshot(call, run_id, approval_id)
        state = _find(snapshot, approval_id)
        if state is None:
            raise unknown_approval(snapshot, approval_id)
        return json_response(approval_view(run_id, state))

    async def decide(self, call: Call) -> Response:
        request = await call.body(Decide)
        run_id, approval_id = call.param("run_id"), call.param("approval_id")
        snapshot = await self._snapshot(call, run_id, approval_id)
        self._check_answer(snapshot, approval_id, request.answer)
        decision = _decision(call, request, approval_id)
        earlier = settled(snapshot, decision)
        if earlier is not None:
            return _accepted(run_id, earlier)
        try:
            record = await self._decisions.send(run_id, decision)
        except NotFound as error:
            raise await self._why_not_found(call, approval_id, error) from None
        if record is None:
            return _recorded(run_id, decision)
        _check_same(decision, record)
        return _accepted(run_id, record)

    async def _snapshot(self, call: Call, run_id: str, approval_id: str) -> Snapshot:
        """The projection; the run's own word when the projection has not heard of the approval yet."""
        snapshot = (await self._states.get(call.principal, run_id)).snapshot
        if _find(snapshot, approval_id) is None and snapshot.status not in ENDED:
            return await self._states.snapshot_from_temporal(run_id) or snapshot
        return snapshot

    def _check_answer(self, snapshot: Snapshot, approval_id: str, answer: msgspec.Raw) -> None:
        spec = self._pipelines.get(snapshot.pipeline)
        state = _find(snapshot, approval_id)
        declared = (
            next((item for item in spec.approvals if state and item.name == state.name), None)
            if spec
            else None
        )
        if declared is not None:
            validation.decode(declared.answer, answer, at="answer")

    async def _why_not_found(self, call: Call, approval_id: str, error: NotFound) -> NotFound | Conflict:
        """The run closed since it was looked at: by the projection, which hears of the end first, else by the run's own word."""
        if error.stable_code != "unknown_run":
            return error
        run_id = call.param("run_id")
        projected = (await self._states.get(call.principal, run_id)).snapshot
        for snapshot in (projected, await self._states.snapshot_from_temporal(run_id)):
            state = _find(snapshot, approval_id) if snapshot is not None else None
            if state is not None and state.status == "decided":
                return already_decided(run_id, state)
        return run_ended(run_id, projected.status if projected.status in ENDED else "ended")


def settled(snapshot: Snapshot, decision: Decision) -> DecisionRecord | None:
    """What the projection already settles: it may lag behind the run, but what it saw decided stays decided.

    Returns:
        The record when this very decision was taken before.

    Raises:
        Conflict: another decision won, the digest is stale, or the approval is closed.
    """
    state = _find(snapshot, decision.approval_id)
    if state is None:
        if snapshot.status in ENDED:
            raise run_ended(snapshot.run_id, snapshot.status)
        return None
    if state.decision_id is not None and state.decided_by is not None and state.decided_at is not None:
        if state.decision_id != decision.decision_id:
            raise already_decided(snapshot.run_id, state)
        record = DecisionRecord(
            approval_id=state.approval_id,
            decision_id=state.decision_id,
            decided_by=state.decided_by,
            decided_at=state.decided_at,
            answer=state.answer,
        )
        _check_same(decision, record)
        return record
    if snapshot.status in ENDED:
        raise run_ended(snapshot.run_id, snapshot.status)
    return None


def already_decided(run_id: str, state: ApprovalState) -> Conflict:
    at = state.decided_at.isoformat(timespec="minutes") if state.decided_at else "an unknown time"
    return Conflict(
        f"approval {state.approval_id} of run {run_id} was already decided by {state.decided_by} at {at}; nothing to do",
        code="already_decided",
        decision_id=state.decision_id,
        decided_by=state.decided_by,
        decided_at=state.decided_at.isoformat() if state.decided_at else None,
        answer=msgspec.json.decode(state.answer),
    )


def unknown_approval(snapshot: Snapshot, approval_id: str) -> NotFound:
    known = ", ".join(state.approval_id for state in snapshot.approvals) or "none so far"
    return NotFound(
        f"run {snapshot.run_id} has not asked {approval_id[:128]!r}; it asked: {known}",
        field="approval_id",
        code="unknown_approval",
    )


def _check_same(decision: Decision, record: DecisionRecord) -> None:
    """A decision id stands for one decision: with another answer it is a mistake, not a repetition."""
    is_same = record.approval_id == decision.approval_id and msgspec.json.decode(
        record.answer
    ) == msgspec.json.decode(decision.answer)
    if record.decision_id == decision.decision_id and not is_same:
        raise Conflict(
            f"decision_id {decision.decision_id} was used for another answer by {record.decided_by}; use a new id for a new decision",
            field="decision_id",
            code="decision_id_taken",
        )


def _decision(call: Call, request: Decide, approval_id: str) -> Decision:
    key = call.request.headers.get("idempotency-key")
    derived = derived_id(call.principal.tenant, approval_id, key) if key else secrets.token_hex(13)
    return Decision(
        approval_id=approval_id,
        decision_id=request.decision_id or derived,
        answer=request.answer,
        decided_by=call.principal.name,
        digest=request.digest,
        note=request.note,
    )


def _find(snapshot: Snapshot, approval_id: str) -> ApprovalState | None:
    return next((state for state in snapshot.approvals if state.approval_id == approval_id), None)


def _accepted(run_id: str, record: DecisionRecord) -> Response:
    return json_response(
        Decided(
            run_id=run_id,
            approval_id=record.approval_id,
            decision_id=record.decision_id,
            status="accepted",
            decided_by=record.decided_by,
            decided_at=record.decided_at,
            answer=record.answer,
        )
    )


def _recorded(run_id: str, decision: Decision) -> Response:
    body = Decided(
        run_id=run_id,
        approval_id=decision.approval_id,
        decision_id=decision.decision_id,
        status="recorded",
        decided_by=decision.decided_by,
        decided_at=None,
        answer=decision.answer,
    )
    return json_response(body, 202)
