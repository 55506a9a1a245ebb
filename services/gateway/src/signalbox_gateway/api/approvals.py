"""Approvals: the inbox, one approval, and its decision."""

import secrets
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from starlette.responses import Response

from signalbox_core.errors import InvalidInput, NotFound
from signalbox_core.events.policy import describe_progress
from signalbox_core.events.snapshot import ENDED, BlockedState, Snapshot
from signalbox_core.ids import derived_id, run_key
from signalbox_core.pipeline.contract.messages import (
    DIGEST_REQUIRED,
    Assignment,
    AssignmentAction,
    Decision,
    DecisionRecord,
    VoteResult,
    digest_required,
)
from signalbox_core.pipeline.spec import PipelineSpec, json_schema
from signalbox_gateway.api.endpoint import ApiCall, encoded_json_response, json_response
from signalbox_gateway.api.schemas import (
    AssignmentView,
    Decide,
    DecideResponse,
    DelegateApproval,
    ListApprovals,
    RaiseObjection,
)
from signalbox_gateway.http import validation
from signalbox_gateway.passkeys.decision_signatures import DecisionAssertion, DecisionSignatures
from signalbox_gateway.runs.decide import Decisions
from signalbox_gateway.runs.inbox import INBOX_PAGE, InboxReader
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.outcomes import check_same_answer, find_approval, recorded_outcome, run_ended
from signalbox_gateway.runs.views import approval_view

_STATUS: Final[Mapping[VoteResult, Literal["accepted", "counted", "vetoed"]]] = {
    "decided": "accepted",
    "counted": "counted",
    "vetoed": "vetoed",
}


class ApprovalHandlers:
    """The handlers of /v1/approvals and of the approvals of a run."""

    def __init__(
        self,
        states: RunReader,
        inbox: InboxReader,
        decisions: Decisions,
        pipelines: Mapping[str, PipelineSpec],
        signatures: DecisionSignatures,
    ) -> None:
        self._states = states
        self._inbox = inbox
        self._decisions = decisions
        self._pipelines = pipelines
        self._signatures = signatures

    async def inbox(self, call: ApiCall) -> Response:
        query, tenant = call.query(ListApprovals), call.principal.tenant
        if query.cursor is None and query.limit == INBOX_PAGE:
            return encoded_json_response(await self._inbox.first_page(tenant))
        return json_response(await self._inbox.page(tenant, limit=query.limit, cursor=query.cursor))

    async def show(self, call: ApiCall) -> Response:
        run_id, approval_id = call.param("run_id"), call.param("approval_id")
        snapshot = (await self._states.get(call.principal, run_id)).snapshot
        state = find_approval(snapshot, approval_id)
        if state is None and snapshot.status not in ENDED:
            # The projection may lag behind the workflow.
            snapshot = await self._states.snapshot_from_temporal(snapshot.key) or snapshot
            state = find_approval(snapshot, approval_id)
        if state is None:
            raise unknown_approval(snapshot, approval_id)
        return json_response(approval_view(run_id, state))

    async def decide(self, call: ApiCall) -> Response:
        """Send the decision to the workflow, which accepts or refuses it.

        Only what the workflow cannot do is done here: the 404 of a run of another tenant, the responses once
        the run has ended, and the refusal of agents, whose decisions must not be recorded. The type of the
        answer and the presence of a digest are checked here too, because the workflow cannot refuse a
        decision that it gets as a signal (when no worker responds to the update).
        """
        call.principal.require_decider()
        request = await call.body(Decide)
        approval_id = call.param("approval_id")
        snapshot = (await self._states.get(call.principal, call.param("run_id"))).snapshot
        self._check_answer(snapshot, approval_id, request.answer)
        return await self._vote(call, snapshot, _decision(call, request, approval_id), request.signature)

    async def object(self, call: ApiCall) -> Response:
        """Send an objection to the workflow, as a decision is sent."""
        call.principal.require_decider()
        request = await call.body(RaiseObjection)
        snapshot = (await self._states.get(call.principal, call.param("run_id"))).snapshot
        objection = _objection(call, request, call.param("approval_id"))
        return await self._vote(call, snapshot, objection, request.signature)

    async def claim(self, call: ApiCall) -> Response:
        return await self._assign(call, "claim")

    async def release(self, call: ApiCall) -> Response:
        return await self._assign(call, "release")

    async def delegate(self, call: ApiCall) -> Response:
        request = await call.body(DelegateApproval)
        return await self._assign(call, "delegate", to=request.to, note=request.note)

    async def _assign(
        self, call: ApiCall, action: AssignmentAction, *, to: str | None = None, note: str | None = None
    ) -> Response:
        """Send a claim, release or delegation to the workflow, which accepts or refuses it."""
        call.principal.require_decider()
        run_id, approval_id = call.param("run_id"), call.param("approval_id")
        snapshot = (await self._states.get(call.principal, run_id)).snapshot
        if snapshot.status in ENDED:
            raise run_ended(run_id, snapshot.status)
        record = await self._decisions.assign(
            run_key(call.principal.tenant, run_id),
            Assignment(
                approval_id=approval_id,
                request_id=secrets.token_hex(13),
                action=action,
                by=call.principal.subject,
                to=to,
                note=note,
            ),
        )
        return json_response(
            AssignmentView(
                run_id=run_id,
                approval_id=approval_id,
                claimed_by=record.claimed_by,
                claimed_until=record.claimed_until,
                delegated_to=record.delegated_to,
            )
        )

    async def _vote(
        self, call: ApiCall, snapshot: Snapshot, decision: Decision, signature: DecisionAssertion | None
    ) -> Response:
        run_id = call.param("run_id")
        record = recorded_outcome(snapshot, decision)
        if record is None:
            state, tenant = find_approval(snapshot, decision.approval_id), call.principal.tenant
            policy = state.policy if state is not None else None
            decision = await self._signatures.verify(tenant, run_id, policy, decision, signature)
            record = await self._send(call, decision, lacks_digest=self._lacks_digest(snapshot, decision))
        if record is None:
            return _recorded(run_id, decision, snapshot.blocked)
        return _accepted(run_id, record)

    async def _send(self, call: ApiCall, decision: Decision, *, lacks_digest: bool) -> DecisionRecord | None:
        key = run_key(call.principal.tenant, call.param("run_id"))
        try:
            record = await self._decisions.send(key, decision, lacks_digest=lacks_digest)
        except NotFound as error:
            if error.stable_code != "unknown_run":
                raise
            return await self._outcome_after_end(call, decision)
        if record is not None:
            # Temporal deduplicates updates by id before the workflow sees a second answer under the same id.
            check_same_answer(decision, record)
        return record

    async def _outcome_after_end(self, call: ApiCall, decision: Decision) -> DecisionRecord:
        """The outcome when the run ended after its snapshot was read.

        The projection may lack the end, so the workflow's snapshot is read as well.
        """
        run_id = call.param("run_id")
        projected = (await self._states.get(call.principal, run_id)).snapshot
        for snapshot in (projected, await self._states.snapshot_from_temporal(projected.key)):
            record = recorded_outcome(snapshot, decision) if snapshot is not None else None
            if record is not None:
                return record
        raise run_ended(run_id, "ended")

    def _lacks_digest(self, snapshot: Snapshot, decision: Decision) -> bool:
        """Whether a person decides a question without the digest of what was shown.

        Raises:
            InvalidInput: `digest_required`: so it is, and the question is asked.
        """
        is_service = decision.decider is not None and decision.decider.kind == "service"
        if decision.digest is not None or is_service:
            return False
        if find_approval(snapshot, decision.approval_id) is not None:
            raise InvalidInput(digest_required(decision.approval_id), field="digest", code=DIGEST_REQUIRED)
        spec = self._pipelines.get(snapshot.pipeline)
        declared = spec.approvals if spec is not None else ()
        return not any(item.early and decision.approval_id.startswith(item.name) for item in declared)

    def _check_answer(self, snapshot: Snapshot, approval_id: str, answer: msgspec.Raw) -> None:
        spec, state = self._pipelines.get(snapshot.pipeline), find_approval(snapshot, approval_id)
        if spec is None or state is None:
            return
        contract = next((item for item in spec.approvals if item.name == state.name), None)
        # The workflow judges an answer to a question that another version of the contract asked.
        if contract is not None and _is_schema_of(contract.answer, state.answer_schema):
            validation.decode(contract.answer, answer, at="answer")


def unknown_approval(snapshot: Snapshot, approval_id: str) -> NotFound:
    existing = ", ".join(state.approval_id for state in snapshot.approvals) or "none so far"
    return NotFound(
        f"run {snapshot.run_id} has no approval {approval_id[:128]!r}; it has: {existing}",
        field="approval_id",
        code="unknown_approval",
    )


def _decision(call: ApiCall, request: Decide, approval_id: str) -> Decision:
    return Decision(
        approval_id=approval_id,
        decision_id=request.decision_id or _new_id(call, approval_id),
        answer=request.answer,
        decided_by=call.principal.name,
        digest=request.digest,
        note=request.note,
        decider=call.principal.subject,
    )


def _objection(call: ApiCall, request: RaiseObjection, approval_id: str) -> Decision:
    return Decision(
        approval_id=approval_id,
        decision_id=request.decision_id or _new_id(call, approval_id),
        answer=msgspec.Raw(b"null"),
        decided_by=call.principal.name,
        digest=request.digest,
        note=request.reason,
        decider=call.principal.subject,
        objection=True,
    )


def _new_id(call: ApiCall, approval_id: str) -> str:
    key = call.request.headers.get("idempotency-key")
    return derived_id(call.principal.tenant, approval_id, key) if key else secrets.token_hex(13)


def _is_schema_of(answer: type[msgspec.Struct], recorded: msgspec.Raw) -> bool:
    live = msgspec.json.encode(json_schema(answer))
    return bool(msgspec.json.decode(live) == msgspec.json.decode(recorded))


def _accepted(run_id: str, record: DecisionRecord) -> Response:
    return json_response(
        DecideResponse(
            run_id=run_id,
            approval_id=record.approval_id,
            decision_id=record.decision_id,
            status=_STATUS[record.result or "decided"],
            decided_by=record.decided_by,
            decided_at=record.decided_at,
            answer=record.answer,
            quorum=record.quorum or (),
            message=describe_progress(record.quorum) if record.quorum else None,
        )
    )


def _recorded(run_id: str, decision: Decision, blocked: BlockedState | None) -> Response:
    body = DecideResponse(
        run_id=run_id,
        approval_id=decision.approval_id,
        decision_id=decision.decision_id,
        status="recorded",
        decided_by=decision.decided_by,
        decided_at=None,
        answer=decision.answer,
        blocked=blocked,
    )
    return json_response(body, 202)
