"""Portal sessions in a real Redis: sealed when there are keys, expired with their token."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from signalbox_core.crypto.sealing import KeyRing, PayloadKeyFile, new_payload_key
from signalbox_core.redis.client import open_redis
from signalbox_core.settings import Secret
from signalbox_pipelines.invoice_import.auth.session_store import PortalSessionStore
from signalbox_pipelines.invoice_import.messages import ImportAccount
from signalbox_pipelines.invoice_import.portal.faults import SessionExpired
from signalbox_pipelines.invoice_import.portal.login import PortalSession

ACCOUNT = ImportAccount(tenant="acme", run_id="run-1", tax_code="9901000019", secret_ref="gdt-portal")
KEY = "gdt:session:{9901000019}:run-1"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = open_redis(redis_url)
    yield client
    await client.delete(KEY)
    await client.aclose()


def a_session(*, lasts: timedelta = timedelta(hours=1)) -> PortalSession:
    return PortalSession(
        token=Secret("t0ken"), expires_at=datetime.now(UTC) + lasts, cookies=Secret("jwt=t0ken")
    )


def a_ring(folder: Path) -> KeyRing:
    key = new_payload_key()
    file = folder / f"{key.id}.json"
    file.write_bytes(msgspec.json.encode(PayloadKeyFile(active=key.id, keys=(key,))))
    return KeyRing(file)


async def test_a_sealed_session_can_be_read_only_with_its_keys(redis: Redis, tmp_path: Path) -> None:
    ring = a_ring(tmp_path)
    await PortalSessionStore(redis, ring).save(ACCOUNT, a_session())

    assert b"t0ken" not in await redis.get(KEY)
    assert (await PortalSessionStore(redis, ring).load(ACCOUNT)).token.reveal() == "t0ken"
    for other in (None, a_ring(tmp_path)):
        with pytest.raises(SessionExpired):
            await PortalSessionStore(redis, other).load(ACCOUNT)


async def test_a_stored_session_expires_with_its_token(redis: Redis) -> None:
    sessions = PortalSessionStore(redis, None)
    await sessions.save(ACCOUNT, a_session())
    assert 3_500 < await redis.ttl(KEY) <= 3_600

    await sessions.delete(ACCOUNT)
    with pytest.raises(SessionExpired):
        await sessions.load(ACCOUNT)


async def test_captcha_cookies_can_be_read_once(redis: Redis) -> None:
    sessions = PortalSessionStore(redis, None)
    await sessions.save_cookies("c4ptcha", "TS01=1")

    assert [await sessions.pop_cookies("c4ptcha") for _ in range(2)] == ["TS01=1", ""]
