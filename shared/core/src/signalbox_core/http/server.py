"""The HTTP server of every service: uvicorn with graceful shutdown on an event and `ConnectionLimits`."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, Literal

import uvicorn
from starlette.types import ASGIApp

from signalbox_core.http.connection import ConnectionLimits, GuardedHttpProtocol

# Longer than load balancers and senders keep an idle connection, so that no request meets a closing one.
_KEEP_ALIVE_S: Final = 75


class HttpServer(uvicorn.Server):
    """uvicorn that leaves signals to the process; see `serve_until`."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]] | None) -> None:
        super().__init__(config)
        self._drain = drain

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers: uvicorn's would raise the signal again and skip the service's own cleanup."""
        yield

    async def serve_until(self, stop: asyncio.Event, listener: socket.socket) -> None:
        """Serve until `stop` is set; then drain, stop listening, finish the open requests and close.

        The drain callback runs while the server still accepts requests, so the application can return 503 and
        end its streams first.
        """
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(self._shut_down_on(stop))
            await self.serve(sockets=[listener])
            stopping.cancel()

    async def _shut_down_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        try:
            if self._drain is not None:
                await self._drain()
        finally:
            self.should_exit = True


def create_server(
    app: ASGIApp,
    *,
    limits: ConnectionLimits | None = None,
    drain: Callable[[], Awaitable[None]] | None = None,
    lifespan: Literal["on", "off", "auto"] = "off",
    graceful_timeout_s: int = 10,
    trusts_proxies: bool = False,
) -> HttpServer:
    """A server for the app, not yet serving.

    Args:
        drain: awaited after the stop event and before the server stops listening.
        graceful_timeout_s: how long open requests may take to finish after that; then they are cancelled.
        trusts_proxies: take the client's address from the `X-Forwarded-For` of FORWARDED_ALLOW_IPS.
    """
    config = uvicorn.Config(
        app,
        # uvicorn only calls it, although it is annotated as a class.
        http=partial(GuardedHttpProtocol, limits=limits or ConnectionLimits()),  # type: ignore[arg-type]
        ws="none",
        lifespan=lifespan,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=trusts_proxies,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=graceful_timeout_s,
    )
    return HttpServer(config, drain)
