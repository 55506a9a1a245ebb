"""Routes of decisions by link. The token is in the body, never in a path, so no access log has it."""

from signalbox_gateway.api import schemas
from signalbox_gateway.api.access.link_decisions import (
    DecideByLink,
    LinkDecisionHandlers,
    LinkQuestionView,
    OpenLink,
)
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.routes.replies import INVALID_BODY, RECORDED_FOR_LATER, problem


def link_routes(links: LinkDecisionHandlers) -> tuple[Endpoint, ...]:
    invalid = problem(403, "The link is not valid, or may not decide this question")
    closed = problem(409, "The link was used, has expired or is stale, or the question has an outcome")
    gone = problem(404, "The question no longer exists")
    return (
        Endpoint(
            method="POST",
            path="/v1/links/question",
            name="open_link",
            summary="Get the question of a decision link; changes nothing",
            role=None,
            handle=links.show,
            body=OpenLink,
            is_read_only=True,
            replies=(Reply(200, "The question", LinkQuestionView), invalid, gone, closed, *INVALID_BODY),
        ),
        Endpoint(
            method="POST",
            path="/v1/links/decision",
            name="decide_by_link",
            summary="Decide the question of a decision link, once",
            role=None,
            handle=links.decide,
            body=DecideByLink,
            replies=(
                Reply(200, "Accepted", schemas.DecideResponse),
                RECORDED_FOR_LATER,
                invalid,
                gone,
                closed,
                *INVALID_BODY,
            ),
        ),
    )
