"""The autoscaler's HTTP API: decisions and their explanations, health, metrics."""

from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.metrics import AutoscalerMetrics
from signalbox_autoscaler.model import ScalingDecisionRecord
from signalbox_core.errors import InvalidInput, NotFound, SignalboxError
from signalbox_core.http.health import health_routes
from signalbox_core.http.responses import internal_error_response, problem_response, routing_error

_JSON: Final = "application/json"
DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000
_EXPLAINED: Final = 5
"""The decision and the four before it."""


class LoopStatus(Protocol):
    """What the API reads from the control loop."""

    @property
    def leads(self) -> bool: ...

    @property
    def queues(self) -> list[str]:
        """The queues with a decision, while this process leads."""

    @property
    def problem(self) -> str | None:
        """Why it cannot decide as it should, and the remedy; None: nothing is wrong."""

    def is_connected(self) -> bool:
        """Whether Temporal answered recently."""


def create_app(loop: LoopStatus, decision_log: DecisionLog, metrics: AutoscalerMetrics) -> Starlette:
    async def decisions(request: Request) -> Response:
        """The newest records of one queue or of all, newest first."""
        limit, queue = _limit(request), request.query_params.get("queue")
        names = [queue] if queue else await decision_log.queues()
        found = [record for name in names for record in await decision_log.newest(name, limit=limit)]
        found = sorted(found, key=lambda record: record.at, reverse=True)[:limit]
        return _json({"decisions": found})

    async def explain(request: Request) -> Response:
        """The last decision about a queue at or before a time, in a sentence."""
        queue = request.query_params.get("queue")
        if not queue:
            raise InvalidInput("queue is required: add ?queue=NAME", field="queue")
        at = _parse_time(request.query_params.get("at"))
        records = await decision_log.before(queue, at, limit=_EXPLAINED)
        if not records:
            raise NotFound(
                f"there is no decision about {queue!r} at or before {at.isoformat()}; see /v1/decisions",
                field="queue",
            )
        return _json(_explanation(records))

    async def readiness() -> tuple[bool, object]:
        is_temporal_available = loop.is_connected()
        return is_temporal_available, {
            "status": _readiness_status(is_temporal_available, loop.problem),
            "temporal_available": is_temporal_available,
            "leads": loop.leads,
            "queues": loop.queues,
            "problem": loop.problem,
        }

    return Starlette(
        routes=[
            Route("/v1/decisions", decisions),
            Route("/v1/explain", explain),
            *health_routes(readiness, metrics.registry),
        ],
        exception_handlers={SignalboxError: _on_error, HTTPException: _on_error, Exception: _on_error},
    )


def _readiness_status(is_temporal_available: bool, problem: str | None) -> str:
    if not is_temporal_available:
        return "not ready"
    return "degraded" if problem else "ready"


def _explanation(records: list[ScalingDecisionRecord]) -> dict[str, object]:
    record = records[0]
    return {
        "queue": record.queue,
        "at": record.at,
        "sentence": record.sentence,
        "action": record.action,
        "binding": record.binding,
        "terms": record.terms,
        "predicted_drain_s": record.predicted_drain_s,
        "launches": [launch.launch_id for launch in record.launches],
        "retired": record.retire,
        "cancelled": record.cancel,
        "dry_run": record.dry_run,
        "before": [{"at": earlier.at, "sentence": earlier.sentence} for earlier in records[1:]],
    }


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise InvalidInput(f"limit must be a number from 1 to {MAX_LIMIT}", field="limit")
    return int(text)


def _parse_time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        # An unescaped plus sign of the offset arrives as a space.
        found = msgspec.convert(text.replace(" ", "+"), datetime)
    except msgspec.ValidationError:
        raise InvalidInput("at must be a time like 2026-01-01T09:30:00Z", field="at") from None
    if found.tzinfo is None:
        raise InvalidInput("at must have a UTC offset, like 2026-01-01T09:30:00Z", field="at")
    return found


async def _on_error(_request: Request, error: Exception) -> Response:
    """Every error as a problem, those of routing and bugs included."""
    if isinstance(error, HTTPException):
        error = routing_error(error, "no resource exists at this path; see /v1/decisions and /v1/explain")
    if isinstance(error, SignalboxError):
        return problem_response(error)
    return internal_error_response("internal error; it was logged")


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type=_JSON, headers={"cache-control": "no-store"})
