"""The application: the portal's API under /api and the simulator's own API under /_sim."""

import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from signalbox_devstack.emulators.portal import rows, simulator_api
from signalbox_devstack.emulators.portal.companies import has_cash_register, own_code
from signalbox_devstack.emulators.portal.endpoint import (
    AuthorizedRequest,
    Handler,
    PortalEndpoint,
    PortalState,
)
from signalbox_devstack.emulators.portal.errors import NO_INVOICE, NO_ORIGINAL, PortalError
from signalbox_devstack.emulators.portal.faults import PortalFaults
from signalbox_devstack.emulators.portal.invoice_index import (
    INVOICE_KINDS,
    Direction,
    Family,
    InvoiceIndex,
    MonthRange,
)
from signalbox_devstack.emulators.portal.invoices import Invoice, invoice_at
from signalbox_devstack.emulators.portal.originals import original_zip
from signalbox_devstack.emulators.portal.search import page_of, read_query, read_size
from signalbox_devstack.emulators.portal.sessions import PortalLogin, PortalSessions
from signalbox_devstack.emulators.portal.stats import PortalStats

_FAMILIES: Final[tuple[Family, ...]] = ("query", "sco-query")
_DIRECTIONS: Final[tuple[Direction, ...]] = ("purchase", "sold")
_KEY_PARAMETERS: Final = {"nbmst", "khhdon", "shdon", "khmshdon"}


class PortalOptions(Struct, frozen=True, kw_only=True):
    """The options of `signalbox-portal`.

    Attributes:
        invoices: per company over all months.
        latency_s: of lists and details; originals take three times as long.
        has_faults: whether faults can be injected.
    """

    companies: int = 10
    invoices: int = 1_000
    months: MonthRange = MonthRange(2026, 7, 3)
    seed: int = 1
    token_life_s: float = 86_400.0
    latency_s: float = 0.0
    has_faults: bool = False


def create_app(settings: PortalOptions) -> Starlette:
    sessions = PortalSessions(company_count=settings.companies, token_life_s=settings.token_life_s)
    latency = {"list": settings.latency_s, "detail": settings.latency_s, "xml": 3 * settings.latency_s}
    server = PortalState(sessions=sessions, faults=PortalFaults(), stats=PortalStats(), latency_s=latency)
    index = InvoiceIndex(settings.seed, settings.invoices, settings.months)
    portal = InvoiceApi(server, index)
    return Starlette(
        routes=[
            Route("/healthz", lambda _request: JSONResponse({"status": "ok"})),
            *portal.routes(),
            *simulator_api.SimulatorApi(
                server, index, company_count=settings.companies, has_faults=settings.has_faults
            ).routes(),
        ]
    )


class InvoiceApi:
    """The endpoints that clients of the portal call."""

    def __init__(self, server: PortalState, index: InvoiceIndex) -> None:
        self._server = server
        self._index = index

    def routes(self) -> list[Route]:
        return [
            Route("/api/captcha", PortalEndpoint(self._server, "captcha", self._captcha, is_open=True)),
            Route(
                "/api/security-taxpayer/authenticate",
                PortalEndpoint(self._server, "authenticate", self._log_in, is_open=True),
                methods=["POST"],
            ),
            *(
                Route(
                    f"/api/{family}/invoices/{direction}",
                    PortalEndpoint(self._server, "list", self._list(family, direction)),
                )
                for family in _FAMILIES
                for direction in _DIRECTIONS
            ),
            *(
                Route(
                    f"/api/{family}/invoices/detail",
                    PortalEndpoint(self._server, "detail", self._detail(family)),
                )
                for family in _FAMILIES
            ),
            Route(
                "/api/query/invoices/export-xml", PortalEndpoint(self._server, "xml", self._original("query"))
            ),
            # Most clients use GET for the cash register, one uses POST.
            Route(
                "/api/sco-query/invoices/export-xml",
                PortalEndpoint(self._server, "xml", self._original("sco-query")),
                methods=["GET", "POST"],
            ),
        ]

    async def _captcha(self, _call: AuthorizedRequest) -> Response:
        response = JSONResponse(self._server.sessions.new_captcha())
        response.set_cookie("TS01sim", f"{time.monotonic_ns():x}", httponly=True)
        return response

    async def _log_in(self, call: AuthorizedRequest) -> Response:
        try:
            login = msgspec.json.decode(await call.request.body(), type=PortalLogin)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PortalError(400, str(error)) from None
        self._server.stats.asked(login.username, f"login {login.ckey}")
        response = JSONResponse({"token": (token := self._server.sessions.log_in(login))})
        response.set_cookie("jwt", token, httponly=True)
        return response

    def _list(self, family: Family, direction: Direction) -> Handler:
        async def handler(call: AuthorizedRequest) -> Response:
            if family == "sco-query" and not has_cash_register(call.mst):
                raise PortalError(404, "Not Found")
            parameters = call.request.query_params
            query, size = read_query(direction, family, parameters), read_size(parameters)
            self._server.stats.asked(
                call.mst,
                f"list {family} {direction} {parameters.get('search')} {parameters.get('state', '')}",
            )
            started_at = time.monotonic()
            page = page_of(self._index, call.mst, query, size=size, state=parameters.get("state"))
            shown = [
                _row_of_another_taxpayer(rows.row(item)) if call.fault == "mismatch" else rows.row(item)
                for item in page.invoices
            ]
            state = _next_cursor(page.state, parameters.get("state"), call.fault)
            took_ms = round((time.monotonic() - started_at) * 1_000)
            return _json({"datas": shown, "total": page.total, "state": state, "time": took_ms})

        return handler

    def _detail(self, family: Family) -> Handler:
        async def handler(call: AuthorizedRequest) -> Response:
            invoice = self._find(call, family, call.request.query_params)
            self._server.stats.asked(call.mst, f"detail {invoice.key}")
            return _json(rows.detail(invoice))

        return handler

    def _original(self, family: Family) -> Handler:
        async def handler(call: AuthorizedRequest) -> Response:
            invoice = self._find(call, family, await _parameters(call.request))
            self._server.stats.asked(call.mst, f"xml {invoice.key}")
            if not invoice.has_original:
                raise PortalError(500, NO_ORIGINAL)
            return Response(original_zip(invoice), media_type="application/zip")

        return handler

    def _find(self, call: AuthorizedRequest, family: Family, given: Mapping[str, str]) -> Invoice:
        """Find the caller's invoice by seller, form, series and number.

        Raises:
            PortalError: 400 for wrong parameters, 404 when there is no such invoice.
        """
        if set(given) != _KEY_PARAMETERS or not given["shdon"].isdecimal():
            raise PortalError(400, "Tham số không hợp lệ")
        key = f"{given['nbmst']}-{given['khmshdon']}-{given['khhdon']}-{given['shdon']}"
        printed = int(given["shdon"])
        for kind in INVOICE_KINDS:
            # The printed number is the slot number plus 1, or the slot number itself for a duplicated number.
            slots = (
                self._index.slot(call.mst, kind, number)
                for number in (printed - 1, printed)
                if kind.family == family
            )
            for slot in slots:
                if slot is not None and (invoice := invoice_at(self._index, call.mst, slot)).key == key:
                    return invoice
        raise PortalError(404, NO_INVOICE)


async def _parameters(request: Request) -> Mapping[str, str]:
    """The query parameters, or for a POST those of its form or JSON body."""
    if request.method == "GET" or not (body := await request.body()):
        return request.query_params
    try:
        if "json" in request.headers.get("content-type", ""):
            return {
                name: str(value) for name, value in msgspec.json.decode(body, type=dict[str, object]).items()
            }
        return {name: values[0] for name, values in parse_qs(body.decode()).items()}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PortalError(400, str(error)) from None


def _next_cursor(following: str | None, given: str | None, fault: str | None) -> str | None:
    """The cursor to return; with a cursor fault, the one that the request sent."""
    if fault == "state_repeats" or (fault == "last_state_repeats" and following is None):
        return given or following
    return following


def _row_of_another_taxpayer(shown: rows.Row) -> rows.Row:
    """The row with other tax codes for both seller and buyer."""
    return {**shown, **{name: f"99{own_code(str(shown[name]))[2:-1]}X" for name in ("nbmst", "nmmst")}}


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
