"""Signing in: what the portal says to a try, and the session that it opens. Pure."""

import base64
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec
from msgspec import Struct

from signalbox_core.errors import Rejected
from signalbox_core.settings import Secret
from signalbox_pipelines.invoice_import.portal.faults import Answer, Drift, SessionOver, fault_of, said_in

LoginFault = Literal["wrong_captcha", "wrong_password", "account_locked"]
_SIGNS: Final[tuple[tuple[str, LoginFault], ...]] = (
    ("captcha", "wrong_captcha"),
    ("khóa", "account_locked"),
    ("mật khẩu", "wrong_password"),
    ("tên đăng nhập", "wrong_password"),
)


class LoginRefused(Rejected):
    """The portal did not let us in; `kind` says what it takes for wrong."""

    code = "login_refused"

    def __init__(self, kind: LoginFault, said: str) -> None:
        super().__init__(f"the portal does not let us in: {said}", code=kind)
        self.kind = kind


class Session(Struct, frozen=True, kw_only=True):
    """An open session of one taxpayer."""

    token: Secret
    expires_at: datetime
    cookies: Secret


class _Token(Struct, frozen=True):
    token: str | None = None


class _Claims(Struct, frozen=True):
    exp: float


def judge_login(answer: Answer, now: datetime) -> str:
    """The token in a successful answer. Any answer without one is a failure, whatever its status says.

    Raises:
        LoginRefused, Blocked, RateLimited, Busy, BadRequest, Drift.
    """
    token = _token_in(answer.body)
    if token and 200 <= answer.status < 300:
        return token
    said = said_in(answer.body)
    fault = fault_of(answer, now)
    if fault is None or isinstance(fault, SessionOver):
        kind = next((kind for sign, kind in _SIGNS if sign in said.lower()), None)
        if kind is None:
            raise Drift(
                f"the portal answers a login with neither a token nor a known reason: {said or answer.status}"
            )
        raise LoginRefused(kind, said)
    raise fault


def session_of(token: str, cookies: str) -> Session:
    """The session of a token; how long it lasts is read from its own `exp`. The signature is the portal's business.

    Raises:
        Drift: it is no JWT with an `exp`.
    """
    try:
        payload = token.split(".")[1]
        claims = msgspec.json.decode(
            base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims
        )
        expires_at = datetime.fromtimestamp(claims.exp, UTC)
    except (IndexError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise Drift("the portal's token is no JWT with an end (exp)") from error
    return Session(token=Secret(token), expires_at=expires_at, cookies=Secret(cookies))


def _token_in(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Token).token
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
