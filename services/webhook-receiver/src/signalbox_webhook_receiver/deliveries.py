"""`POST /v1/events`: the order of checks and effects of one delivery, from the cheapest refusal to 202."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from signalbox_core.errors import SignalboxError, Unavailable
from signalbox_core.events.envelope import EventResult
from signalbox_core.http.problems import status_of
from signalbox_core.traces import (
    SpanKind,
    TraceContext,
    Tracing,
    error_code,
    exemplar_labels,
    parse_traceparent,
)
from signalbox_webhook_receiver.events import read_runs
from signalbox_webhook_receiver.intake import EventIntake, RunOutcome
from signalbox_webhook_receiver.metrics import ReceiverMetrics
from signalbox_webhook_receiver.problems import internal_error_response, problem_response
from signalbox_webhook_receiver.profile import MAX_BATCH_BYTES, read_arrival
from signalbox_webhook_receiver.verification import Proof, Verifier

log = logging.getLogger(__name__)
_MIN_PUBLISH_TIMEOUT_S = 0.5
_MAX_LENGTH_DIGITS = 15


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
    max_bytes_in_flight: int


@dataclass(kw_only=True)
class Draining:
    """Whether the process is shutting down; new deliveries then get 503."""

    has_started: bool = False


@dataclass(kw_only=True)
class _DeliveryRecord:
    """What is known about a delivery so far, for the access log and the metrics.

    Attributes:
        suspect: keyid of a known key that the signature names but does not match.
        trace: that of its first run with one.
    """

    started: float = field(default_factory=time.perf_counter)
    started_ns: int = field(default_factory=time.time_ns)
    proof: Proof | None = None
    events: int = 0
    body_bytes: int = 0
    code: str = "internal_error"
    reason: str = ""
    suspect: str = ""
    trace: TraceContext | None = None

    @property
    def keyid(self) -> str:
        return self.proof.key.keyid if self.proof else self.suspect

    def refuse(self, error: SignalboxError) -> None:
        self.code = error.stable_code
        self.reason = str(error.facts.get("reason", ""))
        if self.reason and self.reason != "unknown_key":
            self.suspect = str(error.facts["keyid"])


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
        intake: EventIntake,
        *,
        limits: DeliveryLimits,
        metrics: ReceiverMetrics,
        draining: Draining,
        tracing: Tracing,
    ) -> None:
        self._verifier = verifier
        self._intake = intake
        self._limits = limits
        self._metrics = metrics
        self._draining = draining
        self._tracing = tracing
        self._in_flight = 0
        self._in_flight_bytes = 0

    async def __call__(self, request: Request) -> Response:
        record, size_bytes = _DeliveryRecord(), _declared_bytes(request)
        self._in_flight_bytes += size_bytes
        self._in_flight += 1
        self._metrics.in_flight.set(self._in_flight)
        try:
            response = await self._respond(request, record)
        finally:
            self._in_flight -= 1
            self._in_flight_bytes -= size_bytes
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
        limits = self._limits
        if self._in_flight > limits.max_in_flight or self._in_flight_bytes > limits.max_bytes_in_flight:
            raise Unavailable("the receiver is overloaded; send the delivery again", code="overloaded")

    async def _deliver(self, request: Request, record: _DeliveryRecord) -> Response:
        limits = self._limits
        arrival = await read_arrival(request, authority=limits.authority, timeout_s=limits.body_timeout_s)
        record.body_bytes = len(arrival.body)
        proof = record.proof = await self._verifier.verify(arrival)
        self._metrics.verified.labels(proof.key.keyid).inc()
        runs = read_runs(arrival.body, arrival.media)
        record.events = sum(len(run.positions) for run in runs)
        outcomes = await self._intake.accept(proof, runs, lambda: self._publish_timeout_s(record))
        for outcome in outcomes:
            self._record_span(outcome, record)
        return self._answer(outcomes, record)

    def _record_span(self, outcome: RunOutcome, record: _DeliveryRecord) -> None:
        """Record one span for each run of the delivery, in the trace that its signed events belong to."""
        entries = outcome.events.entries
        parent = parse_traceparent(entries[0].event.traceparent) if entries else None
        if parent is None:
            return
        record.trace = record.trace or parent
        self._tracing.record(
            "receive events",
            parent=parent,
            kind=SpanKind.CONSUMER,
            started_ns=record.started_ns,
            attributes={
                "signalbox.run_id": entries[0].event.runid,
                "signalbox.tenant": entries[0].event.tenantid,
                "signalbox.keyid": record.keyid,
                "signalbox.events": len(entries),
                "signalbox.new_events": len(outcome.fresh),
            },
            error=error_code(outcome.error) if outcome.error is not None else None,
        )

    def _publish_timeout_s(self, record: _DeliveryRecord) -> float:
        remaining_s = self._limits.request_timeout_s - (time.perf_counter() - record.started)
        return max(_MIN_PUBLISH_TIMEOUT_S, min(self._limits.publish_timeout_s, remaining_s))

    def _answer(self, outcomes: Sequence[RunOutcome], record: _DeliveryRecord) -> Response:
        error = next((outcome.error for outcome in outcomes if outcome.error is not None), None)
        if error is not None and len(outcomes) == 1:
            raise error
        self._count_events(outcomes, record)
        if error is not None:
            record.refuse(error)
            return problem_response(error, extensions={"results": event_results(outcomes)})
        fresh = sum(len(outcome.fresh) for outcome in outcomes)
        record.code = "accepted" if fresh else "duplicate"
        body = msgspec.json.encode(AcceptedDelivery(accepted=fresh) if fresh else DuplicateDelivery())
        return Response(body, status_code=202 if fresh else 200, media_type="application/json")

    def _count_events(self, outcomes: Sequence[RunOutcome], record: _DeliveryRecord) -> None:
        accepted = [outcome for outcome in outcomes if outcome.error is None]
        duplicates = sum(len(outcome.events.entries) - len(outcome.fresh) for outcome in accepted)
        if duplicates:
            self._metrics.duplicates.labels(record.keyid).inc(duplicates)
        for kind, count in Counter(
            entry.kind.value for outcome in accepted for entry in outcome.fresh
        ).items():
            self._metrics.events.labels(kind).inc(count)

    def _log_and_count(self, record: _DeliveryRecord, response: Response) -> None:
        """Count the delivery and write its access log line, which never has headers, a nonce or content."""
        seconds = time.perf_counter() - record.started
        self._metrics.deliveries.labels(record.code).inc()
        self._metrics.seconds.observe(seconds, exemplar_labels(record.trace))
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


def _declared_bytes(request: Request) -> int:
    """The size that a body may have: as declared, and never more than is read of it."""
    length = request.headers.get("content-length", "")
    is_number = length.isascii() and length.isdigit() and len(length) <= _MAX_LENGTH_DIGITS
    return min(int(length), MAX_BATCH_BYTES) if is_number else MAX_BATCH_BYTES


def event_results(outcomes: Sequence[RunOutcome]) -> list[object]:
    """Return the result of each event, in the order of the delivery."""
    results: dict[int, EventResult] = {}
    for outcome in outcomes:
        if outcome.error is not None:
            refused = EventResult(status=status_of(outcome.error), code=outcome.error.stable_code)
            results |= dict.fromkeys(outcome.events.positions, refused)
            continue
        fresh = {entry.identity for entry in outcome.fresh}
        for position, entry in zip(outcome.events.positions, outcome.events.entries, strict=True):
            results[position] = EventResult(status=202 if entry.identity in fresh else 200)
    return [msgspec.to_builtins(results[position]) for position in sorted(results)]
