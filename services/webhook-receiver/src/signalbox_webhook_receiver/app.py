"""The only place where the receiver's parts are put together; tests pass fakes where `open_parts` passes clients."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from signalbox_core.errors import InvalidInput, NotFound, Rejected
from signalbox_core.pubsub import PubSubPublisher
from signalbox_core.settings import Secret
from signalbox_core.signatures import parse_origin
from signalbox_core.streams import RedisRunStream
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signalbox_webhook_receiver.claims import RedisClaims
from signalbox_webhook_receiver.deliveries import Deliveries, Limits, Outlets
from signalbox_webhook_receiver.health import Health, Readiness
from signalbox_webhook_receiver.keys import KeyRing
from signalbox_webhook_receiver.metrics import Meters
from signalbox_webhook_receiver.problems import problem_response
from signalbox_webhook_receiver.rates import Rates
from signalbox_webhook_receiver.settings import Settings
from signalbox_webhook_receiver.verify import KeySource, Verifier


class Keys(KeySource, Protocol):
    """Keys that can be kept up to date in the background."""

    async def watch(self, *, every_s: float) -> None: ...


class ReadinessCheck(Protocol):
    async def readiness(self) -> Readiness: ...


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything the app needs; `origin` is what senders sign, `now` is aware UTC, `clock` monotonic."""

    origin: str
    keys: Keys
    outlets: Outlets
    health: ReadinessCheck
    meters: Meters = field(default_factory=Meters)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Callable[[], float] = time.monotonic


def create_app(settings: Settings, parts: Parts) -> Starlette:
    """The ASGI application over opened parts."""
    deliveries = Deliveries(
        Verifier(parts.keys, origin=parts.origin, now=parts.now),
        parts.outlets,
        rates=Rates(per_s=settings.rate_per_s, clock=parts.clock),
        limits=Limits(
            authority=parts.origin.partition("://")[2],
            body_timeout_s=settings.body_timeout_s,
            publish_timeout_s=settings.publish_timeout_s,
        ),
        meters=parts.meters,
    )
    app = Starlette(routes=_routes(deliveries, parts), exception_handlers={HTTPException: _http_problem})
    # A redirect would make a sender repeat a delivery to a URL that it did not sign.
    app.router.redirect_slashes = False
    return app


@asynccontextmanager
async def open_parts(settings: Settings) -> AsyncIterator[Parts]:
    """Load the keys and open the clients; close them again in reverse order.

    Raises:
        InvalidInput: a setting or a key is wrong; the message names it.
    """
    origin = parse_origin(settings.public_origin, field="SIGNALBOX_RECEIVER_PUBLIC_ORIGIN")
    meters = Meters()
    keys = KeyRing(Path(settings.keys), on_bad_reload=meters.bad_reloads.inc)
    publisher = PubSubPublisher(settings.google_cloud_project, emulator_host=settings.pubsub_emulator_host)
    async with open_redis(settings.redis_url) as client, publisher:
        outlets = Outlets(claims=RedisClaims(client), publisher=publisher, stream=RedisRunStream(client))
        yield Parts(origin=origin, keys=keys, outlets=outlets, health=Health(client, key_count=lambda: len(keys)), meters=meters)


@asynccontextmanager
async def open_redis(url: Secret) -> AsyncIterator[Redis]:
    """A client that fails within a second: its defaults take four to notice a refused connection.

    Raises:
        InvalidInput: not a Redis URL.
    """
    limits = {"socket_timeout": 0.5, "socket_connect_timeout": 0.3, "retry": Retry(NoBackoff(), 0)}
    try:
        # Few connections: a burst then waits its turn for a moment instead of opening one connection per delivery.
        pool = BlockingConnectionPool.from_url(url.reveal(), max_connections=16, timeout=0.5, **limits)
    except ValueError:
        # Without the reason: it repeats the URL, which may hold a password.
        raise InvalidInput("REDIS_URL must be like redis://[user:password@]host:6379/0", field="REDIS_URL") from None
    client = Redis(connection_pool=pool)
    try:
        yield client
    finally:
        await client.aclose()
        await pool.disconnect()


def _routes(deliveries: Deliveries, parts: Parts) -> list[Route]:
    async def events(request: Request) -> Response:
        return await deliveries(request)

    async def healthz(_request: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def readyz(_request: Request) -> Response:
        readiness = await parts.health.readiness()
        status = 200 if readiness.is_ready else 503
        return Response(msgspec.json.encode(readiness), status_code=status, media_type="application/json")

    async def metrics(_request: Request) -> Response:
        return Response(parts.meters.text(), media_type="text/plain; version=0.0.4")

    return [
        Route("/v1/events", events, methods=["POST"]),
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]


async def _http_problem(_request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "POST")
        return problem_response(Rejected(f"use {allow}", code="method_not_allowed", allow=allow))
    return problem_response(NotFound("no such resource; events are sent to /v1/events"))
