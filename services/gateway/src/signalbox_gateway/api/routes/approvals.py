"""Routes of approvals: the inbox, one approval, the decision."""

from typing import Final

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api import schemas
from signalbox_gateway.api.approval_stream import ApprovalStream
from signalbox_gateway.api.approvals import ApprovalHandlers, ListApprovals
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.routes.replies import (
    APPROVAL_NOT_FOUND,
    EVENT_STREAM,
    INVALID_BODY,
    INVALID_QUERY,
    RECORDED_FOR_LATER,
    problem,
)
from signalbox_gateway.api.votes.bulk_decisions import BulkDecisionHandler
from signalbox_gateway.api.votes.bulk_schemas import DecideMany, DecideManyResponse
from signalbox_gateway.runs.inbox import InboxView
from signalbox_gateway.runs.views import ApprovalView

_EXCLUDED: Final = problem(
    403, "The caller lacks the role, is an agent, or the approval's policy excludes it"
)
_VOTE_REPLIES: Final = (
    RECORDED_FOR_LATER,
    APPROVAL_NOT_FOUND,
    _EXCLUDED,
    problem(409, "The approval has an outcome, the digest is stale, or the run has ended"),
    *INVALID_BODY,
)
_ASSIGNMENT_REPLIES: Final = (
    APPROVAL_NOT_FOUND,
    _EXCLUDED,
    problem(409, "The approval is not open, or another subject has claimed it"),
    problem(503, "No worker responded; nothing was changed"),
)


def approval_routes(
    approvals: ApprovalHandlers, bulk: BulkDecisionHandler, stream: ApprovalStream
) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="GET",
            path="/v1/approvals",
            name="list_approvals",
            summary="List the pending approvals of the tenant (the inbox), or the latest decided ones",
            role=Role.VIEWER,
            handle=approvals.inbox,
            query=ListApprovals,
            replies=(
                Reply(200, "Pending approvals, oldest first; decided ones, newest first", InboxView),
                INVALID_QUERY,
            ),
        ),
        Endpoint(
            method="GET",
            path="/v1/approvals/stream",
            name="stream_approvals",
            summary="Stream the inbox as server-sent events, whenever it changes",
            role=Role.VIEWER,
            handle=stream.open,
            is_stream=True,
            replies=(Reply(200, "`inbox` events until the session ends", None, EVENT_STREAM),),
        ),
        Endpoint(
            method="POST",
            path="/v1/approvals:decide",
            name="decide_many",
            summary="Decide up to 100 approvals, or preview that; idempotent by each `decision_id`",
            role=Role.APPROVER,
            handle=bulk.decide,
            body=DecideMany,
            takes_idempotency_key=True,
            replies=(
                Reply(200, "One result for each decision", DecideManyResponse),
                problem(403, "The caller lacks the role, or is an agent"),
                *INVALID_BODY,
            ),
        ),
        Endpoint(
            method="GET",
            path="/v1/runs/{run_id}/approvals/{approval_id}",
            name="get_approval",
            summary="Get an approval: the question, its evidence and the decision, if there is one",
            role=Role.VIEWER,
            handle=approvals.show,
            scoped_access="read_approval",
            replies=(Reply(200, "The approval", ApprovalView), APPROVAL_NOT_FOUND),
        ),
        Endpoint(
            method="POST",
            path="/v1/runs/{run_id}/approvals/{approval_id}/decision",
            name="decide",
            summary="Decide an approval; idempotent by `decision_id` or `Idempotency-Key`",
            role=Role.APPROVER,
            handle=approvals.decide,
            body=schemas.Decide,
            takes_idempotency_key=True,
            scoped_access="decide",
            replies=(
                Reply(
                    200,
                    "Accepted, or counted as one of several votes, now or by an earlier identical request",
                    schemas.DecideResponse,
                ),
                *_VOTE_REPLIES,
            ),
        ),
        Endpoint(
            method="POST",
            path="/v1/runs/{run_id}/approvals/{approval_id}/objection",
            name="object",
            summary="Object to an approval, with a reason; idempotent by `decision_id` or `Idempotency-Key`",
            role=Role.APPROVER,
            handle=approvals.object,
            body=schemas.RaiseObjection,
            takes_idempotency_key=True,
            replies=(
                Reply(200, "Counted, or the objection vetoed the approval", schemas.DecideResponse),
                *_VOTE_REPLIES,
            ),
        ),
        Endpoint(
            method="POST",
            path="/v1/runs/{run_id}/approvals/{approval_id}/claim",
            name="claim_approval",
            summary="Claim an approval for 15 minutes; idempotent by `Idempotency-Key`",
            role=Role.APPROVER,
            handle=approvals.claim,
            takes_idempotency_key=True,
            replies=(
                Reply(200, "Claimed; a further claim extends the time", schemas.AssignmentView),
                *_ASSIGNMENT_REPLIES,
            ),
        ),
        Endpoint(
            method="POST",
            path="/v1/runs/{run_id}/approvals/{approval_id}/release",
            name="release_approval",
            summary="Release a claim; idempotent by `Idempotency-Key`",
            role=Role.APPROVER,
            handle=approvals.release,
            takes_idempotency_key=True,
            replies=(
                Reply(200, "Released", schemas.AssignmentView),
                *_ASSIGNMENT_REPLIES,
            ),
        ),
        Endpoint(
            method="POST",
            path="/v1/runs/{run_id}/approvals/{approval_id}/delegate",
            name="delegate_approval",
            summary="Delegate an approval to another subject; idempotent by `Idempotency-Key`",
            role=Role.APPROVER,
            handle=approvals.delegate,
            takes_idempotency_key=True,
            body=schemas.DelegateApproval,
            replies=(
                Reply(200, "Delegated", schemas.AssignmentView),
                *_ASSIGNMENT_REPLIES,
                *INVALID_BODY,
            ),
        ),
    )
