"""The autoscaler over HTTP: its decisions, why they were made, its health, its metrics."""

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
from signalbox_autoscaler.metrics import Meters
from signalbox_autoscaler.model import DecisionRecord
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
_CONTEXT: Final = 5


class Watcher(Protocol):
    """What the pages ask the loop."""

    @property
    def leads(self) -> bool: ...

    @property
    def queues(self) -> list[str]:
        """Those decided about, while this process leads."""

    @property
    def problem(self) -> str | None:
        """Why workers are not seen, with the remedy."""

    def sees(self) -> bool:
        """Whether Temporal answered lately."""


def create_app(loop: Watcher, decision_log: DecisionLog, meters: Meters) -> Starlette:
    async def decisions(request: Request) -> Response:
        """Newest first; of one queue or of all."""
        limit, queue = _limit(request), request.query_params.get("queue")
        names = [queue] if queue else await decision_log.queues()
        found = [record for name in names for record in await decision_log.newest(name, limit=limit)]
        found = sorted(found, key=lambda record: record.at, reverse=True)[:limit]
        return _json({"decisions": found})

    async def explain(request: Request) -> Response:
        """The decision about a queue at an instant, in sentences."""
        queue = request.query_params.get("queue")
        if not queue:
            raise InvalidInput("say which queue: ?queue=NAME", field="queue")
        at = _instant(request.query_params.get("at"))
        records = await decision_log.before(queue, at, limit=_CONTEXT)
        if not records:
            raise NotFound(
                f"no decision about {queue!r} at or before {at.isoformat()} is kept; see /v1/decisions",
                field="queue",
            )
        return _json(_explained(records))

    async def healthz(_request: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type=_JSON)

    async def readyz(_request: Request) -> Response:
        sees = loop.sees()
        body = {
            "status": "not ready" if not sees else "degraded" if loop.problem else "ready",
            "temporal_available": sees,
            "leads": loop.leads,
            "queues": loop.queues,
            "problem": loop.problem,
        }
        return Response(msgspec.json.encode(body), 200 if sees else 503, media_type=_JSON)

    async def metrics(_request: Request) -> Response:
        return Response(meters.text(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/v1/decisions", _problems(decisions)),
            Route("/v1/explain", _problems(explain)),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ]
    )


def _explained(records: list[DecisionRecord]) -> dict[str, object]:
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
        raise InvalidInput(f"limit must be 1 to {MAX_LIMIT}", field="limit")
    return int(text)


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        # A plus sign of an offset arrives as a space when it was not escaped.
        found = msgspec.convert(text.replace(" ", "+"), datetime)
    except msgspec.ValidationError:
        raise InvalidInput("at must be an instant like 2026-01-01T09:30:00Z", field="at") from None
    if found.tzinfo is None:
        raise InvalidInput("at must have an offset, like 2026-01-01T09:30:00Z", field="at")
    return found


def _problems(handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
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
