"""Reading server-sent events as a browser would (WHATWG HTML §9.2.6), and an ASGI connection without a
socket."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import msgspec
from starlette.types import ASGIApp, Message

from support.assertions.eventually import eventually


@dataclass(frozen=True)
class SseEvent:
    """`event` is `message` when the stream names none; `id` is None when the block has no id of its own."""

    event: str
    data: str
    id: str | None

    @property
    def json(self) -> dict[str, object]:
        return msgspec.json.decode(self.data, type=dict[str, object])

    @property
    def sequence(self) -> object:
        return self.json.get("sequence")


def blocks(text: str) -> list[str]:
    return [block for block in text.replace("\r\n", "\n").split("\n\n") if block]


def parse(text: str) -> list[SseEvent]:
    """The events of a stream; comments and `retry:` alone make none."""
    events = []
    for block in blocks(text):
        fields: dict[str, list[str]] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
        if "data" in fields:
            identity = fields["id"][-1] if "id" in fields else None
            events.append(SseEvent(fields.get("event", ["message"])[-1], "\n".join(fields["data"]), identity))
    return events


def sequences(events: Iterable[SseEvent]) -> list[object]:
    return [event.sequence for event in events if event.event == "message" and event.sequence is not None]


@dataclass
class Connection:
    """One request to an ASGI app, read while it runs."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_complete: bool = False
    chunks: list[bytes] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None
    _left: asyncio.Event = field(default_factory=asyncio.Event)
    can_write: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def events(self) -> list[SseEvent]:
        return parse(self.text)

    @property
    def names(self) -> list[str]:
        return [event.event for event in self.events]

    async def receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        await self.can_write.wait()
        self.body += message.get("body", b"")
        self.chunks.append(message.get("body", b""))
        self.is_complete = not message.get("more_body", False)

    async def until_events(self, count: int) -> list[SseEvent]:
        await eventually(lambda: len(self.events) >= count)
        return self.events

    async def until_complete(self) -> list[SseEvent]:
        await eventually(lambda: self.is_complete)
        await self.until_over()
        return self.events

    async def until_over(self) -> None:
        assert self._task is not None
        async with asyncio.timeout(30):
            await self._task

    async def leave(self) -> None:
        """Close the browser's tab."""
        self._left.set()
        await self.until_over()

    def start(self, app: ASGIApp, scope: Mapping[str, object]) -> None:
        self.can_write.set()
        self._task = asyncio.create_task(_run(app, self, scope))


async def _run(app: ASGIApp, connection: Connection, scope: Mapping[str, object]) -> None:
    await app(dict(scope), connection.receive, connection.send)


def connect(
    app: ASGIApp,
    *runs: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    multiplexed: bool = False,
) -> Connection:
    """Ask for the stream of one run, or with `multiplexed` of several."""
    pairs = [*(("run", run) for run in runs if multiplexed), *(query or {}).items()]
    scope: dict[str, object] = {
        "type": "http",
        "method": method,
        "path": "/v1/stream" if multiplexed else f"/v1/runs/{runs[0]}/stream",
        "query_string": urlencode(pairs).encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": ("192.0.2.7", 50_000),
        "path_params": {} if multiplexed else {"run_id": runs[0]},
    }
    connection = Connection()
    connection.start(app, scope)
    return connection
