"""`python -m signalbox_webhook_receiver`: one receiver process, configured by environment variables only."""

import asyncio
import logging
import os
import sys

from uvicorn.loops.auto import auto_loop_factory

from signalbox_core.http.metrics_port import metrics_port
from signalbox_core.process.service import listen, run_service, stop_on_signals
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.traces.configuration import open_tracing
from signalbox_webhook_receiver.app import create_app, open_parts, run_background
from signalbox_webhook_receiver.server import create_receiver_server
from signalbox_webhook_receiver.settings import PREFIX, Settings

log = logging.getLogger("signalbox_webhook_receiver")


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then drain the deliveries in flight and close the clients.

    Raises:
        InvalidInput: a setting or a key is invalid, or the port is in use.
    """
    listening = listen(settings, prefix=PREFIX)
    stop = stop_on_signals()
    async with (
        open_tracing("signalbox-webhook-receiver", os.environ) as tracing,
        open_parts(settings, tracing) as parts,
    ):
        log.info("receiver is listening", extra={"host": settings.host, "port": listening.getsockname()[1]})
        async with (
            metrics_port(create_app(settings, parts), settings, prefix=PREFIX) as app,
            asyncio.TaskGroup() as group,
        ):
            server = create_receiver_server(app, settings, parts.draining)
            background = group.create_task(run_background(settings, parts))
            await server.serve_until(stop, listening)
            await cancel_and_wait(background)
    log.info("receiver stopped")


def main() -> int:
    """Return 0 after a clean stop; 2 for an invalid setting, with one line that names it."""
    return run_service(
        "webhook-receiver",
        Settings,
        serve,
        prefix=PREFIX,
        loop_factory=auto_loop_factory(use_subprocess=False),
    )


if __name__ == "__main__":
    sys.exit(main())
