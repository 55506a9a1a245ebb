"""`POST /v1/events`: the order of checks and effects of one delivery, from the cheapest refusal to 202."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from signalbox_core.errors import SignalboxError, Unavailable
from signalbox_core.pubsub import Publisher
from signalbox_core.redis.rates import RateLimiter
from signalbox_core.streams import RunStream
from signalbox_webhook_receiver.deduplication import Claim, Claims
from signalbox_webhook_receiver.events import Entry, check_permission, read_events
from signalbox_webhook_receiver.metrics import ReceiverMetrics
from signalbox_webhook_receiver.problems import internal_error_response, problem_response
from signalbox_webhook_receiver.profile import read_arrival
from signalbox_webhook_receiver.publication import append_all, publish_all
from signalbox_webhook_receiver.verification import Proof, Verifier

log = logging.getLogger(__name__)
_MIN_PUBLISH_TIMEOUT_S = 0.5


class DeliveryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one delivery.

    Attributes:
        authority: host and port of the public origin.
        request_timeout_s: for the whole delivery; the other timeouts are for its parts.
    """

    authority: str
    body_timeout_s: float
    publish_timeout_s: float
    request_timeout_s: float
    max_in_flight: int


@dataclass(kw_only=True)
class Draining:
    """Whether the process is shutting down; new deliveries then get 503."""

    has_started: bool = False


@dataclass(kw_only=True)
class _DeliveryRecord:
    """What is known about a delivery so far, for the access log and the metrics.

    Attributes:
        suspect: keyid of a known key that the signature names but does not match.
    """

    started: float = field(default_factory=time.perf_counter)
    proof: Proof | None = None
    events: int = 0
    body_bytes: int = 0
    code: str = "internal_error"
    reason: str = ""
    suspect: str = ""

    @property
    def keyid(self) -> str:
        return self.proof.key.keyid if self.proof else self.suspect

    def refuse(self, error: SignalboxError) -> None:
        self.code = error.stable_code
        self.reason = str(error.facts.get("reason", ""))
        if self.reason and self.reason != "unknown_key":
            self.suspect = str(error.facts["keyid"])


class DeliveryBackends(msgspec.Struct, frozen=True, kw_only=True):
    """The backends of a delivery: rate limits, deduplication, publication and the run's stream."""

    rates: RateLimiter
    claims: Claims
    publisher: Publisher
    stream: RunStream


class AcceptedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """The body of 202: how many events of the delivery were new."""

    accepted: int


class DuplicateDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """The body of 200: every event of the delivery had been accepted before."""

    duplicate: bool = True


class Deliveries:
    """Handles deliveries; new ones are refused while `draining`."""

    def __init__(
        self,
        verifier: Verifier,
        backends: DeliveryBackends,
        *,
        limits: DeliveryLimits,
        metrics: ReceiverMetrics,
        draining: Draining,
    ) -> None:
        self._verifier = verifier
        self._backends = backends
        self._limits = limits
        self._metrics = metrics
        self._draining = draining
        self._in_flight = 0

    async def __call__(self, request: Request) -> Response:
        record = _DeliveryRecord()
        self._in_flight += 1
        self._metrics.in_flight.set(self._in_flight)
        try:
            response = await self._respond(request, record)
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.set(self._in_flight)
        self._log_and_count(record, response)
        return response

    async def _respond(self, request: Request, record: _DeliveryRecord) -> Response:
        try:
            self._check_capacity()
            return await self._deliver(request, record)
        except SignalboxError as error:
            record.refuse(error)
            return problem_response(error)
        except Exception:
            log.exception("delivery failed unexpectedly")
            return internal_error_response()

    def _check_capacity(self) -> None:
        if self._draining.has_started:
            raise Unavailable("this receiver is shutting down; send the delivery again", code="draining")
        if self._in_flight > self._limits.max_in_flight:
            raise Unavailable("the receiver is overloaded; send the delivery again", code="overloaded")

    async def _deliver(self, request: Request, record: _DeliveryRecord) -> Response:
        claim = await self._admit(request, record)
        if claim.fresh:
            await self._publish(claim, self._publish_timeout_s(record))
            await append_all(
                self._backends.stream,
                claim.fresh,
                on_failure=self._metrics.left_to_repair.labels("stream").inc,
            )
        await self._finish(claim)
        return self._accept(claim.fresh, record)

    async def _admit(self, request: Request, record: _DeliveryRecord) -> Claim:
        limits = self._limits
        arrival = await read_arrival(request, authority=limits.authority, timeout_s=limits.body_timeout_s)
        record.body_bytes = len(arrival.body)
        proof = record.proof = await self._verifier.verify(arrival)
        self._metrics.verified.labels(proof.key.keyid).inc()
        entries = read_events(arrival.body, arrival.media)
        record.events = len(entries)
        check_permission(proof.key, entries)
        await self._backends.rates.take(proof.key.keyid)
        return await self._claim(proof, entries)

    async def _claim(self, proof: Proof, entries: Sequence[Entry]) -> Claim:
        try:
            return await self._backends.claims.claim(proof, entries)
        except Unavailable:
            self._metrics.claim_failures.labels("claim").inc()
            raise

    def _publish_timeout_s(self, record: _DeliveryRecord) -> float:
        remaining_s = self._limits.request_timeout_s - (time.perf_counter() - record.started)
        return max(_MIN_PUBLISH_TIMEOUT_S, min(self._limits.publish_timeout_s, remaining_s))

    async def _publish(self, claim: Claim, timeout_s: float) -> None:
        try:
            with self._metrics.publish_seconds.time():
                await publish_all(self._backends.publisher, claim.fresh, timeout_s=timeout_s)
        except Exception:
            # Not on cancellation: the outcome is then unknown, and the claims are left to expire.
            await self._release(claim)
            raise

    async def _finish(self, claim: Claim) -> None:
        try:
            await self._backends.claims.finish(claim)
        except Unavailable:
            self._count_unrepaired("finish")
            log.warning(
                "cannot mark events as accepted; a repeated delivery would publish them again",
                extra={"events": len(claim.fresh)},
            )

    async def _release(self, claim: Claim) -> None:
        try:
            await self._backends.claims.release(claim)
        except Unavailable:
            self._count_unrepaired("release")
            log.warning("cannot release claims; they will expire", extra={"events": len(claim.fresh)})

    def _count_unrepaired(self, step: str) -> None:
        self._metrics.claim_failures.labels(step).inc()
        self._metrics.left_to_repair.labels(step).inc()

    def _accept(self, fresh: Sequence[Entry], record: _DeliveryRecord) -> Response:
        record.code = "accepted" if fresh else "duplicate"
        if record.events > len(fresh):
            self._metrics.duplicates.labels(record.keyid).inc(record.events - len(fresh))
        for entry in fresh:
            self._metrics.events.labels(entry.kind.value).inc()
        body = msgspec.json.encode(AcceptedDelivery(accepted=len(fresh)) if fresh else DuplicateDelivery())
        return Response(body, status_code=202 if fresh else 200, media_type="application/json")

    def _log_and_count(self, record: _DeliveryRecord, response: Response) -> None:
        """Count the delivery and write its access log line, which never has headers, a nonce or content."""
        seconds = time.perf_counter() - record.started
        self._metrics.deliveries.labels(record.code).inc()
        self._metrics.seconds.observe(seconds)
        if response.status_code >= 400:
            self._metrics.refused.labels(record.reason or record.code, record.keyid).inc()
        facts: dict[str, object] = {
            "status": response.status_code,
            "code": record.code,
            "keyid": record.keyid,
            "events": record.events,
        }
        facts |= {"bytes": record.body_bytes, "ms": round(seconds * 1000, 1)} | (
            {"reason": record.reason} if record.reason else {}
        )
        log.info("delivery", extra=facts)
