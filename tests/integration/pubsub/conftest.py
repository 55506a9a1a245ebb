"""A fresh local Pub/Sub server for each test, with Google's clients connected to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signalbox_devstack.emulators.pubsub.server import run_server
from support.servers.pubsub import Local


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    async with run_server(host="127.0.0.1", port=0, data=tmp_path / "pubsub.db") as running:
        local = Local(f"127.0.0.1:{running.port}")
        yield local
        await local.close()
