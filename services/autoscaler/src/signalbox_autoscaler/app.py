"""The autoscaler's HTTP API: decisions and their explanations, health, metrics."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.metrics import AutoscalerMetrics
from signalbox_autoscaler.model import ScalingDecisionRecord
from signalbox_core.errors import InvalidInput, NotFound, SignalboxError, Unavailable

_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"
_STATUS: Final[Mapping[type[SignalboxError], tuple[int, str]]] = {
    InvalidInput: (400, "Bad request"),
    NotFound: (404, "Not found"),
    Unavailable: (503, "Unavailable"),
}
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
            raise InvalidInput("name the queue: ?queue=NAME", field="queue")
        at = _parse_time(request.query_params.get("at"))
        records = await decision_log.before(queue, at, limit=_EXPLAINED)
        if not records:
            raise NotFound(
                f"there is no decision about {queue!r} at or before {at.isoformat()}; see /v1/decisions",
                field="queue",
            )
        return _json(_explanation(records))

    async def healthz(_request: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type=_JSON)

    async def readyz(_request: Request) -> Response:
        connected = loop.is_connected()
        body = {
            "status": "ready" if connected else "not ready",
            "temporal_available": connected,
            "leads": loop.leads,
            "queues": loop.queues,
        }
        return Response(msgspec.json.encode(body), 200 if connected else 503, media_type=_JSON)

    async def prometheus(_request: Request) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/v1/decisions", _with_problems(decisions)),
            Route("/v1/explain", _with_problems(explain)),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", prometheus),
        ]
    )


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


def _with_problems(
    handle: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await handle(request)
        except SignalboxError as error:
            status, title = next(
                (found for kind, found in _STATUS.items() if isinstance(error, kind)), (500, "Error")
            )
            body = {
                "title": title,
                "status": status,
                "detail": error.detail,
                "code": error.stable_code,
                "field": error.field,
            }
            return Response(msgspec.json.encode(body), status, media_type=_PROBLEM)

    return answer


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type=_JSON, headers={"cache-control": "no-store"})
