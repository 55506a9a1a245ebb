"""kill -9 of worker, gateway, Redis and Temporal while external events arrive, early and late: every run
gets its event once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from uuid import uuid4

import msgspec
import pytest

from signalbox_client import AsyncSignalbox
from signalbox_core.errors import Conflict, SignalboxError, Unavailable
from support.assertions.eventually import eventually
from support.drivers.journeys import Subscription
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack

RUNS = 6


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The stack with the shipping pipeline installed as a package of its own."""
    installed = tmp_path_factory.mktemp("installed")
    environ = {"PYTHONPATH": install_pipelines(installed, "shipping", "support.shipping")}
    with running_stack(tmp_path_factory.mktemp("waits"), environ=environ) as started:
        yield started


async def until_accepted(send: Callable[[], Awaitable[object]]) -> None:
    """Send the same event until it is acknowledged, as a careful sender does."""

    async def accepted() -> bool:
        try:
            await send()
        except (Unavailable, Conflict):
            return False
        return True

    await eventually(accepted, within_s=120, every_s=0.2)


async def all_have_completed(client: AsyncSignalbox, runs: Sequence[str]) -> bool:
    try:
        return all([(await client.run(run_id)).status == "completed" for run_id in runs])
    except SignalboxError:
        return False


@pytest.mark.timeout(500)
@pytest.mark.parametrize("part", ["worker", "gateway", "redis", "temporal"])
async def test_a_part_killed_while_events_arrive_loses_and_doubles_none(
    stack: RunningStack, client: AsyncSignalbox, part: str
) -> None:
    consumer = Subscription(str(stack.endpoints.pubsub), "lifecycle", f"waits-{part}")
    await consumer.create()
    orders = {f"order-{uuid4().hex[:8]}": place for place in range(1, RUNS + 1)}
    early = set(list(orders)[: RUNS // 2])

    async def pay(order: str) -> None:
        data = {"amount": orders[order]}
        for _ in range(2):  # a sender that repeats what it sends
            await until_accepted(
                lambda: client.send_event("payment.settled", data, key=order, event_id=f"pay-{order}")
            )

    async def start(order: str) -> None:
        await until_accepted(lambda: client.start("shipping", {"order": order}, run_id=f"ship-{order}"))

    async def dispatch(run_id: str) -> None:
        await until_accepted(
            lambda: client.send_event_to_run(
                run_id, "parcel.dispatched", {"parcel": run_id}, event_id=f"parcel-{run_id}"
            )
        )

    late = [order for order in orders if order not in early]
    await asyncio.gather(*(pay(order) for order in early))
    killed = stack.kill(part)
    await asyncio.gather(*(start(order) for order in early), *(pay(order) for order in late))
    await stack.until_replaced(part, killed)
    runs = [f"ship-{order}" for order in orders]
    await asyncio.gather(*(start(order) for order in late))
    await asyncio.gather(*(dispatch(run_id) for run_id in runs))

    await eventually(lambda: all_have_completed(client, runs), within_s=180, every_s=0.5)
    events = await consumer.until(
        lambda found: len(ids_of(found, runs, "run.completed")) >= RUNS, within_s=90
    )

    assert {run_id: len(ids_of(events, [run_id], "wait.received")) for run_id in runs} == dict.fromkeys(
        runs, 2
    )
    for order, amount in orders.items():
        result = msgspec.json.decode(await client.result(f"ship-{order}"))
        assert result == {"amount": amount, "parcel": f"ship-{order}"}


def ids_of(events: Sequence[Mapping[str, str]], runs: Sequence[str], name: str) -> set[str]:
    """The ids of the events of that name; a redelivery has the id of the first delivery."""
    return {
        event["ce-id"]
        for event in events
        if event.get("ce-runid") in runs and event["ce-type"] == f"dev.signalbox.{name}.v1"
    }
