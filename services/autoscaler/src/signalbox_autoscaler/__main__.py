"""`python -m signalbox_autoscaler`: one autoscaler process, configured by its environment only."""

import asyncio
import logging
import os

from signalbox_autoscaler.app import create_app
from signalbox_autoscaler.audit.decision_log import Archive
from signalbox_autoscaler.loop import Loop
from signalbox_autoscaler.settings import PREFIX, Settings
from signalbox_autoscaler.wiring import open_parts
from signalbox_core.http.server import create_server
from signalbox_core.process.service import leave, listen, run_service, stop_on_signals
from signalbox_core.process.tasks import cancel_and_wait

log = logging.getLogger("signalbox_autoscaler")


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Watch, decide and launch until `stop`.

    Raises:
        InvalidInput: a setting or the policies are wrong, or the port is taken.
        Unavailable: Temporal does not answer at the start.
    """
    listening = listen(settings, prefix=PREFIX)
    async with open_parts(settings, os.environ) as parts:
        loop = Loop(parts, every_s=settings.observe_every_s)
        server = create_server(create_app(loop, parts.decisions, parts.meters))
        is_idle = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            archive = Archive(parts.decisions, lambda: loop.leads)
            working = [
                group.create_task(job) for job in (parts.lease.keep_renewing(), loop.run(), archive.run())
            ]
            serving = group.create_task(server.serve_until(is_idle, listening))
            log.info(
                "autoscaler runs",
                extra={"every_s": settings.observe_every_s, "provider": parts.provider.name},
            )
            await stop.wait()
            await cancel_and_wait(*working)
            is_idle.set()
            await serving
    log.info("autoscaler stopped")


async def _until_signal(settings: Settings) -> None:
    await serve(settings, stop_on_signals())


def main() -> int:
    """0 after a clean stop; 2 when a setting is wrong, 1 when Temporal is away; one line says which."""
    return run_service("autoscaler", Settings, _until_signal, prefix=PREFIX)


if __name__ == "__main__":
    leave(main())
