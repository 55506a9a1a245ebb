"""Signing in: how the portal's response is read, and the session that it opens. Pure."""

from datetime import UTC, datetime
from typing import Final, Literal

import msgspec
from msgspec import Struct

from signalbox_core import base64url
from signalbox_core.errors import Rejected
from signalbox_core.settings import Secret
from signalbox_pipelines.invoice_import.portal.faults import (
    PortalResponse,
    SessionExpired,
    UnexpectedResponse,
    classify_response,
    error_message,
)

LoginFault = Literal["wrong_captcha", "wrong_password", "account_locked"]
_REASONS: Final[tuple[tuple[str, LoginFault], ...]] = (
    ("captcha", "wrong_captcha"),
    ("khóa", "account_locked"),
    ("mật khẩu", "wrong_password"),
    ("tên đăng nhập", "wrong_password"),
)


class LoginRefused(Rejected):
    """The portal rejected the sign-in; `kind` is the reason."""

    code = "login_refused"

    def __init__(self, kind: LoginFault, message: str) -> None:
        super().__init__(f"the portal rejected the sign-in: {message}", code=kind)
        self.kind = kind


class PortalSession(Struct, frozen=True, kw_only=True):
    """An open session of one taxpayer."""

    token: Secret
    expires_at: datetime
    cookies: Secret


class _Token(Struct, frozen=True):
    token: str | None = None


class _TokenClaims(Struct, frozen=True):
    exp: float


def parse_login(response: PortalResponse, now: datetime) -> str:
    """Return the token of a successful sign-in. A response without one is a failure, whatever its status.

    Raises:
        LoginRefused, PortalBlocked, RateLimited, PortalBusy, PortalBadRequest, UnexpectedResponse.
    """
    token = _token_in(response.body)
    if token and 200 <= response.status < 300:
        return token
    message = error_message(response.body)
    fault = classify_response(response, now)
    if fault is None or isinstance(fault, SessionExpired):
        kind = next((kind for text, kind in _REASONS if text in message.lower()), None)
        if kind is None:
            raise UnexpectedResponse(
                "the portal's sign-in response has neither a token nor a known reason: "
                f"{message or response.status}"
            )
        raise LoginRefused(kind, message)
    raise fault


def parse_session(token: str, cookies: str) -> PortalSession:
    """Build the session of a token; its expiry is the token's `exp`. The signature is not verified.

    Raises:
        UnexpectedResponse: the token is not a JWT with an `exp`.
    """
    try:
        payload = token.split(".")[1]
        claims = msgspec.json.decode(base64url.decode(payload), type=_TokenClaims)
        expires_at = datetime.fromtimestamp(claims.exp, UTC)
    except (IndexError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise UnexpectedResponse("the portal's token is not a JWT with an expiry (exp)") from error
    return PortalSession(token=Secret(token), expires_at=expires_at, cookies=Secret(cookies))


def _token_in(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Token).token
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
