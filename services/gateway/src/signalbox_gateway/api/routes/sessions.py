"""Routes of browser sessions, scoped tokens and stream tickets."""

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api import schemas
from signalbox_gateway.api.access import token_schemas
from signalbox_gateway.api.access.tokens import TokenHandlers
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.routes.replies import INVALID_BODY, problem
from signalbox_gateway.api.sessions import SessionHandlers


def session_routes(sessions: SessionHandlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="POST",
            path="/v1/sessions",
            name="sign_in",
            summary="Sign in: exchange an API key or a token for a session cookie",
            role=None,
            handle=sessions.sign_in,
            body=schemas.SignIn,
            replies=(
                Reply(201, "Signed in; the response sets the cookie", schemas.Identity),
                problem(401, "The API key or token is invalid or expired"),
                *INVALID_BODY,
            ),
        ),
        Endpoint(
            method="GET",
            path="/v1/sessions",
            name="who_am_i",
            summary="Get the caller's name, tenant and roles",
            role=Role.VIEWER,
            handle=sessions.show,
            replies=(Reply(200, "The caller", schemas.Identity),),
        ),
        Endpoint(
            method="DELETE",
            path="/v1/sessions",
            name="sign_out",
            summary="Sign out: end the session and delete its cookie",
            role=None,
            handle=sessions.sign_out,
            replies=(Reply(204, "Signed out", None, ""),),
        ),
    )


def token_routes(tokens: TokenHandlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="POST",
            path="/v1/tokens",
            name="mint_token",
            summary="Mint a token with which a page may start a pipeline, watch a run or decide an approval",
            role=Role.VIEWER,
            handle=tokens.mint,
            body=token_schemas.MintToken,
            replies=(
                Reply(201, "The token", token_schemas.TokenMinted),
                problem(403, "The token would permit more than the caller may do"),
                *INVALID_BODY,
            ),
        ),
        Endpoint(
            method="DELETE",
            path="/v1/tokens/{token_id}",
            name="revoke_token",
            summary="Revoke a scoped token; its tickets and streams end with it",
            role=Role.VIEWER,
            handle=tokens.revoke,
            replies=(
                Reply(204, "Revoked", None, ""),
                problem(404, "The token does not exist, has expired, or was minted by another caller"),
            ),
        ),
        Endpoint(
            method="POST",
            path="/v1/stream-tickets",
            name="issue_ticket",
            summary="Issue a ticket for streams, for callers that can send neither a header nor a cookie",
            role=Role.VIEWER,
            handle=tokens.issue_ticket,
            body=token_schemas.AskTicket,
            scoped_access="ticket",
            replies=(Reply(201, "The ticket", token_schemas.TicketIssued), *INVALID_BODY),
        ),
    )
