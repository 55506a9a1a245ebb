"""Routes that cancel, pause, resume and retry runs."""

from typing import Final

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api import schemas
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.retry import RetryHandler
from signalbox_gateway.api.routes.replies import INVALID_BODY, RUN_NOT_FOUND, problem
from signalbox_gateway.api.runs import RunHandlers

_REPLIES: Final = (
    Reply(202, "Accepted; the stream shows when it takes effect", schemas.ControlResponse),
    problem(409, "The run has ended"),
    RUN_NOT_FOUND,
    *INVALID_BODY,
)


def control_routes(runs: RunHandlers, retry: RetryHandler) -> tuple[Endpoint, ...]:
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
        Endpoint(
            method="POST",
            path="/v1/runs/{run_id}/retry",
            name="retry_run",
            summary="Retry a run that has ended, from its failed step or from the start",
            role=Role.OPERATOR,
            handle=retry.retry,
            body=schemas.RetryRun,
            takes_idempotency_key=True,
            replies=(
                Reply(201, "A new run repeats it from the start", schemas.RetryResponse),
                Reply(
                    200,
                    "The run continues from its failed step, or an earlier identical request retried it",
                    schemas.RetryResponse,
                ),
                problem(409, "The run cannot be retried this way; `code` gives the reason"),
                RUN_NOT_FOUND,
                *INVALID_BODY,
            ),
        ),
    )
