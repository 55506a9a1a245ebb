"""A client of the session's Temporal server, and the sample pipeline's real activities."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from temporalio.client import Client

from signalbox_core.temporal import connect
from signalbox_core.testing.pipeline import PipelineUnderTest, pipeline_under_test
from support.sample import activities
from support.shipping.activities import file_parcel
from support.shipping.contract import SPEC as SHIPPING


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect(temporal_address, "default")


@pytest.fixture
def sample_activities() -> list[Callable[..., Any]]:
    return [activities.prepare, activities.make, activities.undo]


@pytest.fixture
async def shipping(client: Client) -> AsyncIterator[PipelineUnderTest]:
    """A worker of the pipeline that waits for external events."""
    async with pipeline_under_test(SHIPPING, activities=[file_parcel], client=client) as pipeline:
        yield pipeline
