"""/healthz (the process lives), /readyz (it polls and its dependencies answer) and /metrics of the worker."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from temporalio.service import RPCError

from signalbox_worker.worker import Parts

_CHECK: Final = timedelta(seconds=2)


def create_app(parts: Parts) -> Starlette:
    async def healthz(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> JSONResponse:
        polling = all(worker.is_running for worker in parts.workers)
        temporal = await _temporal_answers(parts)
        body = {
            "status": "ready" if polling and temporal else "not ready",
            "temporal_available": temporal,
            "polling": polling,
            # Events wait for the receiver; runs do not. Its absence makes no worker unready.
            "receiver_available": not parts.poster.is_away,
            "task_queues": [worker.task_queue for worker in parts.workers],
        }
        return JSONResponse(body, 200 if polling and temporal else 503)

    async def metrics(_request: Request) -> PlainTextResponse:
        return PlainTextResponse(parts.counters.render(), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    )


async def _temporal_answers(parts: Parts) -> bool:
    try:
        async with asyncio.timeout(_CHECK.total_seconds()):
            return await parts.client.service_client.check_health(timeout=_CHECK)
    except (RPCError, TimeoutError):
        return False


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has its own way to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server_of(app: Starlette, *, host: str, port: int) -> Server:
    return Server(
        uvicorn.Config(
            app, host=host, port=port, log_config=None, access_log=False, lifespan="off", server_header=False
        )
    )
