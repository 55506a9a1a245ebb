"""`python -m signalbox_worker`: one worker process, configured by environment variables only."""

import asyncio
import logging
import os
import random
from collections.abc import Mapping

import uvloop

from signalbox_core.http.probes import probes_in_thread
from signalbox_core.process.service import leave, listen, run_service, stop_on_signals
from signalbox_core.traces.configuration import open_tracing
from signalbox_worker.burst_exit import BurstExitMonitor, burst_limits, configure_poll_wait
from signalbox_worker.deployment import ensure_current
from signalbox_worker.health import create_app
from signalbox_worker.settings import PREFIX, Settings
from signalbox_worker.worker import open_parts, run

log = logging.getLogger("signalbox_worker")


async def serve(settings: Settings, environ: Mapping[str, str], stop: asyncio.Event) -> None:
    """Run until `stop`, then drain.

    Raises:
        InvalidInput: a setting is invalid, or the port is in use.
        Unavailable: Temporal does not respond at startup, or a worker failed.
    """
    listening = listen(settings, prefix=PREFIX)
    if settings.burst_launch:
        configure_poll_wait()
    async with (
        open_tracing("signalbox-worker", environ) as tracing,
        open_parts(settings, environ, tracing) as parts,
        probes_in_thread(create_app(parts), listening),
        asyncio.TaskGroup() as group,
    ):
        if parts.version:
            await ensure_current(parts.client, parts.version)
        if parts.slots:
            monitor = BurstExitMonitor(
                parts.slots,
                burst_limits(settings, random.Random()),
                client=parts.client,
                redis=parts.redis,
                task_queues=[worker.task_queue for worker in parts.workers],
            )
            group.create_task(monitor.run(stop))
        await run(parts, stop)
    log.info("worker stopped")


async def _until_signal(settings: Settings) -> None:
    await serve(settings, os.environ, stop_on_signals())


def main() -> int:
    """Return 0 after a clean stop, 2 for an invalid setting, 1 when Temporal is unavailable."""
    return run_service("worker", Settings, _until_signal, prefix=PREFIX, loop_factory=uvloop.new_event_loop)


if __name__ == "__main__":
    leave(main())
