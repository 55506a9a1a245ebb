"""`POST /v1/events`: the order of checks and effects of one delivery, from the cheapest refusal to 202."""

import logging
import time
from collections.abc import Sequence

import msgspec
from signalbox_core.errors import SignalboxError, Unavailable
from signalbox_core.pubsub import Publisher
from signalbox_core.streams import RunStream
from starlette.requests import Request
from starlette.responses import Response

from signalbox_webhook_receiver.claims import Claim, Claims
from signalbox_webhook_receiver.events import Entry, check_permission, read_events
from signalbox_webhook_receiver.metrics import Meters
from signalbox_webhook_receiver.problems import internal_problem, problem_response, status_of
from signalbox_webhook_receiver.profile import Arrival, read_arrival
from signalbox_webhook_receiver.publish import publish_all, show_all
from signalbox_webhook_receiver.rates import Rates
from signalbox_webhook_receiver.verify import Proof, Verifier

log = logging.getLogger(__name__)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`authority` is the public origin's host and port; the timeouts bound the body and the publish."""

    authority: str
    body_timeout_s: float
    publish_timeout_s: float


class Outlets(msgspec.Struct, frozen=True, kw_only=True):
    """Where accepted events go."""

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
    """Handles deliveries; holds no state of its own."""

    def __init__(self, verifier: Verifier, outlets: Outlets, *, rates: Rates, limits: Limits, meters: Meters) -> None:
        self._verifier = verifier
        self._outlets = outlets
        self._rates = rates
        self._limits = limits
        self._meters = meters

    async def __call__(self, request: Request) -> Response:
        with self._meters.in_flight.track_inprogress():
            try:
                return await self._deliver(request)
            except SignalboxError as error:
                return self._refuse(error)
            except Exception:
                log.exception("delivery failed by a bug")
                self._meters.deliveries.labels("internal_error").inc()
                return internal_problem()

    async def _deliver(self, request: Request) -> Response:
        limits = self._limits
        arrival = await read_arrival(request, authority=limits.authority, timeout_s=limits.body_timeout_s)
        begun = time.perf_counter()
        proof, entries = self._judge(arrival)
        claim = await self._outlets.claims.claim(proof, entries)
        if claim.fresh:
            await self._publish(claim)
            await show_all(self._outlets.stream, claim.fresh, on_failure=self._meters.repairs.labels("stream").inc)
        await self._finish(claim)
        self._meters.seconds.observe(time.perf_counter() - begun)
        return self._accept(claim.fresh)

    def _judge(self, arrival: Arrival) -> tuple[Proof, tuple[Entry, ...]]:
        proof = self._verifier.prove(arrival)
        entries = read_events(arrival.body, arrival.media)
        check_permission(proof.key, entries)
        self._rates.take(proof.key.keyid)
        return proof, entries

    async def _publish(self, claim: Claim) -> None:
        try:
            await publish_all(self._outlets.publisher, claim.fresh, timeout_s=self._limits.publish_timeout_s)
        except Exception:
            # A cancelled publish has an unknown outcome: its claims are left to run out. A failed one gives them back.
            await self._release(claim)
            raise

    async def _finish(self, claim: Claim) -> None:
        try:
            await self._outlets.claims.finish(claim)
        except Unavailable:
            self._meters.repairs.labels("finish").inc()
            log.warning("accepted events not marked; a repeated delivery would publish them again", extra={"events": len(claim.fresh)})

    async def _release(self, claim: Claim) -> None:
        try:
            await self._outlets.claims.release(claim)
        except Unavailable:
            self._meters.repairs.labels("release").inc()
            log.warning("claims not given back; they run out by themselves", extra={"events": len(claim.fresh)})

    def _accept(self, fresh: Sequence[Entry]) -> Response:
        self._meters.deliveries.labels("accepted" if fresh else "duplicate").inc()
        for entry in fresh:
            self._meters.events.labels(entry.kind.value).inc()
        body = msgspec.json.encode(Accepted(accepted=len(fresh)) if fresh else Duplicate())
        return Response(body, status_code=202 if fresh else 200, media_type="application/json")

    def _refuse(self, error: SignalboxError) -> Response:
        self._meters.deliveries.labels(error.stable_code).inc()
        facts = {"code": error.stable_code, "status": status_of(error), "field": error.field}
        if "reason" in error.facts:
            self._meters.unproven.labels(error.facts["reason"]).inc()
            facts |= {"reason": error.facts["reason"], "keyid": error.facts["keyid"]}
        log.info("delivery refused", extra=facts)
        return problem_response(error)
