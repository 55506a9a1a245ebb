"""The simulated model server and the Temporal client."""

from collections.abc import Iterator

import pytest
from temporalio.client import Client

from signalbox_core.temporal import connect
from support.servers.model_api import ModelApi, running_model_api


@pytest.fixture(scope="session")
def model_api() -> Iterator[ModelApi]:
    with running_model_api() as server:
        yield server


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect(temporal_address, "default")
