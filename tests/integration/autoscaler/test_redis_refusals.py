"""An error reply of Redis stops no autoscaler: it is logged and shown on /readyz until Redis accepts."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis

from signalbox_autoscaler.actuate.launch_ledger import LEASE_KEYS
from signalbox_core.redis.client import open_redis
from support.assertions.eventually import eventually
from support.servers import backends
from support.servers.autoscaler import autoscaler, autoscaler_environment, leader

POLICIES = "[queues.nap]\nslots_per_worker = 1\n"


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[str]:
    """A Redis of its own: the lease is one key for all autoscalers."""
    port = backends.free_port()
    with backends.server(backends.redis_command(port, tmp_path / "state"), port, tmp_path / "redis.log"):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
async def redis(own_redis: str) -> AsyncIterator[tuple[str, Redis]]:
    async with open_redis(own_redis) as opened:
        yield own_redis, opened


async def test_a_refused_lease_is_reported_and_acquired_later(
    temporal_address: str, redis: tuple[str, Redis], tmp_path: Path
) -> None:
    url, client = redis
    await client.rpush(LEASE_KEYS.lease, "a list is no lease")
    port, log = backends.free_port(), tmp_path / "log"
    environment = autoscaler_environment(tmp_path, temporal_address, url, POLICIES, {}, port=port)
    async with (
        autoscaler(environment, log) as process,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
    ):

        async def status() -> tuple[str, str | None]:
            try:
                found = (await http.get("/readyz")).json()
            except httpx2.TransportError:
                return "", None
            return found["status"], found["problem"]

        async def is_reported() -> bool:
            text, problem = await status()
            return text == "degraded" and "WRONGTYPE" in (problem or "")

        await eventually(is_reported, within_s=60)
        await client.delete(LEASE_KEYS.lease)

        async def leads() -> bool:
            return await leader(client) is not None and (await status()) == ("ready", None)

        await eventually(leads, within_s=60)
    assert process.returncode == 0
    assert "Traceback" not in log.read_text()


async def test_a_tick_that_redis_refuses_is_reported_and_repeated(
    temporal_address: str, redis: tuple[str, Redis], tmp_path: Path
) -> None:
    url, client = redis
    await client.acl_setuser("narrow", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-hgetall"])
    port, log = backends.free_port(), tmp_path / "log"
    environment = autoscaler_environment(
        tmp_path, temporal_address, url.replace("redis://", "redis://narrow:@"), POLICIES, {}, port=port
    )
    async with (
        autoscaler(environment, log) as process,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
    ):

        async def problem() -> str | None:
            try:
                found: str | None = (await http.get("/readyz")).json()["problem"]
            except httpx2.TransportError:
                return "not listening yet"
            return found

        async def is_reported() -> bool:
            return "hgetall" in (await problem() or "")

        await eventually(is_reported, within_s=60)
        await client.acl_setuser("narrow", commands=["+@all"])

        async def is_over() -> bool:
            return await problem() is None

        await eventually(is_over, within_s=60)
    assert process.returncode == 0
    assert "Traceback" not in log.read_text()
