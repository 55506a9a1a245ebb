"""A worker of plain workflows with the plugin, against a stub of the receiver."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from signalbox_core.signatures import Algorithm
from signalbox_core.testing.temporal_server import local_temporal
from signalbox_worker.plugin import SignalboxPlugin
from support.drivers.plain_worker import PlainWorker
from support.drivers.signed_requests import new_private_key, write_private_key
from support.fakes.stub_receiver import stub_receiver


@pytest.fixture
async def plain_worker(tmp_path: Path) -> AsyncIterator[PlainWorker]:
    key = write_private_key(tmp_path / "orders.pem", new_private_key(Algorithm.ED25519))
    async with local_temporal() as environment, stub_receiver() as receiver:
        # As users have it: the converter of the SDK, and no codec.
        client = await Client.connect(environment.service_client.config.target_host)
        plugin = SignalboxPlugin(
            tenant="acme", receiver_url=receiver.url, keyid="orders", private_key_file=str(key)
        )
        yield PlainWorker(client, plugin, receiver)
