"""Portal sessions in a real Redis: sealed where there are keys, gone with their token."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from signalbox_core.crypto.sealing import KeyRing, PayloadKeyFile, new_payload_key
from signalbox_core.redis.client import open_redis
from signalbox_core.settings import Secret
from signalbox_pipelines.invoice_import.auth.sessions import Sessions
from signalbox_pipelines.invoice_import.messages import Account
from signalbox_pipelines.invoice_import.portal.faults import SessionOver
from signalbox_pipelines.invoice_import.portal.login import Session

ACCOUNT = Account(tenant="acme", run_id="run-1", tax_code="9901000019", secret_ref="gdt-portal")
KEY = "gdt:session:{9901000019}:run-1"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = open_redis(redis_url)
    yield client
    await client.delete(KEY)
    await client.aclose()


def a_session(*, lasts: timedelta = timedelta(hours=1)) -> Session:
    return Session(token=Secret("t0ken"), expires_at=datetime.now(UTC) + lasts, cookies=Secret("jwt=t0ken"))


def a_ring(folder: Path) -> KeyRing:
    key = new_payload_key()
    file = folder / f"{key.id}.json"
    file.write_bytes(msgspec.json.encode(PayloadKeyFile(active=key.id, keys=(key,))))
    return KeyRing(file)


async def test_a_sealed_session_opens_with_its_ring_only(redis: Redis, tmp_path: Path) -> None:
    ring = a_ring(tmp_path)
    await Sessions(redis, ring).keep(ACCOUNT, a_session())

    assert b"t0ken" not in await redis.get(KEY)
    assert (await Sessions(redis, ring).open(ACCOUNT)).token.reveal() == "t0ken"
    for other in (None, a_ring(tmp_path)):
        with pytest.raises(SessionOver):
            await Sessions(redis, other).open(ACCOUNT)


async def test_a_session_is_forgotten_when_its_token_ends(redis: Redis) -> None:
    sessions = Sessions(redis, None)
    await sessions.keep(ACCOUNT, a_session())
    assert 3_500 < await redis.ttl(KEY) <= 3_600

    await sessions.close(ACCOUNT)
    with pytest.raises(SessionOver):
        await sessions.open(ACCOUNT)


async def test_the_cookies_of_a_picture_are_given_back_once(redis: Redis) -> None:
    sessions = Sessions(redis, None)
    await sessions.keep_cookies("c4ptcha", "TS01=1")

    assert [await sessions.take_cookies("c4ptcha") for _ in range(2)] == ["TS01=1", ""]
