"""kill -9 of worker, gateway, Redis and Temporal while events start runs: each event starts one run."""

import asyncio
from collections.abc import Iterator, Sequence
from uuid import uuid4

import pytest

from signalbox_client import AsyncSignalbox
from signalbox_core.errors import SignalboxError, Unavailable
from signalbox_core.ids import run_id_of
from signalbox_core.temporal import connect
from support.assertions.eventually import eventually
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack

EVENTS = 12


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The stack with the shipping pipeline installed as a package of its own."""
    installed = tmp_path_factory.mktemp("installed")
    environ = {"PYTHONPATH": install_pipelines(installed, "shipping", "support.shipping")}
    with running_stack(tmp_path_factory.mktemp("event-starts"), environ=environ) as started:
        yield started


async def send_until_accepted(client: AsyncSignalbox, order: str) -> str:
    """Send the same event until it is acknowledged, as a careful sender does; return the run it started."""

    async def accepted() -> str:
        try:
            sent = await client.send_event("order.placed", {"number": order}, event_id=order)
        except Unavailable:
            return ""
        return str(sent.deliveries[0].run_id)

    return await eventually(accepted, within_s=120, every_s=0.2)


async def started_orders(client: AsyncSignalbox, runs: Sequence[str]) -> list[str | None]:
    """The order each run waits for; None for a run that has not begun its wait."""

    async def order_of(run_id: str) -> str | None:
        try:
            waits = (await client.run(run_id)).waits
        except SignalboxError:
            return None
        return waits[0].key if waits else None

    return [await order_of(run_id) for run_id in runs]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("part", ["worker", "gateway", "redis", "temporal"])
async def test_a_part_killed_while_events_arrive_starts_each_run_once(
    stack: RunningStack, client: AsyncSignalbox, part: str
) -> None:
    orders = [f"order-{uuid4().hex[:8]}" for _ in range(EVENTS)]

    first = await asyncio.gather(*(send_until_accepted(client, order) for order in orders[: EVENTS // 2]))
    killed = stack.kill(part)
    runs = await asyncio.gather(*(send_until_accepted(client, order) for order in orders))
    await stack.until_replaced(part, killed)
    again = await asyncio.gather(*(send_until_accepted(client, order) for order in orders))

    async def all_wait() -> bool:
        return await started_orders(client, runs) == orders

    await eventually(all_wait, within_s=180, every_s=0.5)
    assert runs[: EVENTS // 2] == first
    assert runs == again
    assert len(set(runs)) == EVENTS
    temporal = await connect(str(stack.endpoints.temporal), "default")
    found = [run_id_of(item.id) async for item in temporal.list_workflows("WorkflowType = 'shipping'")]
    assert sorted(run_id for run_id in found if run_id in runs) == sorted(runs)
