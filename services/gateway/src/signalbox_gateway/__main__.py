"""`python -m signalbox_gateway`: the gateway, configured by its environment only."""

import asyncio
import logging
import os
import sys

import uvloop
from signalbox_core.errors import SignalboxError
from signalbox_core.logs import configure_logs
from signalbox_core.settings import read_settings

from signalbox_gateway.app import Gateway, open_parts
from signalbox_gateway.server import listen, server_of
from signalbox_gateway.settings import PREFIX, Settings

log = logging.getLogger("signalbox_gateway")


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    listener = listen(settings.host, settings.port)
    async with open_parts(settings) as parts:
        log.info("listening", extra={"host": settings.host, "port": listener.getsockname()[1]})
        gateway = Gateway(parts)
        await server_of(gateway.app(), gateway.drain).serve([listener])


def main() -> int:
    """0 after a clean stop; 2 when a setting is wrong, with one line that names it."""
    try:
        settings = read_settings(Settings, prefix=PREFIX, environ=os.environ)
        configure_logs("gateway", settings.log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except SignalboxError as error:
        print(f"signalbox-gateway: {error.detail}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
