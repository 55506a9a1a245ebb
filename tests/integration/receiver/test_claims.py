"""The claims in Redis and the fake ones of the unit tests follow the same rules."""

import secrets
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_core.errors import Conflict
from signalbox_webhook_receiver.deduplication import Claims, RedisClaims
from signalbox_webhook_receiver.events import Entry, read_events
from signalbox_webhook_receiver.profile import Media
from signalbox_webhook_receiver.verification import Proof
from support.drivers.signed_requests import signer_and_key
from support.fakes.events import story
from support.fakes.receiver import NOW, FakeClaims, batch_of

ENTRIES = read_events(batch_of(story()), Media.BATCH)
PROGRESS = [entry for entry in ENTRIES if entry.event.sequence is None]
MILESTONES = [entry for entry in ENTRIES if entry.event.sequence is not None]


@pytest.fixture(params=["fake", "redis"])
async def claims(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Claims]:
    if request.param == "fake":
        yield FakeClaims(lambda: NOW)
        return
    async with Redis.from_url(redis_url) as client:
        yield RedisClaims(client)


@pytest.fixture
def sender() -> str:
    return secrets.token_hex(8)


def proof(sender: str, nonce: str = "n1", keyid: str = "key-1") -> Proof:
    _, key = signer_and_key(keyid=f"{keyid}-{sender}", sender=sender)
    return Proof(key=key.record, nonce=nonce)


def other(entry: Entry) -> Entry:
    return replace(entry, digest="0" * 64)


async def code_of(claims: Claims, claimed: Proof, entries: list[Entry]) -> str:
    with pytest.raises(Conflict) as caught:
        await claims.claim(claimed, entries)
    return caught.value.stable_code


async def test_a_claim_holds_all_entries_in_their_order(claims: Claims, sender: str) -> None:
    assert (await claims.claim(proof(sender), ENTRIES)).fresh == ENTRIES


async def test_finished_events_are_not_fresh_again(claims: Claims, sender: str) -> None:
    await claims.finish(await claims.claim(proof(sender), MILESTONES[:2]))
    assert (await claims.claim(proof(sender, "n2"), MILESTONES[:3])).fresh == (MILESTONES[2],)
    assert (await claims.claim(proof(sender, "n3"), MILESTONES[:2])).fresh == ()


async def test_progress_is_always_fresh(claims: Claims, sender: str) -> None:
    for nonce in ("n1", "n2"):
        assert (await claims.claim(proof(sender, nonce), PROGRESS)).fresh == tuple(PROGRESS)


async def test_a_used_nonce_is_refused_whatever_became_of_its_delivery(claims: Claims, sender: str) -> None:
    held = await claims.claim(proof(sender), MILESTONES[:1])
    assert await code_of(claims, proof(sender), MILESTONES[1:2]) == "nonce_replayed"
    await claims.finish(held)
    assert await code_of(claims, proof(sender), MILESTONES[1:2]) == "nonce_replayed"


async def test_an_event_in_flight_is_refused_and_nothing_else_is_claimed(claims: Claims, sender: str) -> None:
    await claims.claim(proof(sender), MILESTONES[:1])
    assert await code_of(claims, proof(sender, "n2"), MILESTONES[:2]) == "in_flight"
    assert (await claims.claim(proof(sender, "n2"), MILESTONES[1:2])).fresh == (MILESTONES[1],)


async def test_an_id_with_other_content_is_a_conflict_and_nothing_else_is_claimed(
    claims: Claims, sender: str
) -> None:
    await claims.finish(await claims.claim(proof(sender), MILESTONES[:1]))
    assert (
        await code_of(claims, proof(sender, "n2"), [MILESTONES[1], other(MILESTONES[0])])
        == "event_id_conflict"
    )
    assert (await claims.claim(proof(sender, "n2"), MILESTONES[1:2])).fresh == (MILESTONES[1],)


async def test_a_released_claim_may_come_again_with_its_nonce(claims: Claims, sender: str) -> None:
    await claims.release(await claims.claim(proof(sender), MILESTONES[:2]))
    assert (await claims.claim(proof(sender), MILESTONES[:2])).fresh == tuple(MILESTONES[:2])


async def test_a_release_leaves_what_was_finished_before(claims: Claims, sender: str) -> None:
    await claims.finish(await claims.claim(proof(sender), MILESTONES[:1]))
    await claims.release(await claims.claim(proof(sender, "n2"), MILESTONES[:2]))
    assert (await claims.claim(proof(sender, "n3"), MILESTONES[:2])).fresh == (MILESTONES[1],)


async def test_nonces_are_scoped_by_key_and_ids_by_sender(claims: Claims, sender: str) -> None:
    await claims.finish(await claims.claim(proof(sender), MILESTONES[:1]))
    assert (await claims.claim(proof(sender, keyid="key-2"), MILESTONES[:1])).fresh == ()
    assert (await claims.claim(proof(f"{sender}-2"), MILESTONES[:1])).fresh == (MILESTONES[0],)
