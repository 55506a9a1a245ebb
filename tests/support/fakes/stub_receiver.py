"""A fake receiver on a socket, for tests of senders: scripted responses, and a record of what it accepted."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from signalbox_core.events import CloudEvent
from signalbox_core.http.server import create_server
from support.assertions.eventually import eventually
from support.servers.backends import free_port


class StubReceiver:
    """Attributes:
    answers: statuses for the next requests, then 202.
    refuse: names of events that make their run in the request a 422.
    forbid: tenants for which the key may not send: 403.
    takes_one_run: refuses requests with events of several runs, as older receivers do.
    hold: while it is cleared, requests wait.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1/events"
        self.port = port
        self.accepted: list[CloudEvent] = []
        self.requests: list[dict[str, str]] = []
        self.sizes: list[int] = []
        self.answers: list[Response] = []
        self.refuse: set[str] = set()
        self.forbid: set[str] = set()
        self.takes_one_run = False
        self.hold = asyncio.Event()
        self.hold.set()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def up(self) -> None:
        app = Starlette(routes=[Route("/v1/events", self._take, methods=["POST"])])
        server, self._stop = create_server(app), asyncio.Event()
        listener = socket.create_server(("127.0.0.1", self.port))
        self._task = asyncio.create_task(server.serve_until(self._stop, listener))
        await eventually(lambda: server.started)

    async def down(self) -> None:
        assert self._task is not None
        self._stop.set()
        await self._task

    def milestones(self) -> list[CloudEvent]:
        """By first arrival, duplicates left out."""
        return list({event.id: event for event in self.accepted if event.sequence is not None}.values())

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append(dict(request.headers))
        await self.hold.wait()
        if self.answers:
            return self.answers.pop(0)
        decoded = msgspec.json.decode(body, type=CloudEvent | list[CloudEvent])
        events = decoded if isinstance(decoded, list) else [decoded]
        if events[0].tenantid in self.forbid:
            return JSONResponse({"code": "tenant_not_allowed"}, 403)
        runs = {event.runid for event in events}
        bad = {event.runid for event in events if event.name in self.refuse}
        detail = "this event is not as its schema says"
        if bad == runs or (self.takes_one_run and len(runs) > 1):
            return JSONResponse({"detail": detail}, 422)
        self.sizes.append(len(events))
        self.accepted.extend(event for event in events if event.runid not in bad)
        if bad:
            refused = {"status": 422, "code": "invalid_input"}
            results = [refused if event.runid in bad else {"status": 202} for event in events]
            return JSONResponse({"detail": detail, "code": "invalid_input", "results": results}, 422)
        return JSONResponse({"accepted": len(events)}, 202)


@contextlib.asynccontextmanager
async def stub_receiver() -> AsyncIterator[StubReceiver]:
    receiver = StubReceiver(free_port())
    await receiver.up()
    try:
        yield receiver
    finally:
        await receiver.down()
