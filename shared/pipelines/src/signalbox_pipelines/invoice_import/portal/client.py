"""The portal's calls over HTTP: one connection pool a worker, no cookie of one taxpayer ever sent for another."""

import asyncio
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final
from urllib.parse import quote

import httpx2
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.settings import Secret
from signalbox_pipelines.invoice_import.portal.faults import Answer, Drift, fault_of
from signalbox_pipelines.invoice_import.portal.http_exchange import answer_of, cookies_of
from signalbox_pipelines.invoice_import.portal.login import Session, judge_login, session_of
from signalbox_pipelines.invoice_import.portal.queries import Query, checked_value, search_text
from signalbox_pipelines.invoice_import.portal.rows import Page, Row, read_detail, read_page
from signalbox_pipelines.invoice_import.portal.settings import PortalSettings, address_of
from signalbox_pipelines.invoice_import.results import Direction, Family

_PATHS: Final[Mapping[Family, str]] = {"ordinary": "query", "cash_register": "sco-query"}
_SIDE: Final[Mapping[Direction, str]] = {"purchase": "mua vào", "sold": "bán ra"}
_LIST: Final[Mapping[Family, str]] = {
    "ordinary": "Tìm kiếm (hóa đơn {})",
    "cash_register": "Tìm kiếm (hóa đơn máy tính tiền {})",
}
_SIGN_IN: Final = "Đăng nhập"
_CONNECT_S: Final = 10.0
_MAX_CONNECTIONS: Final = 200


class Captcha(Struct, frozen=True, kw_only=True):
    """The picture of one try to sign in; key and cookies go back with the answer."""

    key: str
    svg: str
    cookies: str


class _Ask(Struct, frozen=True, kw_only=True):
    """One call. `action` is the label that the portal's page sends with it; `silence_s` unlike a list's, when given."""

    path: str
    action: str
    method: str = "GET"
    params: "dict[str, str]" = {}
    json: "dict[str, str] | None" = None
    cookies: Secret = Secret("")
    token: Secret | None = None
    silence_s: float | None = None


class _WireCaptcha(Struct, frozen=True):
    key: str
    content: str


class PortalClient:
    """Args:
    settings: without an address every call says which variable to set.
    """

    def __init__(self, settings: PortalSettings) -> None:
        self.settings = settings
        self._client: httpx2.AsyncClient | None = None

    async def captcha(self) -> Captcha:
        """A new picture.

        Raises: as `page`.
        """
        answer = await self._ask(_Ask(path="captcha", action=_SIGN_IN))
        try:
            wire = msgspec.json.decode(answer.body, type=_WireCaptcha)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Drift("the portal's captcha is not of the known shape") from error
        return Captcha(key=wire.key, svg=wire.content, cookies=cookies_of(answer.headers))

    async def authenticate(self, username: str, password: Secret, captcha: Captcha, text: str) -> Session:
        """Sign in.

        Raises:
            LoginRefused: the portal takes captcha, user or password for wrong, or has locked the account; `kind` says which.
            Blocked, Busy, RateLimited, Drift: as every call.
        """
        body = {
            "username": username,
            "password": password.reveal(),
            "cvalue": text.strip().upper(),
            "ckey": captcha.key,
        }
        ask = _Ask(
            method="POST",
            path="security-taxpayer/authenticate",
            json=body,
            cookies=Secret(captcha.cookies),
            action=_SIGN_IN,
        )
        answer = await self._send(ask)
        token = judge_login(answer, datetime.now(UTC))
        return session_of(token, cookies_of(answer.headers) or captcha.cookies)

    async def page(self, session: Session, query: Query, *, size: int, state: str | None) -> Page:
        """One page of a list, newest first.

        Raises:
            SessionOver, Blocked, BadRequest, Refused, RateLimited, Busy, CutBody, Drift: see `faults`.
        """
        params = {"sort": "tdlap:desc", "size": str(size), "search": search_text(query)} | (
            {"state": state} if state else {}
        )
        action = _LIST[query.family].format(_SIDE[query.direction])
        ask = _Ask(path=f"{_PATHS[query.family]}/invoices/{query.direction}", params=params, action=action)
        answer = await self._ask(_in(session, ask))
        return await asyncio.to_thread(read_page, answer.body, query.family)

    async def detail(self, session: Session, row: Row, direction: Direction) -> bytes:
        """The detail's JSON as it came, after a look that it is of the known shape.

        Raises: as `page`, and NotFound.
        """
        action = f"Xem hóa đơn (hóa đơn {_SIDE[direction]})"
        ask = _Ask(path=f"{_PATHS[row.family]}/invoices/detail", params=_names(row), action=action)
        answer = await self._ask(_in(session, ask))
        found = read_detail(answer.body, row.family)
        if found.key != row.key:
            raise Drift(f"the portal's detail of {row.key} is that of {found.key}")
        return answer.body

    async def original(self, session: Session, row: Row, direction: Direction) -> bytes:
        """The export of one invoice, a ZIP.

        Raises: as `page`, and NoOriginal, NotFound.
        """
        ask = _Ask(
            method=self.settings.cash_register_export if row.family == "cash_register" else "GET",
            path=f"{_PATHS[row.family]}/invoices/export-xml",
            params=_names(row),
            action=f"Xuất xml (hóa đơn {_SIDE[direction]})",
            silence_s=self.settings.export_timeout_s,
        )
        answer = await self._ask(_in(session, ask))
        if not answer.body.startswith(b"PK"):
            raise Drift("the portal's export is no ZIP; it has changed")
        return answer.body

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _ask(self, ask: _Ask) -> Answer:
        answer = await self._send(ask)
        fault = fault_of(answer, datetime.now(UTC))
        if fault is not None:
            raise fault
        return answer

    async def _send(self, ask: _Ask) -> Answer:
        base, client = address_of(self.settings), self._pool()
        silence = ask.silence_s or self.settings.query_timeout_s
        request = client.build_request(
            ask.method,
            f"{base}/{ask.path}",
            params=ask.params,
            json=ask.json,
            headers=_headers(base, ask),
            timeout=httpx2.Timeout(silence, connect=_CONNECT_S),
        )
        return await answer_of(client, request, silence_s=silence)

    def _pool(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(
                trust_env=False,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                limits=httpx2.Limits(
                    max_connections=_MAX_CONNECTIONS,
                    max_keepalive_connections=_MAX_CONNECTIONS,
                    keepalive_expiry=30,
                ),
            )
        return self._client


def _in(session: Session, ask: _Ask) -> _Ask:
    return replace(ask, token=session.token, cookies=session.cookies)


def _headers(base: str, ask: _Ask) -> dict[str, str]:
    """What the portal's own page sends; without a `request-id` its firewall blocks."""
    origin = "/".join(base.split("/")[:3])
    headers = {
        "accept": "application/json, text/plain, */*",
        "accept-language": "vi",
        "request-id": str(uuid.uuid4()),
        "end-point": "/tra-cuu/tra-cuu-hoa-don",
        "action": quote(ask.action),
        "origin": origin,
        "referer": f"{origin}/",
    }
    if ask.token is not None:
        headers["authorization"] = f"Bearer {ask.token.reveal()}"
    return headers | ({"cookie": cookies} if (cookies := ask.cookies.reveal()) else {})


def _names(row: Row) -> dict[str, str]:
    """The four members that name an invoice."""
    return {
        "nbmst": checked_value(row.seller, field="seller"),
        "khhdon": checked_value(row.series, field="series"),
        "shdon": str(row.number),
        "khmshdon": str(row.form),
    }
