"""Scaling decisions through the gateway: for deployment operators, as JSON and as a stream."""

import dataclasses
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest
from msgspec.structs import replace

from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.model import ScalingDecisionRecord
from signalbox_gateway.app import Gateway, Parts
from support.fakes.scaling_decisions import next_record, simulated_records
from support.servers.gateway import secret_of
from support.servers.streams import http_server, reading


@dataclass
class Served:
    origin: str
    log: DecisionLog
    queue: str
    records: list[ScalingDecisionRecord]

    @property
    def feed(self) -> str:
        return f"/v1/autoscaler/stream?queue={self.queue}"


@pytest.fixture
async def served(parts: Parts) -> AsyncIterator[Served]:
    queue = f"queue-{uuid.uuid4().hex[:8]}"
    log, records = DecisionLog(parts.redis), simulated_records(queue)[:20]
    await log.append(records)
    gateway = Gateway(dataclasses.replace(parts, settings=replace(parts.settings, drain_s=0.3)))
    async with http_server(gateway.app(), gateway.drain) as (_, origin):
        yield Served(origin, log, queue, records)


def key(role: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret_of(role)}"}


async def test_a_deployment_operator_reads_queues_and_decisions(served: Served) -> None:
    async with httpx2.AsyncClient(base_url=served.origin, headers=key("deployer"), timeout=60) as client:
        queues = (await client.get("/v1/autoscaler/queues")).json()["queues"]
        decisions = (
            await client.get("/v1/autoscaler/decisions", params={"queue": served.queue, "limit": 3})
        ).json()["decisions"]

    assert [item["sentence"] for item in decisions] == [record.sentence for record in served.records[:-4:-1]]
    assert next(item["latest"] for item in queues if item["queue"] == served.queue) == decisions[0]
    assert decisions[0]["budget_hour"] == "5.00"


async def test_the_stream_resumes_after_the_last_event_id(served: Served) -> None:
    async with reading(served.origin, served.feed, key("deployer")) as reader:
        await reader.until(20)
        await served.log.append([next_record(served.records[-1])])
        await reader.until(21)
        seen = [event for event in reader.events if event.id]
    resumed = {**key("deployer"), "last-event-id": str(seen[-2].id)}
    async with reading(served.origin, served.feed, resumed) as reader:
        await reader.until(1)
        again = [event for event in reader.events if event.id]

    assert [event.json["sentence"] for event in seen[:20]] == [record.sentence for record in served.records]
    assert [event.id for event in again] == [seen[-1].id]


@pytest.mark.parametrize("path", ["queues", "decisions?queue=a", "stream?queue=a"])
@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "admin"])
async def test_only_deployment_operators_may_read_scaling_decisions(
    served: Served, role: str, path: str
) -> None:
    async with httpx2.AsyncClient(base_url=served.origin, headers=key(role), timeout=60) as client:
        answer = await client.get(f"/v1/autoscaler/{path}")

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("decisions", "queue"),
        ("decisions?queue=a&limit=0", "limit"),
        ("decisions?queue=a&limit=1001", "limit"),
        ("stream", "queue"),
        ("stream?queue=a&after=yesterday", "after"),
    ],
)
async def test_an_invalid_parameter_is_named(served: Served, path: str, field: str) -> None:
    async with httpx2.AsyncClient(base_url=served.origin, headers=key("deployer"), timeout=60) as client:
        answer = await client.get(f"/v1/autoscaler/{path}")

    assert answer.status_code == 422
    assert field in answer.text
