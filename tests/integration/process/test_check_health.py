"""The health check of the images, against the probes of a service."""

import asyncio
import sys

import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from signalbox_core.http.check_health import probe_port
from signalbox_core.http.health import health_routes
from signalbox_core.http.probes import probes_in_thread
from signalbox_core.process.service import bind
from support.servers.backends import free_port


async def _ready() -> tuple[bool, object]:
    return True, {"status": "ready"}


async def check(port: int) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "signalbox_core.http.check_health",
        "SIGNALBOX_X",
        env={"SIGNALBOX_X_PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait()


async def test_a_running_service_is_healthy() -> None:
    listener = bind("127.0.0.1", 0, variables="x")
    app = Starlette(routes=health_routes(_ready, CollectorRegistry()))
    async with probes_in_thread(app, listener):
        assert await check(listener.getsockname()[1]) == 0


async def test_a_port_without_a_service_is_not_healthy() -> None:
    assert await check(free_port()) == 1


@pytest.mark.parametrize(("metrics", "expected"), [("9090", 9090), ("0", 8080), (None, 8080)])
def test_the_metrics_port_is_preferred(metrics: str | None, expected: int) -> None:
    environ = {"SIGNALBOX_X_PORT": "8080", **({"SIGNALBOX_X_METRICS_PORT": metrics} if metrics else {})}
    assert probe_port("SIGNALBOX_X", environ) == expected
