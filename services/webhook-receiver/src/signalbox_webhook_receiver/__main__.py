"""`python -m signalbox_webhook_receiver`: one receiver process, configured by environment variables only."""

import asyncio
import logging
import os
import signal
import socket
import sys

import uvicorn
from signalbox_core.errors import InvalidInput
from signalbox_core.logs import configure_logs
from signalbox_core.settings import read_settings
from starlette.applications import Starlette
from uvicorn.loops.auto import auto_loop_factory

from signalbox_webhook_receiver.app import create_app, open_parts
from signalbox_webhook_receiver.settings import PREFIX, Settings

log = logging.getLogger("signalbox_webhook_receiver")


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then finish the deliveries in flight and close the clients.

    Raises:
        InvalidInput: a setting or a key is wrong, or the port is taken.
    """
    listening = _listen(settings)
    async with open_parts(settings) as parts:
        server = uvicorn.Server(_config(settings, create_app(settings, parts)))
        # uvicorn raises the signal again when it has drained; the clients are still to close then.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        log.info("receiver listens", extra={"host": settings.host, "port": listening.getsockname()[1]})
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(parts.keys.watch(every_s=settings.keys_poll_s))
            await server.serve(sockets=[listening])
            watching.cancel()
    log.info("receiver stopped")


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        variables = f"{PREFIX}_HOST and {PREFIX}_PORT"
        raise InvalidInput(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; set {variables}") from None


def _config(settings: Settings, app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(settings.drain_timeout_s),
    )


def main() -> int:
    """Run the service; a wrong setting is one line and exit status 2."""
    try:
        settings = read_settings(Settings, prefix=PREFIX, environ=os.environ)
        configure_logs("webhook-receiver", settings.log_level.upper())
        with asyncio.Runner(loop_factory=auto_loop_factory(use_subprocess=False)) as runner:
            runner.run(serve(settings))
    except InvalidInput as error:
        print(f"webhook-receiver: {error.detail}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
