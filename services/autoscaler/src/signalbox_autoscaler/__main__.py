"""`python -m signalbox_autoscaler`: one autoscaler process, configured by environment variables."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from signalbox_autoscaler.app import create_app
from signalbox_autoscaler.audit.decision_log import DecisionArchiver, DecisionLog
from signalbox_autoscaler.loop import ControlLoop
from signalbox_autoscaler.settings import PREFIX, Settings
from signalbox_autoscaler.wiring import open_components
from signalbox_core.http.metrics_port import metrics_port
from signalbox_core.http.server import create_server
from signalbox_core.process.service import leave, listen, run_service, stop_on_signals
from signalbox_core.process.tasks import cancel_and_wait

log = logging.getLogger("signalbox_autoscaler")


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run until `stop` is set.

    Raises:
        InvalidInput: a setting or the policy file is invalid, or the port is in use.
        Unavailable: Temporal is unavailable at the start.
    """
    listening = listen(settings, prefix=PREFIX)
    async with open_components(settings, os.environ) as components:
        loop = ControlLoop(components, every_s=settings.observe_every_s)
        own_app = create_app(loop, components.decision_log, components.metrics)
        is_idle = asyncio.Event()
        async with (
            metrics_port(own_app, settings, prefix=PREFIX) as app,
            _external_scaler(settings, components.decision_log),
            asyncio.TaskGroup() as group,
        ):
            server = create_server(app)
            archiver = DecisionArchiver(components.decision_log, lambda: loop.leads)
            background = [
                group.create_task(job)
                for job in (components.lease.keep_renewing(), loop.run(), archiver.run())
            ]
            serving = group.create_task(server.serve_until(is_idle, listening))
            log.info(
                "autoscaler started",
                extra={"every_s": settings.observe_every_s, "provider": components.provider.name},
            )
            await stop.wait()
            await cancel_and_wait(*background)
            is_idle.set()
            await serving
    log.info("autoscaler stopped")


@asynccontextmanager
async def _external_scaler(settings: Settings, decision_log: DecisionLog) -> AsyncIterator[None]:
    if not settings.keda_port:
        yield
        return
    # Only here: without a port, starting does not pay for importing the gRPC server.
    from signalbox_autoscaler.keda.external_scaler import ExternalScaler, serve_external_scaler

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{settings.keda_port}"
    async with serve_external_scaler(ExternalScaler(decision_log), address):
        yield


async def _until_signal(settings: Settings) -> None:
    await serve(settings, stop_on_signals())


def main() -> int:
    """Returns the exit status: 0 after a clean stop, 1 when Temporal is unavailable, 2 when a setting is
    invalid."""
    return run_service("autoscaler", Settings, _until_signal, prefix=PREFIX)


if __name__ == "__main__":
    leave(main())
