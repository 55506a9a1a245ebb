"""The claims in Redis and the fake ones of the unit tests follow the same rules."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_core.errors import Conflict, Unavailable
from signalbox_webhook_receiver.deduplication import Claim, Claims, RedisClaims
from signalbox_webhook_receiver.events import Entry, read_runs
from signalbox_webhook_receiver.profile import Media
from signalbox_webhook_receiver.verification import Proof
from support.assertions.eventually import eventually
from support.drivers.signed_requests import signer_and_key
from support.fakes.events import story
from support.fakes.receiver import NOW, FakeClaims, batch_of
from support.servers.backends import free_port

[RUN] = read_runs(batch_of(story()), Media.BATCH)
ENTRIES = RUN.entries
PROGRESS = [entry for entry in ENTRIES if entry.event.sequence is None]
MILESTONES = [entry for entry in ENTRIES if entry.event.sequence is not None]


@pytest.fixture(params=["fake", "redis"])
async def claims(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Claims]:
    if request.param == "fake":
        yield FakeClaims(lambda: NOW)
        return
    async with Redis.from_url(redis_url) as client, RedisClaims(client) as claims:
        yield claims


@pytest.fixture
def sender() -> str:
    return secrets.token_hex(8)


def proof(sender: str, nonce: str = "n1", keyid: str = "key-1") -> Proof:
    _, key = signer_and_key(keyid=f"{keyid}-{sender}", sender=sender)
    return Proof(key=key.record, nonce=nonce)


def other(entry: Entry) -> Entry:
    return replace(entry, digest="0" * 64)


async def claim(claims: Claims, claimed: Proof, entries: Sequence[Entry]) -> Claim:
    """The claim of a delivery with one run."""
    [result] = await claims.claim(claimed, [entries])
    if isinstance(result, Conflict):
        raise result
    return result


async def code_of(claims: Claims, claimed: Proof, entries: list[Entry]) -> str:
    with pytest.raises(Conflict) as caught:
        await claim(claims, claimed, entries)
    return caught.value.stable_code


async def test_a_claim_holds_all_entries_in_their_order(claims: Claims, sender: str) -> None:
    assert (await claim(claims, proof(sender), ENTRIES)).fresh == ENTRIES


async def test_finished_events_are_not_fresh_again(claims: Claims, sender: str) -> None:
    await claims.finish([await claim(claims, proof(sender), MILESTONES[:2])])
    assert (await claim(claims, proof(sender, "n2"), MILESTONES[:3])).fresh == (MILESTONES[2],)
    assert (await claim(claims, proof(sender, "n3"), MILESTONES[:2])).fresh == ()


async def test_progress_is_always_fresh(claims: Claims, sender: str) -> None:
    for nonce in ("n1", "n2"):
        assert (await claim(claims, proof(sender, nonce), PROGRESS)).fresh == tuple(PROGRESS)


async def test_a_used_nonce_is_refused_whatever_became_of_its_delivery(claims: Claims, sender: str) -> None:
    held = await claim(claims, proof(sender), MILESTONES[:1])
    assert await code_of(claims, proof(sender), MILESTONES[1:2]) == "nonce_replayed"
    await claims.finish([held])
    assert await code_of(claims, proof(sender), MILESTONES[1:2]) == "nonce_replayed"


async def test_an_event_in_flight_is_refused_and_nothing_else_is_claimed(claims: Claims, sender: str) -> None:
    await claim(claims, proof(sender), MILESTONES[:1])
    assert await code_of(claims, proof(sender, "n2"), MILESTONES[:2]) == "in_flight"
    assert (await claim(claims, proof(sender, "n2"), MILESTONES[1:2])).fresh == (MILESTONES[1],)


async def test_an_id_with_other_content_is_a_conflict_and_nothing_else_is_claimed(
    claims: Claims, sender: str
) -> None:
    await claims.finish([await claim(claims, proof(sender), MILESTONES[:1])])
    assert (
        await code_of(claims, proof(sender, "n2"), [MILESTONES[1], other(MILESTONES[0])])
        == "event_id_conflict"
    )
    assert (await claim(claims, proof(sender, "n2"), MILESTONES[1:2])).fresh == (MILESTONES[1],)


async def test_a_released_claim_may_come_again_with_its_nonce(claims: Claims, sender: str) -> None:
    await claims.release([await claim(claims, proof(sender), MILESTONES[:2])], with_nonce=True)
    assert (await claim(claims, proof(sender), MILESTONES[:2])).fresh == tuple(MILESTONES[:2])


async def test_a_release_leaves_what_was_finished_before(claims: Claims, sender: str) -> None:
    await claims.finish([await claim(claims, proof(sender), MILESTONES[:1])])
    await claims.release([await claim(claims, proof(sender, "n2"), MILESTONES[:2])], with_nonce=True)
    assert (await claim(claims, proof(sender, "n3"), MILESTONES[:2])).fresh == (MILESTONES[1],)


async def test_nonces_are_scoped_by_key_and_ids_by_sender(claims: Claims, sender: str) -> None:
    await claims.finish([await claim(claims, proof(sender), MILESTONES[:1])])
    assert (await claim(claims, proof(sender, keyid="key-2"), MILESTONES[:1])).fresh == ()
    assert (await claim(claims, proof(f"{sender}-2"), MILESTONES[:1])).fresh == (MILESTONES[0],)


def of_run(entry: Entry, run_id: str) -> Entry:
    return replace(entry, identity=f"{run_id}-{entry.identity}")


async def test_each_run_of_a_delivery_is_claimed_by_itself(claims: Claims, sender: str) -> None:
    first, second = MILESTONES[:2], [of_run(entry, "run-2") for entry in MILESTONES[:2]]
    third = [of_run(entry, "run-3") for entry in MILESTONES[:2]]
    await claim(claims, proof(sender), first[:1])
    await claims.finish([await claim(claims, proof(sender, "n2"), third[:1])])
    results = await claims.claim(proof(sender, "n3"), [first, second, [other(third[0])], third])
    assert [
        result.stable_code if isinstance(result, Conflict) else list(result.fresh) for result in results
    ] == ["in_flight", second, "event_id_conflict", third[1:]]
    assert await code_of(claims, proof(sender, "n3"), third) == "nonce_replayed"


async def test_a_delivery_without_any_claim_leaves_its_nonce_unused(claims: Claims, sender: str) -> None:
    await claim(claims, proof(sender), MILESTONES[:1])
    assert await code_of(claims, proof(sender, "n2"), MILESTONES[:1]) == "in_flight"
    assert (await claim(claims, proof(sender, "n2"), MILESTONES[1:2])).fresh == (MILESTONES[1],)


async def test_a_part_of_a_delivery_is_released_without_its_nonce(claims: Claims, sender: str) -> None:
    runs = [MILESTONES[:1], [of_run(MILESTONES[0], "run-2")]]
    first, second = await claims.claim(proof(sender), runs)
    assert isinstance(first, Claim)
    assert isinstance(second, Claim)
    await claims.release([second], with_nonce=False)
    await claims.finish([first])
    assert await code_of(claims, proof(sender), runs[1]) == "nonce_replayed"
    assert [
        result.fresh for result in await claims.claim(proof(sender, "n2"), runs) if isinstance(result, Claim)
    ] == [(), tuple(runs[1])]


async def test_other_replicas_see_within_milliseconds_what_is_finished(redis_url: str, sender: str) -> None:
    async with (
        Redis.from_url(redis_url) as client,
        RedisClaims(client) as one,
        RedisClaims(client) as other_replica,
    ):
        await one.finish([await claim(one, proof(sender), MILESTONES[:1])])

        async def is_finished() -> bool:
            [result] = await other_replica.claim(proof(sender, secrets.token_hex(8)), [MILESTONES[:1]])
            return isinstance(result, Claim) and result.fresh == ()

        await eventually(is_finished)


async def test_what_is_finished_is_marked_when_the_receiver_stops(redis_url: str, sender: str) -> None:
    async with Redis.from_url(redis_url) as client, RedisClaims(client) as next_one:
        async with RedisClaims(client) as one:
            await one.finish([await claim(one, proof(sender), MILESTONES[:2])])
        assert (await claim(next_one, proof(sender, "n2"), MILESTONES[:2])).fresh == ()


async def test_concurrent_deliveries_are_all_marked(redis_url: str, sender: str) -> None:
    async with Redis.from_url(redis_url) as client, RedisClaims(client) as one:

        async def deliver(number: int) -> None:
            entries = [of_run(MILESTONES[0], f"run-{number}")]
            await one.finish([await claim(one, proof(sender, f"n{number}"), entries)])

        await asyncio.gather(*(deliver(number) for number in range(8)))
        again = [[of_run(MILESTONES[0], f"run-{number}")] for number in range(8)]
        results = await one.claim(proof(sender, "again"), again)
        assert [result.fresh for result in results if isinstance(result, Claim)] == [()] * 8


async def test_what_cannot_be_marked_is_counted_and_stays_claimed(redis_url: str, sender: str) -> None:
    unmarked: list[int] = []
    async with (
        Redis.from_url(redis_url) as client,
        RedisClaims(client) as one,
        Redis(host="127.0.0.1", port=free_port()) as nowhere,
        RedisClaims(nowhere, on_unmarked=unmarked.append) as cut_off,
    ):
        await cut_off.finish([await claim(one, proof(sender), MILESTONES[:2])])
        with pytest.raises(Unavailable):
            await cut_off.claim(proof(sender, "n2"), [MILESTONES[2:3]])
        await eventually(lambda: unmarked == [2])
        assert await code_of(one, proof(sender, "n3"), MILESTONES[:1]) == "in_flight"


async def test_a_mark_that_redis_refuses_is_counted_and_those_of_other_senders_are_set(
    redis_url: str, sender: str
) -> None:
    unmarked: list[int] = []
    async with Redis.from_url(redis_url) as client, RedisClaims(client) as next_one:
        async with RedisClaims(client, on_unmarked=unmarked.append) as stopping:
            refused = await claim(stopping, proof(sender), MILESTONES[:2])
            marked = await claim(stopping, proof(f"{sender}-2"), MILESTONES[:2])
            await client.delete(refused.event_keys[0])
            await client.rpush(refused.event_keys[0], "of another type")
            await stopping.finish([refused, marked])

        assert unmarked == [2]
        assert (await claim(next_one, proof(f"{sender}-2", "n2"), MILESTONES[:2])).fresh == ()


async def test_a_claim_takes_a_part_of_many_finished_events_along_and_the_rest_is_marked_too(
    redis_url: str, sender: str
) -> None:
    many = [of_run(MILESTONES[0], f"run-{number}") for number in range(1_200)]
    async with Redis.from_url(redis_url) as client, RedisClaims(client) as one:
        held = await claim(one, proof(sender), many)
        await one.finish([held])
        await claim(one, proof(sender, "n2"), MILESTONES[1:2])

        async def all_marked() -> bool:
            found = await client.mget(held.event_keys)
            return all(value is not None and value.startswith(b"done:") for value in found)

        await eventually(all_marked)
