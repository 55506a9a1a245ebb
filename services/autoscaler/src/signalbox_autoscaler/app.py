"""The autoscaler over HTTP: its decisions, its health, its metrics."""

from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from signalbox_autoscaler.decision_log import DecisionLog
from signalbox_autoscaler.loop import Loop

_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"
DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000


def create_app(loop: Loop, decision_log: DecisionLog) -> Starlette:
    async def decisions(request: Request) -> Response:
        text = request.query_params.get("limit", str(DEFAULT_LIMIT))
        if not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
            problem = {"title": "Bad request", "status": 400, "detail": f"limit must be 1 to {MAX_LIMIT}", "field": "limit"}
            return Response(msgspec.json.encode(problem), 400, media_type=_PROBLEM)
        queue = request.query_params.get("queue")
        names = [queue] if queue else await decision_log.queues()
        found = [record for name in names for record in await decision_log.newest(name, limit=int(text))]
        found = sorted(found, key=lambda record: record.at, reverse=True)[: int(text)]
        return Response(msgspec.json.encode({"decisions": found}), media_type=_JSON)

    async def healthz(_request: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type=_JSON)

    async def readyz(_request: Request) -> Response:
        sees = loop.sees()
        body = {"status": "ready" if sees else "not ready", "temporal_available": sees, "leads": loop.leads, "queues": sorted(loop.latest)}
        return Response(msgspec.json.encode(body), 200 if sees else 503, media_type=_JSON)

    async def metrics(_request: Request) -> Response:
        return PlainTextResponse(render(loop), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[Route("/v1/decisions", decisions), Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    )


def render(loop: Loop) -> str:
    """The Prometheus text format."""
    lines = [
        "# TYPE signalbox_autoscaler_looks_total counter",
        f"signalbox_autoscaler_looks_total {loop.looks}",
        "# TYPE signalbox_autoscaler_look_failures_total counter",
        f"signalbox_autoscaler_look_failures_total {loop.failures}",
        "# TYPE signalbox_autoscaler_leads gauge",
        f"signalbox_autoscaler_leads {int(loop.leads)}",
        "# TYPE signalbox_autoscaler_backlog gauge",
        "# TYPE signalbox_autoscaler_backlog_age_seconds gauge",
        "# TYPE signalbox_autoscaler_workers gauge",
    ]
    for queue, record in sorted(loop.latest.items()):
        name = queue.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        seen = record.snapshot
        lines.append(f'signalbox_autoscaler_backlog{{queue="{name}",kind="workflow"}} {seen.workflow_tasks}')
        lines.append(f'signalbox_autoscaler_backlog{{queue="{name}",kind="activity"}} {seen.activities}')
        lines.append(f'signalbox_autoscaler_backlog_age_seconds{{queue="{name}"}} {seen.oldest_s}')
        lines.append(f'signalbox_autoscaler_workers{{queue="{name}"}} {len(seen.workers)}')
    return "\n".join(lines) + "\n"
