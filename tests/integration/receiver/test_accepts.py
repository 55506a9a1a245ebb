"""The receiver over real Redis and Pub/Sub: what it says it accepted is published, shown and claimed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis

from signalbox_core.events import CloudEvent, encode_event
from signalbox_core.ids import new_run_id, run_key
from signalbox_core.streams import RedisRunStream
from support.assertions.eventually import eventually
from support.drivers.signed_requests import ONE
from support.fakes.events import story
from support.servers.live_receiver import (
    LiveReceiver,
    data_of,
    live_receiver,
    make_topics,
    one_sender,
    published,
)


@pytest.fixture
def run_id() -> str:
    return new_run_id("echo")


@pytest.fixture
async def project(pubsub_host: str, run_id: str) -> str:
    await make_topics(pubsub_host, run_id)
    return run_id


@pytest.fixture
async def receivers(
    redis_url: str, pubsub_host: str, project: str, tmp_path: Path
) -> AsyncIterator[list[LiveReceiver]]:
    """Two replicas."""
    keys, signer, _ = one_sender(tmp_path)
    around = {
        "keys": keys,
        "signer": signer,
        "redis_url": redis_url,
        "pubsub_host": pubsub_host,
        "project": project,
    }
    async with live_receiver(**around) as first, live_receiver(**around) as second:
        yield [first, second]


async def test_a_story_in_one_batch_is_published_in_order_and_shown(
    receivers: list[LiveReceiver], redis_url: str, pubsub_host: str, project: str, run_id: str
) -> None:
    events = story(run_id)
    milestones = [event for event in events if event.sequence is not None]
    answer = await receivers[0].send(*events)
    assert (answer.status_code, answer.json()) == (202, {"accepted": len(events)})
    messages = await published(pubsub_host, project)
    assert [message.attributes["ce-id"] for message in messages] == [event.id for event in milestones]
    assert {message.ordering_key for message in messages} == {run_id}
    assert data_of(messages[0])["pipeline"] == "echo"
    async with Redis.from_url(redis_url) as client:
        stream = RedisRunStream(client)
        assert [
            frame.sequence for frame in (await stream.read(run_key("acme", run_id), None)).frames
        ] == list(range(1, len(milestones) + 1))
        shown = await stream.snapshot(run_key("acme", run_id))
    assert shown is not None
    assert shown.snapshot.status == "completed"


async def test_a_batch_that_was_partly_accepted_elsewhere_is_published_once(
    receivers: list[LiveReceiver], pubsub_host: str, project: str, run_id: str
) -> None:
    milestones = [event for event in story(run_id) if event.sequence is not None]
    answers = [
        await sent_until_settled(receivers[0], *milestones[:3]),
        await sent_until_settled(receivers[1], *milestones[:6]),
        await sent_until_settled(receivers[0], *milestones[:6]),
    ]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (202, {"accepted": 3}),
        (202, {"accepted": 3}),
        (200, {"duplicate": True}),
    ]
    assert [message.attributes["ce-sequence"] for message in await published(pubsub_host, project)] == [
        str(n) for n in range(1, 7)
    ]


async def sent_until_settled(receiver: LiveReceiver, *events: CloudEvent) -> httpx2.Response:
    """Send until the events are not in flight; another replica sees them so for milliseconds after a 202."""

    async def settled() -> httpx2.Response | None:
        answer = await receiver.send(*events)
        return answer if answer.status_code != 409 else None

    answer = await eventually(settled)
    assert answer is not None
    return answer


async def test_of_fifty_copies_at_two_replicas_one_is_accepted(
    receivers: list[LiveReceiver], pubsub_host: str, project: str, run_id: str
) -> None:
    body = encode_event(story(run_id)[0])
    first, second = receivers
    copies = [
        receiver.client.post(
            "/v1/events", content=body, headers=receiver.signer.sign("POST", receiver.url, body, ONE)
        )
        for receiver in (first, second)
        for _ in range(25)
    ]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*copies))
    assert statuses.count(202) == 1
    # A machine that is busy elsewhere may let a claim time out: 503, and the sender would come again.
    assert set(statuses) <= {200, 202, 409, 503}
    assert len(await published(pubsub_host, project)) == 1


async def test_the_same_bytes_are_accepted_once_of_fifty(
    receivers: list[LiveReceiver], pubsub_host: str, project: str, run_id: str
) -> None:
    body = encode_event(story(run_id)[0])
    receiver = receivers[0]
    headers = receiver.signer.sign("POST", receiver.url, body, ONE)
    answers = await asyncio.gather(
        *(receiver.client.post("/v1/events", content=body, headers=headers) for _ in range(50))
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(202) == 1
    assert set(statuses) <= {202, 409, 503}
    assert len(await published(pubsub_host, project)) == 1


async def test_a_nonce_is_kept_longer_than_a_signature_is_good_and_an_id_for_days(
    receivers: list[LiveReceiver], redis_url: str, run_id: str
) -> None:
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        before = set(await client.keys("claims:*"))
        assert (await receivers[0].send(story(run_id)[0])).status_code == 202

        async def is_marked() -> bool:
            ttl = {
                key.split(":")[2]: await client.ttl(key)
                for key in await client.keys("claims:*")
                if key not in before
            }
            return 300 <= ttl["nonce"] <= 320 and 3 * 86400 - 30 <= ttl["event"] <= 3 * 86400

        await eventually(is_marked)


async def test_health_readiness_and_metrics_answer(receivers: list[LiveReceiver]) -> None:
    client = receivers[0].client
    assert (await client.get("/healthz")).status_code == 200
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"redis": "ok", "keys": "ok"})
    assert "signalbox_receiver_seconds_bucket" in (await client.get("/metrics")).text
