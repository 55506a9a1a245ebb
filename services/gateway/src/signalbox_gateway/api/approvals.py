"""Approvals: the inbox, one approval, and its decision."""

import secrets
from typing import Literal

import msgspec
from msgspec import Struct
from starlette.responses import Response

from signalbox_core.canonical_json import compact_json
from signalbox_core.decision_doors import Door
from signalbox_core.errors import InvalidInput, NotFound
from signalbox_core.events.snapshot import ENDED, Snapshot
from signalbox_core.ids import derived_id, run_key
from signalbox_core.pipeline.contract.messages import Assignment, AssignmentAction, Decision
from signalbox_gateway.api.endpoint import ApiCall, encoded_json_response, json_response
from signalbox_gateway.api.schemas import (
    AssignmentView,
    Decide,
    DelegateApproval,
    Limit,
    RaiseObjection,
)
from signalbox_gateway.api.votes.bulk_schemas import DecideItem
from signalbox_gateway.api.votes.vote_sender import VoteSender
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.passkeys.decision_signatures import DecisionAssertion
from signalbox_gateway.runs.decide import Decisions
from signalbox_gateway.runs.inbox import INBOX_PAGE, InboxReader, InboxView
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.outcomes import find_approval, run_ended
from signalbox_gateway.runs.views import approval_view


class ListApprovals(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which approvals to list.

    `status`: `decided` lists the approvals that people decided or vetoed last, newest first, in one page.
    `mine`: only pending approvals that the caller may answer and has not answered yet.
    """

    status: Literal["pending", "decided"] = "pending"
    mine: bool = False
    limit: Limit = INBOX_PAGE
    cursor: str | None = None

    def __post_init__(self) -> None:
        if self.status == "decided" and (self.mine or self.cursor is not None):
            raise InvalidInput(
                "status=decided returns one page with the decisions of everyone: omit mine and cursor",
                field="mine" if self.mine else "cursor",
            )


class ApprovalHandlers:
    """The handlers of /v1/approvals and of the approvals of a run."""

    def __init__(
        self,
        states: RunReader,
        inbox: InboxReader,
        decisions: Decisions,
        votes: VoteSender,
    ) -> None:
        self._states = states
        self._inbox = inbox
        self._decisions = decisions
        self._votes = votes

    async def inbox(self, call: ApiCall) -> Response:
        query, tenant = call.query(ListApprovals), call.principal.tenant
        if query.status == "decided":
            return json_response(await self._inbox.decided(tenant, limit=query.limit))
        if query.mine:
            return json_response(await self._page_of_caller(call.principal, query))
        if query.cursor is None and query.limit == INBOX_PAGE:
            return encoded_json_response(await self._inbox.first_page(tenant))
        return json_response(await self._inbox.page(tenant, limit=query.limit, cursor=query.cursor))

    async def _page_of_caller(self, principal: Principal, query: ListApprovals) -> InboxView:
        if not principal.may_decide:
            return InboxView(approvals=(), next_cursor=None, total=0)
        tenant, voter = principal.tenant, principal.subject
        return await self._inbox.page_of(voter, tenant, limit=query.limit, cursor=query.cursor)

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

        Agents are refused here too, because their decisions must not be recorded.
        """
        call.principal.require_decider()
        request = await call.body(Decide)
        decision = decision_of(call, request, call.param("approval_id"))
        return await self._vote(call, decision, request.signature)

    async def object(self, call: ApiCall) -> Response:
        """Send an objection to the workflow, as a decision is sent."""
        call.principal.require_decider()
        request = await call.body(RaiseObjection)
        objection = _objection(call, request, call.param("approval_id"))
        return await self._vote(call, objection, request.signature)

    async def _vote(self, call: ApiCall, decision: Decision, signature: DecisionAssertion | None) -> Response:
        snapshot = (await self._states.get(call.principal, call.param("run_id"))).snapshot
        reply = await self._votes.send(call.principal, snapshot, decision, signature=signature)
        return json_response(reply, 202 if reply.status == "recorded" else 200)

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
                request_id=_request_id(call, action, approval_id, to, note),
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


def unknown_approval(snapshot: Snapshot, approval_id: str) -> NotFound:
    existing = ", ".join(state.approval_id for state in snapshot.approvals) or "none so far"
    return NotFound(
        f"run {snapshot.run_id} has no approval {approval_id[:128]!r}; it has: {existing}",
        field="approval_id",
        code="unknown_approval",
    )


def decision_of(
    call: ApiCall, request: Decide | DecideItem, approval_id: str, *, door: Door | None = None
) -> Decision:
    """Build the decision of a request; its door is that of the caller's credentials by default."""
    return Decision(
        approval_id=approval_id,
        decision_id=request.decision_id or _new_id(call, approval_id),
        answer=compact_json(request.answer),
        decided_by=call.principal.name,
        digest=request.digest,
        note=request.note,
        decider=call.principal.subject,
        door=door or call.principal.door,
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
        door=call.principal.door,
    )


def _request_id(call: ApiCall, action: str, approval_id: str, to: str | None, note: str | None) -> str:
    """The id of a claim, release or delegation: the same for a repeated request of the same subject."""
    key = call.request.headers.get("idempotency-key")
    if not key:
        return secrets.token_hex(13)
    subject = call.principal.subject.subject
    return derived_id(call.principal.tenant, subject, approval_id, action, to or "", note or "", key)


def _new_id(call: ApiCall, approval_id: str) -> str:
    key = call.request.headers.get("idempotency-key")
    return derived_id(call.principal.tenant, approval_id, key) if key else secrets.token_hex(13)
