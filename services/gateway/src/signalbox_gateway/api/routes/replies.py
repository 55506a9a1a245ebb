"""Replies that several operations share."""

from typing import Final

from signalbox_core.http.problems import MEDIA_TYPE, Problem
from signalbox_gateway.api.endpoint import Reply
from signalbox_gateway.api.schemas import DecideResponse

EVENT_STREAM: Final = "text/event-stream"


def problem(status: int, meaning: str) -> Reply:
    """A problem response (RFC 9457)."""
    return Reply(status, meaning, Problem, MEDIA_TYPE)


RECORDED_FOR_LATER: Final = Reply(
    202, "Stored durably; no worker responded, so the run applies it when one is available", DecideResponse
)
RUN_NOT_FOUND: Final = problem(404, "The run does not exist, or belongs to another tenant")
APPROVAL_NOT_FOUND: Final = problem(404, "The run or the approval does not exist")
INVALID_QUERY: Final = problem(422, "A query parameter is invalid; `errors` names each")
INVALID_BODY: Final = (
    problem(400, "The body is not valid JSON"),
    problem(413, "The body is too large"),
    problem(415, "The body is not declared as `application/json`"),
    problem(422, "Fields of the body are invalid; `errors` names each"),
)
