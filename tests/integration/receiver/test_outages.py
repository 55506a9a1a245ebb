"""The receiver without Redis or Pub/Sub: 503, nothing half done, and the same bytes succeed later."""

import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from signalbox_core.events import encode_event
from signalbox_core.ids import new_run_id
from support.assertions.eventually import eventually
from support.drivers.signed_requests import ONE
from support.fakes.events import story
from support.servers import backends
from support.servers.live_receiver import LiveReceiver, live_receiver, make_topics, one_sender, published
from support.servers.receiver_process import own_server


class Stage:
    """A receiver whose Redis can be frozen and killed."""

    def __init__(self, receiver: LiveReceiver, redis: Process, redis_url: str, project: str) -> None:
        self.receiver, self.redis, self.redis_url, self.project = receiver, redis, redis_url, project


@pytest.fixture
async def stage(pubsub_host: str, tmp_path: Path) -> AsyncIterator[Stage]:
    project, port = new_run_id("echo"), backends.free_port()
    await make_topics(pubsub_host, project)
    keys, signer, _ = one_sender(tmp_path)
    url = f"redis://127.0.0.1:{port}/0"
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(own_server(backends.redis_command(port, tmp_path), port))
        around = {
            "keys": keys,
            "signer": signer,
            "redis_url": url,
            "pubsub_host": pubsub_host,
            "project": project,
        }
        receiver = await stack.enter_async_context(live_receiver(**around))
        yield Stage(receiver, redis, url, project)


async def test_a_frozen_redis_is_503_and_nothing_is_published(stage: Stage, pubsub_host: str) -> None:
    event = story(stage.project)[0]
    os.kill(stage.redis.pid, signal.SIGSTOP)
    answer = await stage.receiver.send(event)
    assert (answer.status_code, answer.json()["code"]) == (503, "claims_unavailable")
    assert "retry-after" in answer.headers
    assert (await stage.receiver.client.get("/healthz")).status_code == 200
    ready = await stage.receiver.client.get("/readyz")
    assert (ready.status_code, ready.json()["redis"]) == (503, "unavailable")
    assert not await published(pubsub_host, stage.project)
    os.kill(stage.redis.pid, signal.SIGCONT)

    async def is_settled() -> bool:
        return (await stage.receiver.send(event)).status_code in (202, 409)

    await eventually(is_settled)


async def test_a_dead_redis_is_503(stage: Stage, pubsub_host: str) -> None:
    stage.redis.kill()
    await stage.redis.wait()
    assert (await stage.receiver.send(story(stage.project)[0])).status_code == 503
    assert not await published(pubsub_host, stage.project)


async def test_a_redis_that_may_evict_is_not_ready(stage: Stage) -> None:
    async with Redis.from_url(stage.redis_url) as client:
        await client.config_set("maxmemory-policy", "allkeys-lru")
    ready = await stage.receiver.client.get("/readyz")
    assert (ready.status_code, ready.json()["redis"]) == (503, "evicting")


@pytest.mark.parametrize(
    "setting", [("maxmemory", "1"), ("requirepass", "other"), ("min-replicas-to-write", "1")]
)
async def test_a_redis_that_refuses_to_write_is_503(
    stage: Stage, pubsub_host: str, setting: tuple[str, str]
) -> None:
    async with Redis.from_url(stage.redis_url) as client:
        await client.config_set(*setting)
        # A new password does not concern connections that are open.
        await client.client_kill_filter(_type="normal")
    answer = await stage.receiver.send(story(stage.project)[0])
    assert (answer.status_code, answer.json()["code"]) == (503, "claims_unavailable")
    assert not await published(pubsub_host, stage.project)


async def test_pubsub_away_gives_the_claims_back_and_the_same_bytes_succeed_later(
    redis_url: str, tmp_path: Path
) -> None:
    project, port = new_run_id("echo"), backends.free_port()
    host = f"127.0.0.1:{port}"
    keys, signer, _ = one_sender(tmp_path)
    body = encode_event(story(project)[0])
    around = {
        "keys": keys,
        "signer": signer,
        "redis_url": redis_url,
        "pubsub_host": host,
        "project": project,
        "publish_timeout_s": 1.0,
    }
    async with live_receiver(**around) as receiver:
        headers = signer.sign("POST", receiver.url, body, ONE)
        refused = await receiver.client.post("/v1/events", content=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (503, "publish_unavailable")
        async with own_server(backends.pubsub_command(port, tmp_path), port):
            missing = await receiver.client.post("/v1/events", content=body, headers=headers)
            assert (missing.status_code, missing.json()["code"]) == (503, "publish_unavailable")
            await make_topics(host, project)

            async def accepted() -> bool:
                return (
                    await receiver.client.post("/v1/events", content=body, headers=headers)
                ).status_code == 202

            await eventually(accepted)
            assert len({message.attributes["ce-id"] for message in await published(host, project)}) == 1
