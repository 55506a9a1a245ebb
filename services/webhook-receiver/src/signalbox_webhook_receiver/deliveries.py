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
from signalbox_webhook_receiver.claims import Claim, Claims
from signalbox_webhook_receiver.events import Entry, check_permission, read_events
from signalbox_webhook_receiver.metrics import Meters
from signalbox_webhook_receiver.owners import Owners
from signalbox_webhook_receiver.problems import internal_error_response, problem_response
from signalbox_webhook_receiver.profile import read_arrival
from signalbox_webhook_receiver.publish import publish_all, show_all
from signalbox_webhook_receiver.verify import Proof, Verifier

log = logging.getLogger(__name__)
_LEAST_PUBLISH_S = 0.5


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`authority` is the public origin's host and port; `request_timeout_s` bounds the whole, the others their part."""

    authority: str
    body_timeout_s: float
    publish_timeout_s: float
    request_timeout_s: float
    max_in_flight: int


@dataclass(kw_only=True)
class Draining:
    """Whether the process is about to end: then new deliveries go elsewhere."""

    has_begun: bool = False


@dataclass(kw_only=True)
class _Trace:
    """What is known of a delivery so far, for log and metrics.

    Attributes:
        suspect: keyid of a known key that the signature claims and does not prove.
    """

    begun: float = field(default_factory=time.perf_counter)
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


class Outlets(msgspec.Struct, frozen=True, kw_only=True):
    """Where accepted events go, and what limits and protects that way."""

    rates: RateLimiter
    claims: Claims
    publisher: Publisher
    stream: RunStream


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The body of 202: how many events of the delivery were new."""

    accepted: int


class Duplicate(msgspec.Struct, frozen=True, kw_only=True):
    """The body of 200: every event of the delivery had been accepted before."""

    duplicate: bool = True


class Deliveries:
    """Handles deliveries; `draining` turns new ones away."""

    def __init__(
        self, verifier: Verifier, outlets: Outlets, *, limits: Limits, meters: Meters, draining: Draining
    ) -> None:
        self._verifier = verifier
        self._outlets = outlets
        self._owners = Owners(outlets.stream)
        self._limits = limits
        self._meters = meters
        self._draining = draining
        self._in_flight = 0

    async def __call__(self, request: Request) -> Response:
        trace = _Trace()
        self._in_flight += 1
        self._meters.in_flight.set(self._in_flight)
        try:
            response = await self._answer(request, trace)
        finally:
            self._in_flight -= 1
            self._meters.in_flight.set(self._in_flight)
        self._tell(trace, response)
        return response

    async def _answer(self, request: Request, trace: _Trace) -> Response:
        try:
            self._check_room()
            return await self._deliver(request, trace)
        except SignalboxError as error:
            trace.refuse(error)
            return problem_response(error)
        except Exception:
            log.exception("delivery failed by a bug")
            return internal_error_response()

    def _check_room(self) -> None:
        if self._draining.has_begun:
            raise Unavailable("this receiver is about to end; send the delivery again", code="draining")
        if self._in_flight > self._limits.max_in_flight:
            raise Unavailable("the receiver has too much to do; send the delivery again", code="overloaded")

    async def _deliver(self, request: Request, trace: _Trace) -> Response:
        claim = await self._admit(request, trace)
        if claim.fresh:
            await self._publish(claim, self._publish_s(trace))
            await show_all(
                self._outlets.stream, claim.fresh, on_failure=self._meters.left_to_repair.labels("stream").inc
            )
        await self._finish(claim)
        return self._accept(claim.fresh, trace)

    async def _admit(self, request: Request, trace: _Trace) -> Claim:
        limits = self._limits
        arrival = await read_arrival(request, authority=limits.authority, timeout_s=limits.body_timeout_s)
        trace.body_bytes = len(arrival.body)
        proof = trace.proof = await self._verifier.prove(arrival)
        self._meters.verified.labels(proof.key.keyid).inc()
        entries = read_events(arrival.body, arrival.media)
        trace.events = len(entries)
        check_permission(proof.key, entries)
        await self._outlets.rates.take(proof.key.keyid)
        return await self._claim(proof, entries)

    async def _claim(self, proof: Proof, entries: Sequence[Entry]) -> Claim:
        try:
            await self._owners.check(entries[0].event)
            return await self._outlets.claims.claim(proof, entries)
        except Unavailable:
            self._meters.claim_failures.labels("claim").inc()
            raise

    def _publish_s(self, trace: _Trace) -> float:
        left_s = self._limits.request_timeout_s - (time.perf_counter() - trace.begun)
        return max(_LEAST_PUBLISH_S, min(self._limits.publish_timeout_s, left_s))

    async def _publish(self, claim: Claim, timeout_s: float) -> None:
        try:
            with self._meters.publish_seconds.time():
                await publish_all(self._outlets.publisher, claim.fresh, timeout_s=timeout_s)
        except Exception:
            # A cancelled publish has an unknown outcome: its claims are left to run out. A failed one gives them back.
            await self._release(claim)
            raise

    async def _finish(self, claim: Claim) -> None:
        try:
            await self._outlets.claims.finish(claim)
        except Unavailable:
            self._count_unrepaired("finish")
            log.warning(
                "accepted events not marked; a repeated delivery would publish them again",
                extra={"events": len(claim.fresh)},
            )

    async def _release(self, claim: Claim) -> None:
        try:
            await self._outlets.claims.release(claim)
        except Unavailable:
            self._count_unrepaired("release")
            log.warning(
                "claims not given back; they run out by themselves", extra={"events": len(claim.fresh)}
            )

    def _count_unrepaired(self, step: str) -> None:
        self._meters.claim_failures.labels(step).inc()
        self._meters.left_to_repair.labels(step).inc()

    def _accept(self, fresh: Sequence[Entry], trace: _Trace) -> Response:
        trace.code = "accepted" if fresh else "duplicate"
        if trace.events > len(fresh):
            self._meters.duplicates.labels(trace.keyid).inc(trace.events - len(fresh))
        for entry in fresh:
            self._meters.events.labels(entry.kind.value).inc()
        body = msgspec.json.encode(Accepted(accepted=len(fresh)) if fresh else Duplicate())
        return Response(body, status_code=202 if fresh else 200, media_type="application/json")

    def _tell(self, trace: _Trace, response: Response) -> None:
        """Count the delivery and write its line of the access log: never a header, a nonce or anything of the body."""
        seconds = time.perf_counter() - trace.begun
        self._meters.deliveries.labels(trace.code).inc()
        self._meters.seconds.observe(seconds)
        if response.status_code >= 400:
            self._meters.refused.labels(trace.reason or trace.code, trace.keyid).inc()
        facts: dict[str, object] = {
            "status": response.status_code,
            "code": trace.code,
            "keyid": trace.keyid,
            "events": trace.events,
        }
        facts |= {"bytes": trace.body_bytes, "ms": round(seconds * 1000, 1)} | (
            {"reason": trace.reason} if trace.reason else {}
        )
        log.info("delivery", extra=facts)
