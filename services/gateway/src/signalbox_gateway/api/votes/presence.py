"""Who has which question open (presence)."""

from typing import Annotated

from msgspec import Meta, Struct
from redis.asyncio import Redis
from starlette.responses import Response

from signalbox_gateway.api.approvals import unknown_approval
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.outcomes import find_approval
from signalbox_gateway.runs.presence import PresenceState, PresenceStore, QuestionPresence


class ReportPresence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reports that the caller has a question open; send it every 15 s, and `left` at the end."""

    state: Annotated[
        PresenceState, Meta(description="`deciding`: the caller has entered something that is not sent")
    ]


class PresenceView(Struct, frozen=True, kw_only=True):
    """The questions that somebody has open, the caller included."""

    questions: tuple[QuestionPresence, ...]


class PresenceHandlers:
    """The handlers of /v1/approvals/presence and of the presence at one approval."""

    def __init__(self, states: RunReader, redis: Redis) -> None:
        self._states = states
        self._presence = PresenceStore(redis)

    async def list(self, call: ApiCall) -> Response:
        return json_response(PresenceView(questions=await self._presence.present(call.principal.tenant)))

    async def report(self, call: ApiCall) -> Response:
        principal, request = call.principal, await call.body(ReportPresence)
        run_id, approval_id = call.param("run_id"), call.param("approval_id")
        snapshot = (await self._states.get(principal, run_id)).snapshot
        if find_approval(snapshot, approval_id) is None:
            raise unknown_approval(snapshot, approval_id)
        questions = await self._presence.report(
            principal.tenant,
            principal.subject,
            principal.name,
            run_id=run_id,
            approval_id=approval_id,
            state=request.state,
        )
        return json_response(PresenceView(questions=questions))
