"""Probes respond while the service's event loop is blocked, and report when it is blocked for too long."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from signalbox_core.http.health import health_routes
from signalbox_core.http.probes import probes_in_thread
from signalbox_core.process.service import bind
from support.assertions.eventually import eventually


async def _ready() -> tuple[bool, object]:
    return True, {"status": "ready"}


class BlockableService:
    """A service in a thread, whose event loop a test blocks and releases."""

    def __init__(self, blocked_after_s: float) -> None:
        self._blocked_after_s = blocked_after_s
        self._gate = threading.Event()
        self._stop = asyncio.Event()
        self._started: threading.Event = threading.Event()
        self._loop = asyncio.new_event_loop()
        listener: socket.socket = bind("127.0.0.1", 0, variables="x")
        self._listener = listener
        self.http = httpx2.Client(
            base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=30, trust_env=False
        )
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(30)

    def block(self) -> None:
        self._loop.call_soon_threadsafe(self._gate.wait)

    def release(self) -> None:
        self._gate.set()

    def stop(self) -> None:
        self.release()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self.http.close()
        self._loop.close()

    def status(self, path: str) -> tuple[int, str]:
        response = self.http.get(path)
        return response.status_code, response.json()["status"]

    async def _run(self) -> None:
        app = Starlette(routes=health_routes(_ready, CollectorRegistry()))
        async with probes_in_thread(app, self._listener, blocked_after_s=self._blocked_after_s):
            self._started.set()
            await self._stop.wait()


@contextmanager
def service(*, blocked_after_s: float = 600) -> Iterator[BlockableService]:
    made = BlockableService(blocked_after_s)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def test_a_blocked_service_is_alive_and_not_ready() -> None:
    with service() as blockable:
        assert blockable.status("/healthz") == (200, "ok")
        assert blockable.status("/readyz") == (200, "ready")
        blockable.block()
        assert blockable.status("/healthz") == (200, "ok")
        assert blockable.status("/readyz") == (503, "not ready")
        assert blockable.http.get("/metrics").status_code == 503
        blockable.release()

        async def is_ready() -> bool:
            return await asyncio.to_thread(blockable.status, "/readyz") == (200, "ready")

        asyncio.run(eventually(is_ready, within_s=30))
        assert blockable.http.get("/metrics").status_code == 200


def test_a_service_that_is_blocked_for_too_long_is_not_alive() -> None:
    with service(blocked_after_s=0.1) as blockable:
        blockable.block()
        blocked = blockable.http.get("/healthz")
        blockable.release()

        async def is_alive() -> bool:
            return await asyncio.to_thread(blockable.status, "/healthz") == (200, "ok")

        asyncio.run(eventually(is_alive, within_s=30))
    assert (blocked.status_code, blocked.json()["status"]) == (503, "blocked")
    assert "the event loop has not run for" in blocked.json()["detail"]


def test_the_port_is_closed_when_the_service_stops() -> None:
    with service() as stopped:
        port = stopped.http.base_url.port
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(port or 0)), timeout=5)
