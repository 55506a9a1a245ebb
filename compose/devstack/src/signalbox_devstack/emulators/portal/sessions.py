"""Sign-in and sessions: single-use captchas that expire, account lockout, and session tokens."""

import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from signalbox_devstack.emulators.portal import captcha, tokens
from signalbox_devstack.emulators.portal.companies import companies, password_of
from signalbox_devstack.emulators.portal.errors import (
    LOCKED,
    NO_TOKEN,
    WRONG_CAPTCHA,
    WRONG_PASSWORD,
    PortalError,
)

CAPTCHA_LIFE_S: Final = 300.0
MAX_WRONG_PASSWORDS: Final = 5
_KEPT_CAPTCHAS: Final = 10_000


class PortalLogin(Struct, frozen=True, kw_only=True):
    """The body of POST /security-taxpayer/authenticate."""

    username: str
    password: str
    cvalue: str
    ckey: str


class _Issued(Struct, frozen=True):
    text: str
    until: float


class PortalSessions:
    """Captchas, failed sign-ins and sessions of all companies.

    Args:
        token_life_s: lifetime of a session.
        clock: seconds since 1970.
    """

    def __init__(
        self, *, company_count: int, token_life_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._companies = frozenset(companies(company_count))
        self._life_s = token_life_s
        self._life_s_by_mst: dict[str, float] = {}
        self._clock = clock
        self._key = secrets.token_bytes(64)
        self._dice = random.Random()
        self._captchas: dict[str, _Issued] = {}
        self._failed_sign_ins: Counter[str] = Counter()
        self._revoked: set[str] = set()

    def new_captcha(self) -> Mapping[str, str]:
        """Issue a captcha: `key` (24 hexadecimal digits) and `content`, the picture as SVG."""
        text, key = captcha.new_text(self._dice), secrets.token_hex(12)
        while len(self._captchas) >= _KEPT_CAPTCHAS:
            self._captchas.pop(next(iter(self._captchas)))
        self._captchas[key] = _Issued(text, self._clock() + CAPTCHA_LIFE_S)
        return {"key": key, "content": captcha.picture(text, self._dice)}

    def log_in(self, login: PortalLogin) -> str:
        """Sign in and return a session token.

        Raises:
            PortalError: 401 for a wrong captcha or password, or a locked account.
        """
        issued = self._captchas.pop(login.ckey, None)
        if issued is None or issued.until < self._clock() or issued.text != login.cvalue.strip().upper():
            raise PortalError(401, WRONG_CAPTCHA)
        if self._failed_sign_ins[login.username] >= MAX_WRONG_PASSWORDS:
            raise PortalError(401, LOCKED)
        if login.username not in self._companies or not secrets.compare_digest(
            login.password.encode(), password_of(login.username).encode()
        ):
            self._failed_sign_ins[login.username] += 1
            raise PortalError(401, WRONG_PASSWORD)
        self._failed_sign_ins.pop(login.username, None)
        now, life_s = self._clock(), self._life_s_by_mst.get(login.username, self._life_s)
        claims = tokens.SessionClaims(
            sub=login.username, type=2, exp=int(now + life_s), iat=int(now), jti=secrets.token_hex(8)
        )
        return tokens.issue(claims, self._key)

    def authenticate(self, authorization: str) -> tokens.SessionClaims:
        """The claims of the session token in an Authorization header.

        Raises:
            PortalError: 401 when the token is missing, invalid or expired.
        """
        claims = (
            tokens.read(authorization.removeprefix("Bearer "), self._key)
            if authorization.startswith("Bearer ")
            else None
        )
        if claims is None or claims.exp <= self._clock() or claims.jti in self._revoked:
            raise PortalError(401, NO_TOKEN)
        return claims

    def set_lifetime(self, mst: str, life_s: float) -> None:
        """Set the lifetime of this taxpayer's future sessions."""
        self._life_s_by_mst[mst] = life_s

    def revoke(self, claims: tokens.SessionClaims) -> None:
        """End a session before it expires."""
        self._revoked.add(claims.jti)
