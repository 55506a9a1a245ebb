"""`python -m signalbox_gateway`: runs the gateway, configured by environment variables only."""

import logging
import os

import uvloop

from signalbox_core.http.metrics_port import metrics_port
from signalbox_core.process.service import leave, listen, run_service, stop_on_signals
from signalbox_core.temporal.sdk_metrics import open_sdk_metrics
from signalbox_core.traces.configuration import open_tracing
from signalbox_gateway.app import Gateway, open_parts
from signalbox_gateway.http.server import create_gateway_server, limit_stalled_readers
from signalbox_gateway.settings import PREFIX, Settings

log = logging.getLogger("signalbox_gateway")


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        InvalidInput: a setting or a file that it names is invalid.
        Unavailable: no port is free for the metrics of Temporal's SDK.
    """
    listener = listen(settings, prefix=PREFIX)
    limit_stalled_readers(listener)
    stop = stop_on_signals()
    async with (
        open_tracing("signalbox-gateway", os.environ) as tracing,
        open_parts(settings, open_sdk_metrics(), tracing) as parts,
    ):
        log.info("listening", extra={"host": settings.host, "port": listener.getsockname()[1]})
        gateway = Gateway(parts)
        async with metrics_port(gateway.app(), settings, prefix=PREFIX) as app:
            await create_gateway_server(app, gateway.drain).serve_until(stop, listener)


def main() -> int:
    """Return the exit status: 0 after a clean stop; 2 for an invalid setting, with one line that names it."""
    return run_service("gateway", Settings, serve, prefix=PREFIX, loop_factory=uvloop.new_event_loop)


if __name__ == "__main__":
    leave(main())
