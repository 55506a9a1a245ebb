"""Which streams are opened: rate limits, limits of open streams, outages and a graceful shutdown."""

import asyncio
import dataclasses
from datetime import timedelta

import pytest
from msgspec.structs import replace

from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.streaming.limits import StreamLimits
from support.fakes.events import story
from support.servers.gateway import client_of, secret_of
from support.servers.streams import Reader, http_server, reading

RUN, MANY, TENANT = "/v1/runs/run-1/stream", "/v1/stream?run=run-1", "/v1/stream?all=1"
INBOX, SCALING = "/v1/approvals/stream", "/v1/autoscaler/stream?queue=a"
EVERY = [RUN, MANY, TENANT, INBOX, SCALING]
MILESTONES = [event for event in story() if event.sequence is not None]


def key(role: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret_of(role)}"}


def gateway_of(parts: Parts, *, limits: StreamLimits | None = None, **settings: float) -> Gateway:
    return Gateway(
        dataclasses.replace(parts, settings=replace(parts.settings, drain_s=0.3, **settings)), limits=limits
    )


@pytest.fixture
async def with_a_run(parts: Parts) -> Parts:
    await parts.redis.flushdb()
    await parts.streams.append_many(MILESTONES[:3])
    return parts


def is_deferred(reader: Reader) -> bool:
    milliseconds = int(reader.text.partition("\r\n")[0].removeprefix("retry: "))
    return reader.status == 200 and 5_000 <= milliseconds <= 15_000 and reader.events == []


@pytest.mark.parametrize("path", [*EVERY, f"{RUN}?ticket="])
async def test_wrong_credentials_at_a_stream_are_limited(with_a_run: Parts, path: str) -> None:
    async with client_of(gateway_of(with_a_run, failures_per_s=1).app(), None) as guesser:
        if path.endswith("ticket="):
            guesses = [guesser.get(f"{path}wrong{number}") for number in range(60)]
        else:
            wrong = [{"authorization": f"Bearer sbx_{number}"} for number in range(60)]
            guesses = [guesser.get(path, headers=headers) for headers in wrong]
        answers = await asyncio.gather(*guesses)

    assert {answer.status_code for answer in answers} == {401, 429}


@pytest.mark.parametrize("path", EVERY)
async def test_a_principal_over_its_rate_reconnects_later(with_a_run: Parts, path: str) -> None:
    gateway = gateway_of(with_a_run, requests_per_s=1)
    async with (
        http_server(gateway.app(), gateway.drain) as (_, origin),
        client_of(gateway.app(), "deployer") as caller,
    ):
        answers = await asyncio.gather(*(caller.get("/v1/pipelines") for _ in range(20)))
        async with reading(origin, path, key("deployer")) as reader:
            await reader.until_over()

    assert 429 in {answer.status_code for answer in answers}
    assert is_deferred(reader)
    assert ": rate_limited" in reader.text


@pytest.mark.parametrize("path", EVERY)
async def test_one_tenant_cannot_use_all_connections(with_a_run: Parts, path: str) -> None:
    gateway = gateway_of(with_a_run, limits=StreamLimits(per_tenant=1))
    async with http_server(gateway.app(), gateway.drain) as (_, origin):
        async with (
            reading(origin, TENANT, key("viewer")) as first,
            reading(origin, TENANT, key("stranger")) as other,
        ):
            await first.until(1)
            await other.until(1)
            async with reading(origin, path, key("deployer")) as second:
                await second.until_over()
        metrics = gateway.metrics.registry.get_sample_value(
            "signalbox_gateway_streams_deferred_total", {"reason": "tenant"}
        )

    assert is_deferred(second)
    assert ": tenant" in second.text
    assert metrics == 1


def test_by_default_a_tenant_may_have_half_of_the_streams() -> None:
    assert StreamLimits(listeners=100).tenant_limit == 50
    assert StreamLimits(listeners=1).tenant_limit == 1
    assert StreamLimits(listeners=100, per_tenant=7).tenant_limit == 7


@pytest.mark.parametrize("path", EVERY)
async def test_a_proxy_may_not_transform_a_stream(with_a_run: Parts, path: str) -> None:
    gateway = gateway_of(with_a_run)
    async with http_server(gateway.app(), gateway.drain) as (_, origin):
        async with reading(origin, path, key("deployer")) as reader:
            # A queue without scaling decisions sends no event.
            await reader.until(0 if path == SCALING else 1)
            await reader.until_text("retry: ")
        async with client_of(gateway.app(), "deployer") as caller:
            head = await caller.head(path)

    assert reader.headers["cache-control"] == "no-store, no-transform"
    assert reader.headers["x-accel-buffering"] == "no"
    assert (head.status_code, head.headers["cache-control"]) == (200, "no-store, no-transform")
    assert gateway.hub.listener_count == 0


@pytest.mark.parametrize("path", EVERY)
async def test_a_draining_gateway_sends_listeners_elsewhere_and_refuses_calls(
    with_a_run: Parts, path: str
) -> None:
    gateway = gateway_of(with_a_run)
    async with http_server(gateway.app(), gateway.drain) as (_, origin):
        async with reading(origin, path, key("deployer")) as early:
            await early.until_text("retry: ")
            await gateway.hub.drain(timedelta(seconds=0.2))
            await early.until_over()
        async with reading(origin, path, key("deployer")) as late:
            await late.until_over()
        async with client_of(gateway.app(), "deployer") as caller:
            call = await caller.get("/v1/pipelines")
            alive = await caller.get("/healthz")

    last = int(early.text.rpartition("retry: ")[2].strip())
    assert early.text.count("retry: ") == 2
    assert 5_000 <= last <= 15_000
    assert is_deferred(late)
    assert (call.status_code, call.json()["code"]) == (503, "draining")
    assert int(call.headers["retry-after"]) >= 1
    assert alive.status_code == 200


@pytest.mark.parametrize("path", EVERY)
async def test_a_permanent_refusal_of_a_stream_is_a_4xx(with_a_run: Parts, path: str) -> None:
    app = gateway_of(with_a_run).app()
    async with client_of(app, None) as nobody, client_of(app, "nobody") as powerless:
        answers = [await nobody.get(path), await powerless.get(path)]

    assert [answer.status_code for answer in answers] == [401, 403]
