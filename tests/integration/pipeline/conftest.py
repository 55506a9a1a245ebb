"""A client of the session's Temporal server, and the sample pipeline's real activities."""

from collections.abc import Callable
from typing import Any

import pytest
from temporalio.client import Client

from signalbox_core.temporal import connect
from support.sample import activities


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect(temporal_address, "default")


@pytest.fixture
def sample_activities() -> list[Callable[..., Any]]:
    return [activities.prepare, activities.make, activities.undo]
