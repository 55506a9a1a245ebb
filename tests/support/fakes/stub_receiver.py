"""A small receiver for tests of senders: one HTTP endpoint with configured responses that keeps what it
accepted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from signalbox_core.events import CloudEvent
from support.assertions.eventually import eventually
from support.servers.backends import free_port


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class StubReceiver:
    """Attributes:
    answers: statuses for the next requests, then 202.
    refuse: names of events that make their request a 422.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1/events"
        self.port = port
        self.accepted: list[CloudEvent] = []
        self.requests: list[dict[str, str]] = []
        self.sizes: list[int] = []
        self.answers: list[Response] = []
        self.refuse: set[str] = set()
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def up(self) -> None:
        app = Starlette(routes=[Route("/v1/events", self._take, methods=["POST"])])
        config = uvicorn.Config(
            app, host="127.0.0.1", port=self.port, log_config=None, access_log=False, lifespan="off"
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve())
        await eventually(lambda: self._server is not None and self._server.started)

    async def down(self) -> None:
        assert self._server is not None
        assert self._task is not None
        self._server.should_exit = True
        await self._task

    def milestones(self) -> list[CloudEvent]:
        """By first arrival, duplicates left out."""
        return list({event.id: event for event in self.accepted if event.sequence is not None}.values())

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append(dict(request.headers))
        if self.answers:
            return self.answers.pop(0)
        decoded = msgspec.json.decode(body, type=CloudEvent | list[CloudEvent])
        events = decoded if isinstance(decoded, list) else [decoded]
        if any(event.name in self.refuse for event in events):
            return JSONResponse({"detail": "this event is not as its schema says"}, 422)
        self.sizes.append(len(events))
        self.accepted.extend(events)
        return JSONResponse({"accepted": len(events)}, 202)


@contextlib.asynccontextmanager
async def stub_receiver() -> AsyncIterator[StubReceiver]:
    receiver = StubReceiver(free_port())
    await receiver.up()
    try:
        yield receiver
    finally:
        await receiver.down()
