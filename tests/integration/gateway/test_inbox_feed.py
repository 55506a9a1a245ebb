"""The inbox as server-sent events, over a socket."""

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from signalbox_core.events import CloudEvent
from signalbox_gateway.app import Gateway, Parts
from support.drivers.sse import SseEvent
from support.fakes.events import story
from support.servers.gateway import secret_of
from support.servers.streams import http_server, reading

FEED = "/v1/approvals/stream"


@dataclass
class Served:
    gateway: Gateway
    origin: str


@pytest.fixture
async def served(parts: Parts) -> AsyncIterator[Served]:
    await parts.redis.flushdb()
    gateway = Gateway(dataclasses.replace(parts, settings=replace(parts.settings, drain_s=0.3)))
    async with http_server(gateway.app(), gateway.drain) as (_, origin):
        yield Served(gateway, origin)


def key(role: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret_of(role)}"}


def milestones(run_id: str, tenant: str = "acme") -> list[CloudEvent]:
    return [replace(event, tenantid=tenant) for event in story(run_id) if event.sequence is not None]


def asked(event: SseEvent) -> list[object]:
    approvals = event.json["approvals"]
    assert isinstance(approvals, list)
    return [item["run_id"] for item in approvals]


async def test_the_inbox_is_sent_at_once_and_on_every_change(served: Served, parts: Parts) -> None:
    async with reading(served.origin, FEED, key("viewer")) as reader:
        await reader.until(1)
        tale = milestones("run-1")
        place = next(number for number, event in enumerate(tale) if event.name == "approval.requested") + 1
        await parts.streams.append_many(tale[:place])
        await reader.until(2)
        await parts.streams.append_many(tale[place:])
        await reader.until(3)
        for event in milestones("run-2", "other"):
            await parts.streams.append(event)
    assert reader.headers["content-type"].startswith("text/event-stream")
    assert reader.headers["cache-control"] == "no-store, no-transform"
    assert reader.text.startswith("retry: ")
    assert set(reader.names) == {"inbox"}
    assert [asked(event) for event in reader.events] == [[], ["run-1"], []]


async def test_without_credentials_401_and_another_tenant_gets_its_own_inbox(
    served: Served, parts: Parts
) -> None:
    await parts.streams.append_many(milestones("run-1")[:6])
    async with (
        reading(served.origin, FEED) as nobody,
        reading(served.origin, FEED, key("stranger")) as stranger,
    ):
        await nobody.until_over()
        await stranger.until(1)
    assert nobody.status == 401
    assert asked(stranger.events[0]) == []


async def test_it_counts_as_a_listener_and_ends_cleanly_with_the_others(served: Served) -> None:
    async with reading(served.origin, FEED, key("viewer")) as reader:
        await reader.until(1)
        assert served.gateway.hub.listener_count == 1
        await served.gateway.drain()
        # An incomplete chunked body would be an error here.
        await reader.until_over()
    assert served.gateway.hub.listener_count == 0
