"""The portal simulator as a separate process, and a client for it."""

import contextlib
import subprocess
import sys
from calendar import monthrange
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from uuid import uuid4

import httpx2
import msgspec
from msgspec import Struct

from signalbox_devstack.emulators.portal.companies import companies, password_of
from signalbox_devstack.emulators.portal.ground_truth import GroundTruth
from signalbox_devstack.emulators.portal.solver import solve

MST = companies(1)[0]


def search_of(month: int) -> str:
    """A search for all days of one month of 2026."""
    return (
        f"tdlap=ge=01/{month:02}/2026T00:00:00;tdlap=le={monthrange(2026, month)[1]}/{month:02}/2026T23:59:59"
    )


JULY = search_of(7)


class Portal(Struct, frozen=True):
    """A running portal. `endpoint` is `ip:port`."""

    endpoint: str

    @property
    def url(self) -> str:
        return f"http://{self.endpoint}/api"

    def truth(self, mst: str = MST, first: str = "2026-07-01", last: str = "2026-09-30") -> GroundTruth:
        return msgspec.json.decode(self._sim(f"truth?mst={mst}&from={first}&to={last}"), type=GroundTruth)

    def stats(self, mst: str = MST) -> Mapping[str, object]:
        """The statistics of one taxpayer; empty when it has made no calls."""
        found: Mapping[str, Mapping[str, object]] = msgspec.json.decode(self._sim(f"stats?mst={mst}"))
        return found.get(mst, {})

    def put_faults(self, *faults: Mapping[str, object], mst: str = MST) -> None:
        httpx2.put(
            f"http://{self.endpoint}/_sim/faults/{mst}", json=list(faults), trust_env=False
        ).raise_for_status()

    def put_token_life(self, life_s: float, mst: str = MST) -> None:
        httpx2.put(
            f"http://{self.endpoint}/_sim/token-life/{mst}", json=life_s, trust_env=False
        ).raise_for_status()

    def _sim(self, path: str) -> bytes:
        return (
            httpx2.get(f"http://{self.endpoint}/_sim/{path}", trust_env=False, timeout=60)
            .raise_for_status()
            .content
        )


@contextlib.contextmanager
def running_portal(*arguments: str) -> Iterator[Portal]:
    """Run the portal, with fault injection enabled, for the duration of the block."""
    command = [
        sys.executable,
        "-m",
        "signalbox_devstack.emulators.portal",
        "--port",
        "0",
        "--faults",
        *arguments,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening "), line
            yield Portal(line.split()[1])
        finally:
            process.terminate()
            process.wait(10)


class PortalVisitor:
    """A client that sends a request id with every call, and the session token after sign-in."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.token = ""

    async def get(self, path: str, **parameters: object) -> httpx2.Response:
        return await self._client.get(
            path, params={name: str(value) for name, value in parameters.items()}, headers=self._headers()
        )

    async def give_up_after(self, timeout_s: float, path: str, **parameters: str) -> httpx2.Response:
        return await self._client.get(path, params=parameters, headers=self._headers(), timeout=timeout_s)

    async def captcha(self) -> tuple[str, str]:
        """Request a captcha; return its key and picture."""
        body = (await self.get("/captcha")).json()
        return body["key"], body["content"]

    async def authenticate(
        self, mst: str = MST, *, password: str | None = None, text: str | None = None
    ) -> httpx2.Response:
        """Sign in, with the right captcha text and password unless others are given."""
        key, picture = await self.captcha()
        login = {
            "username": mst,
            "password": password or password_of(mst),
            "cvalue": text or solve(picture),
            "ckey": key,
        }
        response = await self._client.post(
            "/security-taxpayer/authenticate", json=login, headers=self._headers()
        )
        self.token = response.json().get("token", "")
        return response

    async def rows(
        self, where: str = "query/invoices/purchase", search: str = JULY, size: int = 50
    ) -> Sequence[Mapping[str, object]]:
        """The rows of all pages."""
        found: list[Mapping[str, object]] = []
        state: str | None = None
        while True:
            page = (
                await self.get(
                    f"/{where}",
                    search=search,
                    size=size,
                    sort="tdlap:desc",
                    **({"state": state} if state else {}),
                )
            ).json()
            found += page["datas"]
            state = page["state"]
            if not state:
                return found

    def _headers(self) -> dict[str, str]:
        return {
            "request-id": str(uuid4()),
            **({"authorization": f"Bearer {self.token}"} if self.token else {}),
        }


@contextlib.asynccontextmanager
async def visiting(portal: Portal, mst: str | None = MST) -> AsyncIterator[PortalVisitor]:
    """A client signed in as this company, or not signed in with None."""
    async with httpx2.AsyncClient(base_url=portal.url, trust_env=False, timeout=10) as client:
        visitor = PortalVisitor(client)
        if mst is not None:
            assert (await visitor.authenticate(mst)).status_code == 200
        yield visitor
