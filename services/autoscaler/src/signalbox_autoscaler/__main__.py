"""`python -m signalbox_autoscaler`: one autoscaler process, configured by its environment only."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

from signalbox_autoscaler.app import create_app
from signalbox_autoscaler.backlog import TemporalEye
from signalbox_autoscaler.decisions import Ledger
from signalbox_autoscaler.loop import Loop
from signalbox_autoscaler.settings import PREFIX, Settings
from signalbox_core.service import listen, run_service, stop_on_signals
from signalbox_core.temporal import connect

log = logging.getLogger("signalbox_autoscaler")


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has its own way to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Watch until `stop`.

    Raises:
        InvalidInput: the port is taken.
        Unavailable: Temporal does not answer at the start.
    """
    listening = listen(settings, prefix=PREFIX)
    client = await connect(settings.temporal_address, settings.temporal_namespace)
    ledger = Ledger()
    loop = Loop(TemporalEye(client, settings.task_queues), ledger, every_s=settings.observe_every_s)
    server = _Server(_config(create_app(loop, ledger)))
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(loop.run())
        serving = group.create_task(server.serve(sockets=[listening]))
        log.info("autoscaler watches", extra={"every_s": settings.observe_every_s, "launches": False})
        await stop.wait()
        watching.cancel()
        server.should_exit = True
        await serving
    log.info("autoscaler stopped")


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", server_header=False)


async def _until_signal(settings: Settings) -> None:
    await serve(settings, stop_on_signals())


def main() -> int:
    """0 after a clean stop; 2 when a setting is wrong, 1 when Temporal is away; one line says which."""
    return run_service("autoscaler", Settings, _until_signal, prefix=PREFIX)


if __name__ == "__main__":
    sys.exit(main())
