"""One gateway and one echo worker on the session's real servers."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from temporalio.client import Client

from signalbox_core.temporal import connect
from signalbox_core.testing.pipeline import PipelineUnderTest, pipeline_under_test
from signalbox_core.topology import provision_temporal
from signalbox_gateway.app import Gateway, Parts
from support.fakes.echo_worker import echo_worker
from support.servers.gateway import PATIENCE, client_of, gateway_parts
from support.shipping.activities import file_parcel
from support.shipping.contract import SPEC

AsCaller = Callable[[str | None], httpx2.AsyncClient]


@pytest.fixture
async def temporal(temporal_address: str) -> Client:
    client = await connect(temporal_address, "default")
    await provision_temporal(client)
    return client


@pytest.fixture
async def parts(
    temporal: Client, temporal_address: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[Parts]:
    async with gateway_parts(tmp_path, temporal=temporal_address, redis=redis_url) as parts:
        yield parts


@pytest.fixture
def app(parts: Parts, request: pytest.FixtureRequest) -> Starlette:
    if "worker" in request.fixturenames:
        return Gateway(parts, deadline=PATIENCE).app()
    return Gateway(parts).app()


@pytest.fixture
async def caller(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
def as_caller(app: Starlette) -> AsCaller:
    return lambda role: client_of(app, role)


@pytest.fixture
async def worker(temporal: Client) -> AsyncIterator[None]:
    async with echo_worker(temporal):
        yield


@pytest.fixture
async def shipping(temporal: Client) -> AsyncIterator[PipelineUnderTest]:
    """A worker of the pipeline that waits for external events, and is started by them."""
    queue = SPEC.task_queue
    async with pipeline_under_test(
        SPEC, activities=[file_parcel], client=temporal, task_queue=queue
    ) as pipeline:
        yield pipeline


@pytest.fixture
def shipping_parts(parts: Parts) -> Parts:
    return replace(parts, pipelines={SPEC.name: SPEC})


@pytest.fixture
async def api(shipping_parts: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    """A caller of a gateway that has only this pipeline."""
    async with client_of(Gateway(shipping_parts, deadline=PATIENCE).app()) as client:
        yield client
