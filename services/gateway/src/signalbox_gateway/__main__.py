"""`python -m signalbox_gateway`: the gateway, configured by its environment only."""

import logging

import uvloop

from signalbox_core.process.service import leave, listen, run_service
from signalbox_gateway.app import Gateway, open_parts
from signalbox_gateway.http.server import server_of, tune
from signalbox_gateway.settings import PREFIX, Settings

log = logging.getLogger("signalbox_gateway")


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    listener = listen(settings, prefix=PREFIX)
    tune(listener)
    async with open_parts(settings) as parts:
        log.info("listening", extra={"host": settings.host, "port": listener.getsockname()[1]})
        gateway = Gateway(parts)
        await server_of(gateway.app(), gateway.drain).serve([listener])


def main() -> int:
    """0 after a clean stop; 2 when a setting is wrong, with one line that names it."""
    return run_service("gateway", Settings, serve, prefix=PREFIX, loop_factory=uvloop.new_event_loop)


if __name__ == "__main__":
    leave(main())
