"""`python -m signalbox_worker`: one worker process, configured by its environment only."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping

from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.logs import configure_logs
from signalbox_core.settings import read_settings

from signalbox_worker.health import create_app, server_of
from signalbox_worker.settings import PREFIX, Settings
from signalbox_worker.worker import open_parts, run

log = logging.getLogger("signalbox_worker")


async def serve(settings: Settings, environ: Mapping[str, str], stop: asyncio.Event) -> None:
    """Run until `stop`; then drain.

    Raises:
        InvalidInput: a setting is wrong, or the port is taken.
        Unavailable: Temporal does not answer at the start, or is lost for good.
    """
    listening = _listen(settings)
    async with open_parts(settings, environ) as parts:
        server = server_of(create_app(parts), host=settings.host, port=settings.port)
        async with asyncio.TaskGroup() as group:
            health = group.create_task(server.serve(sockets=[listening]))
            await run(parts, stop)
            server.should_exit = True
            await health
    log.info("worker stopped")


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise InvalidInput(f"cannot listen on {where}: {error.strerror}; set {PREFIX}_HOST and {PREFIX}_PORT") from None


async def _until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(settings, os.environ, stop)


def main() -> int:
    """0 after a clean stop; 2 when a setting is wrong, 1 when Temporal is away; one line says which."""
    try:
        settings = read_settings(Settings, prefix=PREFIX, environ=os.environ)
        configure_logs("worker", settings.log_level)
        asyncio.run(_until_signal(settings))
    except SignalboxError as error:
        return _explain(error)
    except BaseExceptionGroup as group:
        ours, bugs = group.split(SignalboxError)
        if ours is None or bugs is not None:
            raise
        return _explain(_first(ours))
    return 0


def _first(group: BaseExceptionGroup[SignalboxError]) -> SignalboxError:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


def _explain(error: SignalboxError) -> int:
    print(f"signalbox-worker: {error.detail}", file=sys.stderr)
    return 1 if isinstance(error, Unavailable) else 2


if __name__ == "__main__":
    sys.exit(main())
