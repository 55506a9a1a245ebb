"""CPU of one delivery on one core: no verification, the library as it is, the receiver, and the bare Ed25519
verification."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import uvloop
from cryptography.hazmat.primitives.asymmetric import ed25519
from http_message_signatures import HTTPMessageVerifier, MappingKeyResolver
from msgspec.structs import replace
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signalbox_core.events import CloudEvent, encode_event
from signalbox_core.logs import JsonFormatter
from signalbox_core.redis.client import open_redis
from signalbox_core.redis.rates import RedisRateLimiter
from signalbox_core.secret import Secret
from signalbox_core.signatures import LoadedKey, Signer, profile
from signalbox_core.streams import AppendOutcome
from signalbox_webhook_receiver.app import REDIS_LIMITS, ReceiverParts, create_app
from signalbox_webhook_receiver.deduplication import Claim, RedisClaims
from signalbox_webhook_receiver.events import read_runs
from signalbox_webhook_receiver.intake import DeliveryBackends
from signalbox_webhook_receiver.profile import Media
from signalbox_webhook_receiver.settings import Settings
from signalbox_webhook_receiver.verification import Proof
from support.bench.ratios import paired_ratio
from support.drivers.signed_requests import ONE, ORIGIN, URL, signer_and_key
from support.fakes.events import story
from support.fakes.receiver import FakeHealth, FakeKeys
from support.process_memory import resident_bytes
from support.servers.backends import free_port, redis_command, server

REQUESTS = 250
ROUNDS = 20
BARE = "bare ed25519"
MOST_VERIFICATIONS = 12
"""What a whole delivery may cost, in bare verifications of its signature."""
MOST_GROWTH = 1.07
MANY = int(os.environ.get("SIGNALBOX_BENCH_REQUESTS", "100000"))
EVENT: CloudEvent = replace(
    story()[0],
    data=msgspec.Raw(b'{"pipeline":"echo","title":"' + b"x" * 600 + b'","steps":[],"started_by":"lan"}'),
)
Asgi = Callable[[object, object, object], Awaitable[None]]
Delivery = tuple[bytes, dict[str, str]]


class NullPublisher:
    async def publish(self, _topic: str, _event: CloudEvent, *, ordering_key: str) -> str:
        return ordering_key


class NullStream:
    """A stream that accepts every event; no run has an owner."""

    async def write_batch(self, events: Sequence[CloudEvent]) -> list[AppendOutcome]:
        return [AppendOutcome.APPENDED] * len(events)


class Workload:
    """Signed events, each sent once."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._numbers = count(1)
        self._unique = str(time.time_ns())

    def next(self) -> Delivery:
        number = next(self._numbers)
        run_id = f"run-{number % 50}"
        body = encode_event(
            replace(EVENT, id=f"{self._unique}-{number}", runid=run_id, subject=run_id, sequence=number)
        )
        return body, self._signer.sign("POST", URL, body, ONE)


async def call(app: Asgi, delivery: Delivery) -> int:
    """One request straight into the app: no socket, no HTTP parser."""
    body, headers = delivery
    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    lines += [(b"host", b"127.0.0.1:8081"), (b"content-length", str(len(body)).encode()), (b"accept", b"*/*")]
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/events",
        "raw_path": b"/v1/events",
    }
    scope |= {
        "query_string": b"",
        "headers": lines,
        "root_path": "",
        "server": ("127.0.0.1", 8081),
        "client": ("127.0.0.1", 1),
        "state": {},
    }
    statuses: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, int]) -> None:
        statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])

    await app(scope, receive, send)
    return statuses[0]


def endpoint(handle: Callable[[Request], Awaitable[Response]]) -> Starlette:
    return Starlette(routes=[Route("/v1/events", handle, methods=["POST"])])


def unverified() -> Starlette:
    async def handle(request: Request) -> Response:
        await request.body()
        return Response(b'{"accepted":1}', status_code=202, media_type="application/json")

    return endpoint(handle)


def library(key: LoadedKey, claims: RedisClaims | None) -> Starlette:
    """The library with all that it can check, and, when given, the same claims in Redis."""
    resolver = MappingKeyResolver(public_keys={"key-1": key.material}, private_keys={})
    verifier = HTTPMessageVerifier(signature_algorithm=key.implementation, key_resolver=resolver)

    async def handle(request: Request) -> Response:
        body = await request.body()
        message = SimpleNamespace(method=request.method, url=URL, headers=dict(request.headers))
        [result] = verifier.verify(
            message, expect_tag=profile.TAG, require_components=profile.COVERED, body=body
        )
        [run] = read_runs(body, Media.ONE)
        if claims is not None:
            [claim] = await claims.claim(Proof(key=key.record, nonce=str(result.nonce)), [run.entries])
            assert isinstance(claim, Claim)
            await claims.finish([claim])
            # Marked at once, as without the receiver's grouping: a second round trip.
            await claims.flush()
        return Response(b'{"accepted":1}', status_code=202, media_type="application/json")

    return endpoint(handle)


def receiver(key: LoadedKey, client: Redis, claims: RedisClaims) -> Starlette:
    rates = RedisRateLimiter(client, per_s=1_000_000, scope="senders")
    backends = DeliveryBackends(rates=rates, claims=claims, publisher=NullPublisher(), stream=NullStream())
    parts = ReceiverParts(origin=ORIGIN, keys=FakeKeys([key]), backends=backends, health=FakeHealth())
    return create_app(Settings(redis_url=Secret("redis://"), public_origin=ORIGIN, keys=""), parts)


async def cpu_us(app: Asgi, work: Workload) -> float:
    """CPU microseconds of one request."""
    deliveries = [work.next() for _ in range(REQUESTS)]
    begun = time.process_time()
    for delivery in deliveries:
        assert await call(app, delivery) == 202
    return (time.process_time() - begun) / REQUESTS * 1e6


async def rounds(apps: dict[str, Asgi], work: Workload) -> dict[str, list[float]]:
    """CPU microseconds of a request, one figure a round; the apps and the bare verification take turns."""
    found: dict[str, list[float]] = {name: [] for name in (*apps, BARE)}
    for _ in range(ROUNDS):
        for name, app in apps.items():
            found[name].append(await cpu_us(app, work))
        found[BARE].append(bare_us())
    return found


def bare_us() -> float:
    private = ed25519.Ed25519PrivateKey.generate()
    public, message = private.public_key(), b"x" * 500
    signature = private.sign(message)
    begun = time.process_time()
    for _ in range(REQUESTS):
        public.verify(signature, message)
    return (time.process_time() - begun) / REQUESTS * 1e6


@pytest.fixture
def redis_of_its_own(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    with server(redis_command(port, tmp_path), port, tmp_path / "redis.log") as host:
        yield f"redis://{host}/0"


@pytest.fixture
def json_log() -> Iterator[None]:
    """The access log as in production, to nowhere."""
    with Path(os.devnull).open("w") as nowhere:
        handler = logging.StreamHandler(nowhere)
        handler.setFormatter(JsonFormatter("webhook-receiver"))
        logger = logging.getLogger("signalbox_webhook_receiver")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        yield
        logger.removeHandler(handler)
        logger.propagate = True


async def compare(redis_url: str) -> dict[str, list[float]]:
    signer, key = signer_and_key()
    async with open_redis(redis_url, REDIS_LIMITS) as client, RedisClaims(client) as claims:
        apps = {
            "no verification": unverified(),
            "library": library(key, None),
            "library + claims": library(key, claims),
        }
        return await rounds(apps | {"receiver": receiver(key, client, claims)}, Workload(signer))


@pytest.mark.usefixtures("json_log")
def test_a_delivery_costs_less_than_the_library_with_claims(
    redis_of_its_own: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        us = runner.run(compare(redis_of_its_own))
    # A round trip to Redis costs what the machine is doing at that moment, so each round has its own limit.
    pairs = zip(us["library"], us["library + claims"], strict=True)
    limits = [library * 0.8 + (claimed - library) for library, claimed in pairs]
    to_limit = paired_ratio(us["receiver"], limits)
    to_library = paired_ratio(us["receiver"], us["library + claims"])
    to_bare = paired_ratio(us["receiver"], us[BARE])
    with capsys.disabled():
        rows = [f"{name:18} {median(each):7.0f} µs CPU" for name, each in us.items()]
        sys.stdout.write("\n" + "\n".join(rows) + "\n")
        sys.stdout.write(f"receiver / (library + claims) {to_library}\n")
        sys.stdout.write(f"receiver / (0.8 library + claims) {to_limit}\n")
        sys.stdout.write(f"receiver / bare verification {to_bare}\n")
    assert to_limit.low <= 1
    assert to_bare.low <= MOST_VERIFICATIONS


async def grow(redis_url: str) -> tuple[int, int]:
    signer, key = signer_and_key()
    work = Workload(signer)
    async with open_redis(redis_url, REDIS_LIMITS) as client, RedisClaims(client) as claims:
        app = receiver(key, client, claims)
        sizes = []
        for part in (MANY // 5, MANY - MANY // 5):
            for _ in range(part):
                assert await call(app, work.next()) == 202
            sizes.append(resident_bytes())
    return sizes[0], sizes[1]


@pytest.mark.usefixtures("json_log")
def test_memory_stays_flat(redis_of_its_own: str, capsys: pytest.CaptureFixture[str]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        early, late = runner.run(grow(redis_of_its_own))
    with capsys.disabled():
        sys.stdout.write(
            f"\nresident after {MANY // 5} deliveries {early / 2**20:.1f} MiB, "
            f"after {MANY} {late / 2**20:.1f} MiB\n"
        )
    assert late <= MOST_GROWTH * early
