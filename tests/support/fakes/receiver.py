"""A receiver over fakes, without a socket: signed deliveries go straight into its app."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import msgspec
from starlette.applications import Starlette

from signalbox_core.errors import Conflict, RateLimited, Unavailable
from signalbox_core.events import CloudEvent, EventKind, encode_event
from signalbox_core.secret import Secret
from signalbox_core.signatures import KeySet, LoadedKey, Signer
from signalbox_core.signatures.profile import NONCE_KEPT
from signalbox_core.testing.streams import FakeRunStream
from signalbox_webhook_receiver.app import Keys, ReceiverParts, create_app
from signalbox_webhook_receiver.deduplication import BUSY_FOR, DONE_FOR, Claim, claim_of, conflict_of, keys_of
from signalbox_webhook_receiver.events import Entry
from signalbox_webhook_receiver.health import ReceiverReadiness
from signalbox_webhook_receiver.intake import DeliveryBackends
from signalbox_webhook_receiver.metrics import ReceiverMetrics
from signalbox_webhook_receiver.settings import Settings
from signalbox_webhook_receiver.verification import Proof
from support.drivers.signed_requests import BATCH, ONE, ORIGIN, URL, signer_and_key

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeClaims:
    """Claims in memory, with the rules of the Redis script; `away` names the methods that raise."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.away: set[str] = set()
        self.held: dict[str, tuple[str, datetime]] = {}
        self._now = now
        self._tokens = 0

    async def claim(self, proof: Proof, runs: Sequence[Sequence[Entry]]) -> list[Claim | Conflict]:
        self._answer("claim")
        nonce_key, _ = keys_of(proof, [])
        if self._get(nonce_key):
            raise conflict_of(b"nonce")
        self._tokens += 1
        claims = [self._claim(proof, run, str(self._tokens)) for run in runs]
        if any(isinstance(claim, Claim) for claim in claims):
            self._set(nonce_key, str(self._tokens), NONCE_KEPT)
        return claims

    async def finish(self, claims: Sequence[Claim]) -> None:
        self._answer("finish")
        for claim in claims:
            for key, digest in zip(claim.event_keys, claim.digests, strict=True):
                if self._get(key) in (None, f"busy:{claim.token}"):
                    self._set(key, f"done:{digest}", DONE_FOR)

    async def release(self, claims: Sequence[Claim], *, with_nonce: bool) -> None:
        self._answer("release")
        for claim in claims:
            for key in (*([claim.nonce_key] if with_nonce else []), *claim.event_keys):
                if self._get(key) in (claim.token, f"busy:{claim.token}"):
                    del self.held[key]

    def _claim(self, proof: Proof, run: Sequence[Entry], token: str) -> Claim | Conflict:
        kept = [entry for entry in run if entry.kind is not EventKind.PROGRESS]
        nonce_key, event_keys = keys_of(proof, kept)
        fresh = []
        for key, entry in zip(event_keys, kept, strict=True):
            held = self._get(key)
            if held and held.startswith("busy:"):
                return conflict_of(b"busy")
            if held and held != f"done:{entry.digest}":
                return conflict_of(b"conflict")
            if not held:
                fresh.append((key, entry))
        for key, _ in fresh:
            self._set(key, f"busy:{token}", BUSY_FOR)
        return claim_of(token, nonce_key, run, fresh)

    def _answer(self, method: str) -> None:
        if method in self.away:
            raise Unavailable("the claims store is unavailable", code="claims_unavailable")

    def _get(self, key: str) -> str | None:
        value, until = self.held.get(key, (None, NOW))
        return value if until > self._now() else None

    def _set(self, key: str, value: str, kept: timedelta) -> None:
        self.held[key] = (value, self._now() + kept)


class SwitchedPublisher:
    """A publisher in memory that can hold acks back (`acks`) or refuse after some messages (`takes`)."""

    def __init__(self) -> None:
        self.published: list[tuple[str, CloudEvent, str]] = []
        self.takes: int | None = None
        self.acks = asyncio.Event()
        self.acks.set()

    async def publish(self, topic: str, event: CloudEvent, *, ordering_key: str) -> str:
        await self.acks.wait()
        if self.takes is not None and len(self.published) >= self.takes:
            raise Unavailable("no Pub/Sub")
        self.published.append((topic, event, ordering_key))
        return str(len(self.published))


class FakeRates:
    """Deliveries counted in memory: twice `per_s` at once, and `per_s` more each second."""

    def __init__(self, per_s: float, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    async def take(self, keyid: str, calls: int = 1) -> None:
        now = self._clock()
        left, since = self._left.get(keyid, (2 * self._per_s, now))
        left = min(2 * self._per_s, left + (now - since) * self._per_s)
        if left < calls:
            raise RateLimited("slow down", retry_after_s=(calls - left) / self._per_s)
        self._left[keyid] = (left - calls, now)


class FakeHealth:
    def __init__(self) -> None:
        self.state = ReceiverReadiness(redis="ok", keys="ok")

    async def readiness(self) -> ReceiverReadiness:
        return self.state


class FakeKeys(KeySet):
    """Keys that stay as they are; with `is_cold`, an address of keys that never answered is among them."""

    is_cold = False

    async def find(self, keyid: str) -> LoadedKey | None:
        if self.is_cold:
            raise Unavailable("no keys", code="keys_unavailable")
        return self.get(keyid)

    async def watch(self, *, every_s: float) -> None:
        """Nothing changes."""


class Clock:
    """A clock that only moves when a test moves it."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    def move(self, by: timedelta) -> None:
        self.at += by


@dataclass
class Bench:
    """One receiver with its fakes, and a sender whose key it knows."""

    signer: Signer
    claims: FakeClaims
    publisher: SwitchedPublisher
    stream: FakeRunStream
    health: FakeHealth
    parts: ReceiverParts
    client: httpx2.AsyncClient
    clock: Clock
    app: Starlette

    async def send(
        self, *events: CloudEvent, batch: bool = False, signer: Signer | None = None
    ) -> httpx2.Response:
        """Sign and deliver: one event alone, or several (or `batch=True`) as a batch."""
        if len(events) == 1 and not batch:
            return await self.post(encode_event(events[0]), ONE, signer=signer)
        return await self.post(batch_of(events), BATCH, signer=signer)

    async def post(
        self, body: bytes, content_type: str = ONE, *, signer: Signer | None = None
    ) -> httpx2.Response:
        headers = (signer or self.signer).sign("POST", URL, body, content_type)
        return await self.client.post("/v1/events", content=body, headers=headers)

    def count(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.parts.metrics.registry.get_sample_value(f"signalbox_receiver_{name}", labels)

    @property
    def published(self) -> list[tuple[str, str, str]]:
        """Topic, event name and ordering key of everything published."""
        return [(topic, event.name, key) for topic, event, key in self.publisher.published]


def batch_of(events: Sequence[CloudEvent]) -> bytes:
    return b"[" + b",".join(encode_event(event) for event in events) + b"]"


def new_bench(
    *keys: LoadedKey,
    record: Mapping[str, Any] | None = None,
    source: Keys | None = None,
    publisher: SwitchedPublisher | None = None,
    stream: FakeRunStream | None = None,
    **settings: Any,
) -> Bench:
    """A bench that knows `keys` and one Ed25519 key of the sender `worker`, for every tenant and event.

    Args:
        record: fields of that key's record that shall be others.
        source: where keys come from, instead of these.
        stream: the runs' streams, instead of empty ones.
    """
    clock = Clock()
    signer, key = signer_and_key(clock=clock.seconds, **(record or {}))
    keys = (key, *keys)
    options = msgspec.convert(
        {"redis_url": Secret("redis://"), "public_origin": ORIGIN, "keys": "", **settings}, Settings
    )
    claims, stream = FakeClaims(clock.now), stream or FakeRunStream()
    publisher = publisher or SwitchedPublisher()
    health, metrics = FakeHealth(), ReceiverMetrics()
    parts = ReceiverParts(
        origin=ORIGIN,
        keys=FakeKeys(keys) if source is None else source,
        backends=DeliveryBackends(
            rates=FakeRates(options.rate_per_s, clock.seconds),
            claims=claims,
            publisher=publisher,
            stream=stream,
        ),
        health=health,
        metrics=metrics,
        now=clock.now,
    )
    app = create_app(options, parts)
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ORIGIN)
    return Bench(signer, claims, publisher, stream, health, parts, client, clock, app)
