"""Routes of presence: who has which question open."""

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.routes.replies import APPROVAL_NOT_FOUND, INVALID_BODY
from signalbox_gateway.api.votes.presence import PresenceHandlers, PresenceView, ReportPresence


def presence_routes(presence: PresenceHandlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="GET",
            path="/v1/approvals/presence",
            name="list_presence",
            summary="List the viewers of the tenant's open questions",
            role=Role.VIEWER,
            handle=presence.list,
            replies=(Reply(200, "The questions and their viewers", PresenceView),),
        ),
        Endpoint(
            method="POST",
            path="/v1/runs/{run_id}/approvals/{approval_id}/presence",
            name="report_presence",
            summary="Report that the caller has a question open; it expires after 40 s",
            role=Role.VIEWER,
            handle=presence.report,
            body=ReportPresence,
            replies=(
                Reply(200, "The questions of the tenant and their viewers", PresenceView),
                APPROVAL_NOT_FOUND,
                *INVALID_BODY,
            ),
        ),
    )
