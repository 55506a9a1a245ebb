"""The key file of a running receiver: taken over when it changes, kept as it was when the new one is bad."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from signalbox_core.events import encode_event
from signalbox_core.ids import new_run_id
from signalbox_core.redis.client import open_redis
from signalbox_core.redis.sender_key_reports import ReportedSenderKey, SenderKeyReports
from signalbox_core.signatures import KeyRecord, Signer, write_key_file
from signalbox_webhook_receiver.key_reporter import KeyReporter
from support.assertions.eventually import eventually
from support.drivers.signed_requests import ONE, signer_and_key
from support.fakes.events import story
from support.servers.live_receiver import LiveReceiver, live_receiver, make_topics, one_sender


class Stage:
    def __init__(self, receiver: LiveReceiver, keys: Path, record: KeyRecord) -> None:
        self.receiver, self.keys, self.record = receiver, keys, record

    async def status(self, signer: Signer) -> int:
        """The status of a fresh event signed by this signer."""
        return (
            await self.receiver.post(encode_event(story(new_run_id("echo"))[0]), ONE, signer=signer)
        ).status_code

    async def becomes(self, signer: Signer, status: int) -> None:
        async def reached() -> bool:
            return await self.status(signer) == status

        await eventually(reached)


@pytest.fixture
async def stage(redis_url: str, pubsub_host: str, tmp_path: Path) -> AsyncIterator[Stage]:
    project = new_run_id("echo")
    await make_topics(pubsub_host, project)
    keys, signer, record = one_sender(tmp_path)
    async with live_receiver(
        keys=keys, signer=signer, redis_url=redis_url, pubsub_host=pubsub_host, project=project
    ) as receiver:
        yield Stage(receiver, keys, record)


async def test_a_new_key_counts_beside_the_old_one_without_a_restart(stage: Stage) -> None:
    new, key = signer_and_key(keyid="key-2")
    assert await stage.status(new) == 401
    write_key_file(stage.keys, [stage.record, key.record])
    await stage.becomes(new, 202)
    assert await stage.status(stage.receiver.signer) == 202


async def test_a_revoked_key_counts_no_more_without_a_restart(stage: Stage) -> None:
    assert await stage.status(stage.receiver.signer) == 202
    write_key_file(stage.keys, [replace(stage.record, state="revoked")])
    await stage.becomes(stage.receiver.signer, 401)


@pytest.mark.parametrize(
    "body", ["{", '{"keys":[{"keyid":"x","alg":"ed25519","sender":"s","tenant":"*","public_pem":"bad"}]}', ""]
)
async def test_a_bad_key_file_is_counted_and_the_old_keys_stay(stage: Stage, body: str) -> None:
    stage.keys.write_text(body)

    async def counted() -> bool:
        return (
            "signalbox_receiver_key_failures_total 1.0" in (await stage.receiver.client.get("/metrics")).text
        )

    await eventually(counted)
    assert await stage.status(stage.receiver.signer) == 202


async def test_a_key_file_that_went_away_leaves_the_old_keys(stage: Stage) -> None:
    stage.keys.unlink()

    async def counted() -> bool:
        return (
            "signalbox_receiver_key_failures_total 0.0"
            not in (await stage.receiver.client.get("/metrics")).text
        )

    await eventually(counted)
    assert await stage.status(stage.receiver.signer) == 202


async def test_the_accepted_keys_are_stored_for_the_ledger(stage: Stage, redis_url: str) -> None:
    async with open_redis(redis_url) as redis:
        store = SenderKeyReports(redis)

        async def are_stored(*expected: tuple[str, str]) -> bool:
            found = await store.load() or ()
            return [(key.id, key.facts["state"]) for key in found] == list(expected)

        await eventually(lambda: are_stored(("key-1", "active")), within_s=30)
        write_key_file(
            stage.keys, [replace(stage.record, state="revoked"), signer_and_key(keyid="key-2")[1].record]
        )
        await eventually(lambda: are_stored(("key-1", "revoked"), ("key-2", "active")), within_s=30)
        await redis.flushdb()
        await eventually(lambda: are_stored(("key-1", "revoked"), ("key-2", "active")), within_s=30)


async def test_a_receiver_that_has_not_reloaded_its_keys_does_not_store_the_old_ones(
    redis_url: str,
) -> None:
    old, new = [ReportedSenderKey(id=name, tenant="*", facts={}) for name in ("old", "new")]
    async with open_redis(redis_url) as redis:
        store = SenderKeyReports(redis)
        late = KeyReporter(store, lambda: (old,))
        await late.check()
        await KeyReporter(store, lambda: (new,)).check()
        await late.check()

        assert await store.load() == (new,)
