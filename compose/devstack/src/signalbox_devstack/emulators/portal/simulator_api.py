"""The simulator's own API: `/_sim/stats`, `/_sim/truth`, `/_sim/faults`, `/_sim/token-life`,
`/_sim/companies`.
"""

from datetime import date
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from signalbox_devstack.emulators.portal.companies import companies, company, has_cash_register, password_of
from signalbox_devstack.emulators.portal.endpoint import PortalState
from signalbox_devstack.emulators.portal.faults import PortalFault
from signalbox_devstack.emulators.portal.ground_truth import ground_truth
from signalbox_devstack.emulators.portal.invoice_index import InvoiceIndex

_FIRST: Final = date(2000, 1, 1)
_LAST: Final = date(2099, 12, 31)


class SimulatorApi:
    """Endpoints to inspect the portal and to inject faults."""

    def __init__(
        self, server: PortalState, index: InvoiceIndex, *, company_count: int, has_faults: bool
    ) -> None:
        self._server = server
        self._index = index
        self._count = company_count
        self._has_faults = has_faults

    def routes(self) -> list[Route]:
        return [
            Route("/_sim/stats", self.stats),
            Route("/_sim/truth", self.truth),
            Route("/_sim/companies", self.companies),
            Route("/_sim/faults", self.faults, methods=["GET"]),
            Route("/_sim/faults/{mst}", self.put_faults, methods=["PUT"]),
            Route("/_sim/token-life/{mst}", self.put_token_life, methods=["PUT"]),
        ]

    async def stats(self, request: Request) -> Response:
        """Statistics of all taxpayers, or of one with `?mst=`."""
        return JSONResponse(self._server.stats.seen(request.query_params.get("mst")))

    async def truth(self, request: Request) -> Response:
        """`?mst=&from=2026-07-01&to=2026-07-31`: the expected result of an import of these days."""
        given = request.query_params
        if given.get("mst") not in companies(self._count):
            return _problem(404, f"unknown company {given.get('mst')!r}; /_sim/companies lists them all")
        try:
            first, last = (
                date.fromisoformat(given[name]) if name in given else default
                for name, default in (("from", _FIRST), ("to", _LAST))
            )
        except ValueError as error:
            return _problem(400, f"from and to must be dates like 2026-07-31: {error}")
        return _json(ground_truth(self._index, given["mst"], first, last))

    async def companies(self, _request: Request) -> Response:
        """All companies that can sign in, with their passwords."""
        known = companies(self._count)
        return JSONResponse([_company_json(mst) for mst in known])

    async def faults(self, _request: Request) -> Response:
        return _json(self._server.faults.all())

    async def put_faults(self, request: Request) -> Response:
        """Replace the faults of one taxpayer; `*` stands for taxpayers that have no entry."""
        if not self._has_faults:
            return _problem(403, "fault injection is disabled: start the portal with --faults")
        try:
            faults = msgspec.json.decode(await request.body(), type=tuple[PortalFault, ...])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _problem(400, str(error))
        self._server.faults.put(request.path_params["mst"], faults)
        return _json(self._server.faults.all())

    async def put_token_life(self, request: Request) -> Response:
        """Set the lifetime in seconds of one taxpayer's future sessions."""
        if not self._has_faults:
            return _problem(403, "fault injection is disabled: start the portal with --faults")
        try:
            life_s = msgspec.json.decode(
                await request.body(), type=Annotated[float, Meta(gt=0)], strict=False
            )
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _problem(400, f"the body must be a number of seconds: {error}")
        self._server.sessions.set_lifetime(request.path_params["mst"], life_s)
        return _json(life_s)


def _company_json(mst: str) -> "dict[str, object]":
    return {
        "mst": mst,
        "name": company(mst).name,
        "password": password_of(mst),
        "has_cash_register": has_cash_register(mst),
    }


def _problem(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status)


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
