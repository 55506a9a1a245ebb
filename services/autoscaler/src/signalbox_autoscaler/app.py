"""The autoscaler over HTTP: its decisions, its health, its metrics."""

from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from signalbox_autoscaler.decisions import Ledger
from signalbox_autoscaler.loop import Loop

_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"
DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000


def create_app(loop: Loop, ledger: Ledger) -> Starlette:
    async def decisions(request: Request) -> Response:
        text = request.query_params.get("limit", str(DEFAULT_LIMIT))
        if not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
            problem = {"title": "Bad request", "status": 400, "detail": f"limit must be 1 to {MAX_LIMIT}", "field": "limit"}
            return Response(msgspec.json.encode(problem), 400, media_type=_PROBLEM)
        found = ledger.newest(queue=request.query_params.get("queue"), limit=int(text))
        return Response(msgspec.json.encode({"decisions": found}), media_type=_JSON)

    async def healthz(_request: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type=_JSON)

    async def readyz(_request: Request) -> Response:
        sees = loop.sees()
        body = {"status": "ready" if sees else "not ready", "temporal_available": sees, "queues": list(ledger.latest_by_queue())}
        return Response(msgspec.json.encode(body), 200 if sees else 503, media_type=_JSON)

    async def metrics(_request: Request) -> Response:
        return PlainTextResponse(render(loop, ledger), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[Route("/v1/decisions", decisions), Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    )


def render(loop: Loop, ledger: Ledger) -> str:
    """The Prometheus text format."""
    lines = [
        "# TYPE signalbox_autoscaler_looks_total counter",
        f"signalbox_autoscaler_looks_total {loop.looks}",
        "# TYPE signalbox_autoscaler_look_failures_total counter",
        f"signalbox_autoscaler_look_failures_total {loop.failures}",
        "# TYPE signalbox_autoscaler_backlog gauge",
        "# TYPE signalbox_autoscaler_backlog_age_seconds gauge",
        "# TYPE signalbox_autoscaler_workers gauge",
    ]
    for queue, record in ledger.latest_by_queue().items():
        name = queue.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        seen = record.backlog
        lines.append(f'signalbox_autoscaler_backlog{{queue="{name}",kind="workflow"}} {seen.workflow_tasks}')
        lines.append(f'signalbox_autoscaler_backlog{{queue="{name}",kind="activity"}} {seen.activities}')
        lines.append(f'signalbox_autoscaler_backlog_age_seconds{{queue="{name}"}} {seen.oldest_s}')
        lines.append(f'signalbox_autoscaler_workers{{queue="{name}"}} {seen.workers}')
    return "\n".join(lines) + "\n"
