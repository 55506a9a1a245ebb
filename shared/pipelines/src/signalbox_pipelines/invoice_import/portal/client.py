"""The portal's API over HTTP: one connection pool per worker, no cookies shared between taxpayers."""

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
from signalbox_pipelines.invoice_import.portal.faults import (
    PortalResponse,
    UnexpectedResponse,
    classify_response,
)
from signalbox_pipelines.invoice_import.portal.http_exchange import cookie_header, send_request
from signalbox_pipelines.invoice_import.portal.login import PortalSession, parse_login, parse_session
from signalbox_pipelines.invoice_import.portal.queries import ListQuery, checked_value, search_text
from signalbox_pipelines.invoice_import.portal.rows import InvoiceRow, ListPage, read_detail, read_page
from signalbox_pipelines.invoice_import.portal.settings import PortalSettings, base_url
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
    """The image of one sign-in attempt; key and cookies are returned with the response."""

    key: str
    svg: str
    cookies: str


class _PortalRequest(Struct, frozen=True, kw_only=True):
    """One call.

    Attributes:
        action: the label that the portal's own page sends.
        timeout_s: when it differs from that of a list.
    """

    path: str
    action: str
    method: str = "GET"
    params: "dict[str, str]" = {}
    json: "dict[str, str] | None" = None
    cookies: Secret = Secret("")
    token: Secret | None = None
    timeout_s: float | None = None


class _WireCaptcha(Struct, frozen=True):
    key: str
    content: str


class PortalClient:
    """Calls the portal.

    Args:
        settings: without a URL every call fails and names the variable to set.
    """

    def __init__(self, settings: PortalSettings) -> None:
        self.settings = settings
        self._client: httpx2.AsyncClient | None = None

    async def captcha(self) -> Captcha:
        """Request a new image.

        Raises: as `page`.
        """
        response = await self._call(_PortalRequest(path="captcha", action=_SIGN_IN))
        try:
            wire = msgspec.json.decode(response.body, type=_WireCaptcha)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UnexpectedResponse("the portal's captcha response has an unknown shape") from error
        return Captcha(key=wire.key, svg=wire.content, cookies=cookie_header(response.headers))

    async def authenticate(
        self, username: str, password: Secret, captcha: Captcha, text: str
    ) -> PortalSession:
        """Sign in.

        Raises:
            LoginRefused: captcha, user name or password is wrong, or the account is locked; see `kind`.
            PortalBlocked, PortalBusy, RateLimited, UnexpectedResponse: as for every call.
        """
        body = {
            "username": username,
            "password": password.reveal(),
            "cvalue": text.strip().upper(),
            "ckey": captcha.key,
        }
        request = _PortalRequest(
            method="POST",
            path="security-taxpayer/authenticate",
            json=body,
            cookies=Secret(captcha.cookies),
            action=_SIGN_IN,
        )
        response = await self._send(request)
        token = parse_login(response, datetime.now(UTC))
        return parse_session(token, cookie_header(response.headers) or captcha.cookies)

    async def page(
        self, session: PortalSession, query: ListQuery, *, size: int, state: str | None
    ) -> ListPage:
        """Request one page of a list, newest invoices first.

        Raises:
            SessionExpired, PortalBlocked, PortalBadRequest, ParameterRejected, RateLimited, PortalBusy,
            TruncatedResponse, UnexpectedResponse: see `faults`.
        """
        params = {"sort": "tdlap:desc", "size": str(size), "search": search_text(query)} | (
            {"state": state} if state else {}
        )
        action = _LIST[query.family].format(_SIDE[query.direction])
        request = _PortalRequest(
            path=f"{_PATHS[query.family]}/invoices/{query.direction}", params=params, action=action
        )
        response = await self._call(_authenticated(session, request))
        return read_page(response.body, query.family)

    async def detail(self, session: PortalSession, row: InvoiceRow, direction: Direction) -> bytes:
        """Request the detail of an invoice; returns the JSON unchanged, after checking its shape.

        Raises: as `page`, and NotFound.
        """
        action = f"Xem hóa đơn (hóa đơn {_SIDE[direction]})"
        request = _PortalRequest(
            path=f"{_PATHS[row.family]}/invoices/detail", params=_identify(row), action=action
        )
        response = await self._call(_authenticated(session, request))
        found = read_detail(response.body, row.family)
        if found.key != row.key:
            raise UnexpectedResponse(f"the portal returned the detail of {found.key} instead of {row.key}")
        return response.body

    async def original(self, session: PortalSession, row: InvoiceRow, direction: Direction) -> bytes:
        """Request the export of one invoice, a ZIP.

        Raises: as `page`, and NoOriginal, NotFound.
        """
        request = _PortalRequest(
            method=self.settings.cash_register_export if row.family == "cash_register" else "GET",
            path=f"{_PATHS[row.family]}/invoices/export-xml",
            params=_identify(row),
            action=f"Xuất xml (hóa đơn {_SIDE[direction]})",
            timeout_s=self.settings.export_timeout_s,
        )
        response = await self._call(_authenticated(session, request))
        if not response.body.startswith(b"PK"):
            raise UnexpectedResponse("the portal's export is not a ZIP; its format has changed")
        return response.body

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _call(self, call: _PortalRequest) -> PortalResponse:
        response = await self._send(call)
        fault = classify_response(response, datetime.now(UTC))
        if fault is not None:
            raise fault
        return response

    async def _send(self, call: _PortalRequest) -> PortalResponse:
        base, client = base_url(self.settings), self._pool()
        timeout_s = call.timeout_s or self.settings.query_timeout_s
        request = client.build_request(
            call.method,
            f"{base}/{call.path}",
            params=call.params,
            json=call.json,
            headers=_headers(base, call),
            timeout=httpx2.Timeout(timeout_s, connect=_CONNECT_S),
        )
        return await send_request(client, request, timeout_s=timeout_s)

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


def _authenticated(session: PortalSession, call: _PortalRequest) -> _PortalRequest:
    return replace(call, token=session.token, cookies=session.cookies)


def _headers(base: str, call: _PortalRequest) -> dict[str, str]:
    """The headers that the portal's own page sends; its firewall blocks requests without a `request-id`."""
    origin = "/".join(base.split("/")[:3])
    headers = {
        "accept": "application/json, text/plain, */*",
        "accept-language": "vi",
        "request-id": str(uuid.uuid4()),
        "end-point": "/tra-cuu/tra-cuu-hoa-don",
        "action": quote(call.action),
        "origin": origin,
        "referer": f"{origin}/",
    }
    if call.token is not None:
        headers["authorization"] = f"Bearer {call.token.reveal()}"
    return headers | ({"cookie": cookies} if (cookies := call.cookies.reveal()) else {})


def _identify(row: InvoiceRow) -> dict[str, str]:
    """The four parameters that identify an invoice."""
    return {
        "nbmst": checked_value(row.seller, field="seller"),
        "khhdon": checked_value(row.series, field="series"),
        "shdon": str(row.number),
        "khmshdon": str(row.form),
    }
