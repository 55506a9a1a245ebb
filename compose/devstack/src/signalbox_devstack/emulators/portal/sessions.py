"""Who may come in: captchas with their one use and five minutes, passwords with their lock, sessions with their end."""

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
    """The body of POST authenticate."""

    username: str
    password: str
    cvalue: str
    ckey: str


class _Issued(Struct, frozen=True):
    text: str
    until: float


class PortalSessions:
    """Args:
    token_life_s: how long a session lasts.
    clock: seconds since 1970.
    """

    def __init__(
        self, *, company_count: int, token_life_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._companies = frozenset(companies(company_count))
        self._life_s = token_life_s
        self._own_life_s: dict[str, float] = {}
        self._clock = clock
        self._key = secrets.token_bytes(64)
        self._dice = random.Random()
        self._captchas: dict[str, _Issued] = {}
        self._wrong: Counter[str] = Counter()
        self._ended: set[str] = set()

    def new_captcha(self) -> Mapping[str, str]:
        """`key` (24 hexadecimal digits) and `content`, the picture as SVG text."""
        text, key = captcha.new_text(self._dice), secrets.token_hex(12)
        while len(self._captchas) >= _KEPT_CAPTCHAS:
            self._captchas.pop(next(iter(self._captchas)))
        self._captchas[key] = _Issued(text, self._clock() + CAPTCHA_LIFE_S)
        return {"key": key, "content": captcha.picture(text, self._dice)}

    def log_in(self, login: PortalLogin) -> str:
        """A token. Raises: PortalError (401)."""
        issued = self._captchas.pop(login.ckey, None)
        if issued is None or issued.until < self._clock() or issued.text != login.cvalue.strip().upper():
            raise PortalError(401, WRONG_CAPTCHA)
        if self._wrong[login.username] >= MAX_WRONG_PASSWORDS:
            raise PortalError(401, LOCKED)
        if login.username not in self._companies or not secrets.compare_digest(
            login.password.encode(), password_of(login.username).encode()
        ):
            self._wrong[login.username] += 1
            raise PortalError(401, WRONG_PASSWORD)
        self._wrong.pop(login.username, None)
        now, life_s = self._clock(), self._own_life_s.get(login.username, self._life_s)
        claims = tokens.SessionClaims(
            sub=login.username, type=2, exp=int(now + life_s), iat=int(now), jti=secrets.token_hex(8)
        )
        return tokens.issue(claims, self._key)

    def authenticate(self, authorization: str) -> tokens.SessionClaims:
        """Raises: PortalError (401) without a token of a session that still lasts."""
        claims = (
            tokens.read(authorization.removeprefix("Bearer "), self._key)
            if authorization.startswith("Bearer ")
            else None
        )
        if claims is None or claims.exp <= self._clock() or claims.jti in self._ended:
            raise PortalError(401, NO_TOKEN)
        return claims

    def set_lifetime(self, mst: str, life_s: float) -> None:
        """How long this taxpayer's sessions last from the next one on."""
        self._own_life_s[mst] = life_s

    def end(self, claims: tokens.SessionClaims) -> None:
        """The session is over before its time."""
        self._ended.add(claims.jti)
