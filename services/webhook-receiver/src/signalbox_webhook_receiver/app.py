"""The receiver's composition root; tests pass fakes where `open_parts` passes clients."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signalbox_core.errors import InvalidInput
from signalbox_core.http.cached_document import open_key_client
from signalbox_core.http.health import health_routes
from signalbox_core.http.responses import routing_error
from signalbox_core.pubsub import PubSubPublisher
from signalbox_core.redis.client import RedisLimits, open_redis
from signalbox_core.redis.rates import RedisRateLimiter
from signalbox_core.redis.sender_key_reports import SenderKeyReports
from signalbox_core.signatures import parse_origin
from signalbox_core.streams import RedisRunStream
from signalbox_core.traces import Tracing
from signalbox_webhook_receiver.clock_monitor import ClockMonitor
from signalbox_webhook_receiver.deduplication import RedisClaims
from signalbox_webhook_receiver.deliveries import Deliveries, DeliveryLimits, Draining
from signalbox_webhook_receiver.health import ReceiverHealth, ReceiverReadiness
from signalbox_webhook_receiver.intake import DeliveryBackends, EventIntake
from signalbox_webhook_receiver.key_reporter import KeyReporter
from signalbox_webhook_receiver.keys import SenderKeys
from signalbox_webhook_receiver.metrics import ReceiverMetrics
from signalbox_webhook_receiver.openapi import document
from signalbox_webhook_receiver.problems import problem_response
from signalbox_webhook_receiver.remote_keys import fetch_keys
from signalbox_webhook_receiver.settings import Settings
from signalbox_webhook_receiver.verification import KeySource, Verifier

REDIS_LIMITS: Final = RedisLimits(connect_s=0.3, read_s=0.5, retries=0, max_connections=16)
"""A delivery fails within a second of an outage, and a burst waits for one of few connections."""


class Keys(KeySource, Protocol):
    """Keys that can be reloaded in the background."""

    async def watch(self, *, every_s: float) -> None: ...


class ReadinessCheck(Protocol):
    async def readiness(self) -> ReceiverReadiness: ...


@dataclass(frozen=True, kw_only=True)
class ReceiverParts:
    """The app's components; `origin` is the origin that senders sign, `now` returns aware UTC."""

    origin: str
    keys: Keys
    backends: DeliveryBackends
    health: ReadinessCheck
    key_reporter: KeyReporter | None = None
    metrics: ReceiverMetrics = field(default_factory=ReceiverMetrics)
    draining: Draining = field(default_factory=Draining)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    tracing: Tracing = field(default_factory=Tracing)


def create_app(settings: Settings, parts: ReceiverParts) -> Starlette:
    """The ASGI application over opened parts."""
    limits = DeliveryLimits(
        authority=parts.origin.partition("://")[2],
        body_timeout_s=settings.body_timeout_s,
        publish_timeout_s=settings.publish_timeout_s,
        request_timeout_s=settings.request_timeout_s,
        max_in_flight=settings.max_in_flight,
        max_bytes_in_flight=settings.max_bytes_in_flight,
    )
    verifier = Verifier(parts.keys, origin=parts.origin, now=parts.now)
    deliveries = Deliveries(
        verifier,
        EventIntake(parts.backends, parts.metrics),
        limits=limits,
        metrics=parts.metrics,
        draining=parts.draining,
        tracing=parts.tracing,
    )
    app = Starlette(routes=_routes(deliveries, parts), exception_handlers={HTTPException: _on_routing_error})
    # A redirect would make senders repeat a delivery to a URL that they did not sign.
    app.router.redirect_slashes = False
    return app


@asynccontextmanager
async def open_parts(settings: Settings, tracing: Tracing | None = None) -> AsyncIterator[ReceiverParts]:
    """Load the keys and open the clients; close them again in reverse order.

    Raises:
        InvalidInput: a setting or a key is invalid; the message names it.
    """
    if settings.claim_s <= settings.publish_timeout_s:
        raise InvalidInput(
            "SIGNALBOX_RECEIVER_CLAIM_S must be greater than SIGNALBOX_RECEIVER_PUBLISH_TIMEOUT_S",
            field="claim_s",
        )
    origin = parse_origin(settings.public_origin, field="SIGNALBOX_RECEIVER_PUBLIC_ORIGIN")
    metrics = ReceiverMetrics()
    web = open_key_client(settings.jwks_ca_file, "SIGNALBOX_RECEIVER_JWKS_CA_FILE")
    keys = SenderKeys(
        Path(settings.keys), fetch=partial(fetch_keys, web), on_failure=metrics.key_failures.inc
    )
    publisher = PubSubPublisher(settings.google_cloud_project, emulator_host=settings.pubsub_emulator_host)
    busy_for = timedelta(seconds=settings.claim_s)
    async with (
        open_redis(settings.redis_url.reveal(), REDIS_LIMITS) as client,
        RedisClaims(client, busy_for=busy_for, on_unmarked=metrics.count_unmarked) as claims,
        publisher,
        web,
    ):
        await keys.refresh()
        backends = DeliveryBackends(
            rates=RedisRateLimiter(client, per_s=settings.rate_per_s, scope="senders"),
            claims=claims,
            publisher=publisher,
            stream=RedisRunStream(client),
        )
        yield ReceiverParts(
            origin=origin,
            keys=keys,
            backends=backends,
            health=ReceiverHealth(client, key_count=lambda: len(keys)),
            key_reporter=KeyReporter(SenderKeyReports(client), keys.accepted),
            metrics=metrics,
            tracing=tracing or Tracing(),
        )


async def run_background(settings: Settings, parts: ReceiverParts) -> None:
    """Reload and report the keys, and monitor the clock, until cancelled."""
    clock = ClockMonitor(time.time, time.monotonic, on_jump=lambda _seconds: parts.metrics.clock_jumps.inc())
    async with asyncio.TaskGroup() as group:
        group.create_task(parts.keys.watch(every_s=settings.keys_poll_s))
        if parts.key_reporter is not None:
            group.create_task(parts.key_reporter.run(every_s=settings.keys_poll_s))
        group.create_task(clock.run())


def _routes(deliveries: Deliveries, parts: ReceiverParts) -> list[Route]:
    async def events(request: Request) -> Response:
        return await deliveries(request)

    async def readiness() -> tuple[bool, object]:
        state = await parts.health.readiness()
        return state.is_ready and not parts.draining.has_started, state

    openapi_document = msgspec.json.encode(document(parts.origin))

    async def openapi(_request: Request) -> Response:
        return Response(openapi_document, media_type="application/json")

    return [
        Route("/v1/events", events, methods=["POST"]),
        *health_routes(readiness, parts.metrics.registry),
        Route("/openapi.json", openapi, methods=["GET"]),
    ]


async def _on_routing_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem_response(
        routing_error(error, "no resource exists at this path; send events to /v1/events")
    )
