"""Probes and metrics on a port of their own."""

import asyncio
from dataclasses import dataclass

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from signalbox_core.errors import InvalidInput
from signalbox_core.http.health import health_routes
from signalbox_core.http.metrics_port import metrics_port
from signalbox_core.http.server import create_server
from signalbox_core.process.service import bind
from support.assertions.eventually import eventually
from support.servers.backends import free_port, is_listening


@dataclass
class Ports:
    host: str
    metrics_port: int


async def _ready() -> tuple[bool, object]:
    return True, {"status": "ready"}


def health_app() -> Starlette:
    return Starlette(routes=health_routes(_ready, CollectorRegistry()))


async def statuses(port: int) -> dict[str, int]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
        paths = ("/metrics", "/healthz", "/readyz", "/v1/secret")
        return {path: (await client.get(path)).status_code for path in paths}


@pytest.mark.parametrize("is_separate", [True, False])
async def test_the_main_port_has_no_metrics_when_they_have_their_own(is_separate: bool) -> None:
    main, own, stop = free_port(), free_port() if is_separate else 0, asyncio.Event()
    async with metrics_port(health_app(), Ports("127.0.0.1", own), prefix="SIGNALBOX_X") as app:
        listener = bind("127.0.0.1", main, variables="x")
        serving = asyncio.create_task(create_server(app).serve_until(stop, listener))
        await eventually(lambda: is_listening(main) and (not own or is_listening(own)))
        on_main, on_own = await statuses(main), await statuses(own) if own else {}
        stop.set()
        await serving
        # The probes outlive the main port.
        assert not own or (await statuses(own))["/readyz"] == 200

    assert on_main == {"/metrics": 404 if own else 200, "/healthz": 200, "/readyz": 200, "/v1/secret": 404}
    assert on_own == ({"/metrics": 200, "/healthz": 200, "/readyz": 200, "/v1/secret": 404} if own else {})


async def test_a_metrics_port_in_use_names_its_variable() -> None:
    port = free_port()
    with (
        bind("127.0.0.1", port, variables="x"),
        pytest.raises(InvalidInput, match="SIGNALBOX_X_METRICS_PORT"),
    ):
        async with metrics_port(health_app(), Ports("127.0.0.1", port), prefix="SIGNALBOX_X"):
            pytest.fail("served on a port in use")
