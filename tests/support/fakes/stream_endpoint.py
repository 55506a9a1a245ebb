"""The gateway's stream endpoint over a FakeRunStream, without sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from starlette.requests import HTTPConnection

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import NotFound, SignalboxError
from signalbox_core.events import Snapshot
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.subjects import Subject
from signalbox_core.testing.streams import FakeRunStream
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.streaming.endpoint import StreamEndpoint
from signalbox_gateway.streaming.hub import Hub
from signalbox_gateway.streaming.limits import StreamLimits
from signalbox_gateway.streaming.refusals import StreamRefusals


@dataclass
class Live:
    """A stream endpoint and the state that a test controls."""

    streams: FakeRunStream
    hub: Hub
    endpoint: StreamEndpoint
    from_temporal: dict[str, Snapshot]
    refusals: dict[str, SignalboxError]
    asked_temporal: list[str]


@dataclass
class _Backends:
    from_temporal: dict[str, Snapshot] = field(default_factory=dict)
    refusals: dict[str, SignalboxError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    expires_at: datetime | None = None

    async def fallback(self, run_id: str) -> Snapshot | None:
        self.asked.append(run_id)
        return self.from_temporal.get(run_id)

    async def authorize(self, _request: HTTPConnection, run_id: str) -> Principal:
        if run_id in self.refusals:
            raise self.refusals[run_id]
        return _principal(self.expires_at)

    async def authenticate(self, _request: HTTPConnection) -> Principal:
        if "*" in self.refusals:
            raise self.refusals["*"]
        return _principal(self.expires_at)


def _principal(expires_at: datetime | None) -> Principal:
    return Principal(
        key_id="k",
        name="lan",
        tenant="acme",
        subject=Subject(subject="key:k", name="lan"),
        roles=frozenset({Role.VIEWER}),
        expires_at=expires_at,
    )


def present(snapshot: Snapshot, epoch: str) -> bytes:
    return msgspec.json.encode({**msgspec.structs.asdict(snapshot), "epoch": epoch})


def unknown(run_id: str) -> NotFound:
    return NotFound(f"there is no run {run_id}", code="unknown_run")


@asynccontextmanager
async def live_gateway(
    limits: StreamLimits | None = None,
    *,
    expires_at: datetime | None = None,
    make: Callable[[], FakeRunStream] = FakeRunStream,
) -> AsyncIterator[Live]:
    """A running hub, its endpoint and their backends."""
    streams, backends = make(), _Backends(expires_at=expires_at)
    hub = Hub(streams.channels, streams, backends.fallback, present, limits)
    running = asyncio.create_task(hub.run())
    try:
        yield Live(
            streams,
            hub,
            StreamEndpoint(hub, backends.authorize, backends.authenticate, refusals=StreamRefusals()),
            backends.from_temporal,
            backends.refusals,
            backends.asked,
        )
    finally:
        await cancel_and_wait(running)
