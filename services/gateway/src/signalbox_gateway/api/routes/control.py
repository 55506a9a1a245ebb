"""Routes that cancel, pause and resume runs."""

from typing import Final

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api import schemas
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.routes.replies import INVALID_BODY, RUN_NOT_FOUND, problem
from signalbox_gateway.api.runs import RunHandlers

_REPLIES: Final = (
    Reply(202, "Accepted; the stream shows when it takes effect", schemas.ControlResponse),
    problem(409, "The run has ended"),
    RUN_NOT_FOUND,
    *INVALID_BODY,
)


def control_routes(runs: RunHandlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="POST",
            path="/v1/runs/{run_id}/cancel",
            name="cancel_run",
            summary="Cancel a run; its clean-up code runs first",
            role=Role.OPERATOR,
            handle=runs.cancel,
            body=schemas.CancelRun,
            replies=_REPLIES,
        ),
        Endpoint(
            method="POST",
            path="/v1/runs/{run_id}/pause",
            name="pause_run",
            summary="Pause a run; steps in progress finish, no further step starts",
            role=Role.OPERATOR,
            handle=runs.pause,
            body=schemas.NoBody,
            replies=_REPLIES,
        ),
        Endpoint(
            method="POST",
            path="/v1/runs/{run_id}/resume",
            name="resume_run",
            summary="Resume a paused run",
            role=Role.OPERATOR,
            handle=runs.resume,
            body=schemas.NoBody,
            replies=_REPLIES,
        ),
    )
