"""A receiver of the test alone, over the session's Redis and Pub/Sub, with a project and a run of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signalbox_core.ids import new_run_id
from support.servers.live_receiver import LiveReceiver, live_receiver, make_topics, one_sender


@pytest.fixture
async def project(pubsub_host: str) -> str:
    """A Pub/Sub project with our topics; its name is also a good run id."""
    name = new_run_id("echo")
    await make_topics(pubsub_host, name)
    return name


@pytest.fixture
async def receiver(
    redis_url: str, pubsub_host: str, project: str, tmp_path: Path
) -> AsyncIterator[LiveReceiver]:
    keys, signer, _ = one_sender(tmp_path)
    around = {
        "keys": keys,
        "signer": signer,
        "redis_url": redis_url,
        "pubsub_host": pubsub_host,
        "project": project,
    }
    async with live_receiver(**around, body_timeout_s=2, header_timeout_s=3) as running:
        yield running
