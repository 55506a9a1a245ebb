"""kill -9 of each part while a run draws its ads: the run finishes, nothing happens twice, the stream has no
gap."""

from collections import Counter
from functools import partial

import pytest
from redis.asyncio import Redis

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.prompts import variants_of
from signalbox_core.ids import run_key
from signalbox_core.temporal import connect
from signalbox_devstack.stack.keys import TENANT
from support.assertions.eventually import eventually
from support.drivers.journeys import (
    Listener,
    Subscription,
    approve,
    decide,
    listening,
    start_ads,
    until_asked,
    until_ended,
    until_step,
)
from support.servers.stack import RunningStack

STEPS = ("extract_brand", "write_copy", "match_images", "compose", "approve", "publish")
# A page each: what was drawn before is not drawn again, and the kill would come too late.
PARTS = {
    "worker": "/en/coffee",
    "pubsub": "/vi/ca-phe",
    "redis": "/vi/coc-gom",
    "receiver": "/en/cup",
    "gateway": "/en/bicycle",
    "temporal": "/vi/den-ban",
}


def has_no_gap_or_duplicate(listener: Listener) -> bool:
    return listener.sequences == list(range(listener.sequences[0], listener.sequences[-1] + 1))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", PARTS)
async def test_a_part_killed_while_ads_are_drawn_costs_nothing_and_doubles_nothing(
    stack: RunningStack, client: AsyncSignalbox, part: str
) -> None:
    consumer = Subscription(str(stack.endpoints.pubsub), "domain-events", f"chaos-{part}")
    await consumer.create()
    run_id = await start_ads(stack, client, page=PARTS[part], variants=2, redo_rounds=0)
    async with listening(stack, run_id) as live:
        await until_step(client, run_id, "compose")
        await stack.until_replaced(part, stack.kill(part))
        asked = await until_asked(client, run_id, within_s=150)
        await decide(client, run_id, asked, [approve] * len(variants_of(asked)))
        assert await until_ended(client, run_id, within_s=60) == "completed"
        await eventually(lambda: live.has_ended, within_s=30)
    run = await client.run(run_id)
    async with listening(stack, run_id, f"{run.epoch}:0") as kept:
        await eventually(lambda: kept.has_ended)

    assert kept.sequences == list(range(1, run.sequence + 1))
    assert has_no_gap_or_duplicate(live)
    assert live.names[-1] == "run.completed"
    counted = Counter(kept.names)
    assert (counted["step.started"], counted["step.completed"]) == (len(STEPS), len(STEPS))
    assert (counted["approval.requested"], counted["approval.decided"]) == (1, 1)
    assert counted["artifact.created"] == len({item.name for item in run.artifacts}) == 10
    assert counted["ad.approved"] == 2
    events = await consumer.until(
        lambda events: sum(event.get("ce-runid") == run_id for event in events) >= 2
    )
    assert sum(event.get("ce-runid") == run_id for event in events) == 2


@pytest.mark.timeout(240)
async def test_an_unavailable_receiver_delays_no_run_and_loses_no_event(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    """The run continues, approval and decision included, while nothing can be delivered; later every
    milestone arrives."""
    run_id = await start_ads(stack, client, variants=3, redo_rounds=0)
    await until_step(client, run_id, "extract_brand")
    temporal = await connect(str(stack.endpoints.temporal), "default")

    async def closed() -> bool:
        return (await temporal.get_workflow_handle(run_key(TENANT, run_id)).describe()).close_time is not None

    stack.command("stop", "receiver")
    asked = await until_asked(client, run_id)
    await decide(client, run_id, asked, [approve] * len(variants_of(asked)))
    await eventually(closed, within_s=60)
    assert (await client.run(run_id)).status != "completed"  # what people see waits for the events
    stack.command("start", "receiver")
    async with listening(stack, run_id) as listener:
        await eventually(lambda: listener.has_ended, within_s=90)
    run = await client.run(run_id)
    async with listening(stack, run_id, f"{run.epoch}:0") as kept:
        await eventually(lambda: kept.has_ended)
    assert kept.sequences == list(range(1, run.sequence + 1))
    assert kept.names[-1] == "run.completed"
    assert has_no_gap_or_duplicate(listener)


@pytest.mark.timeout(240)
async def test_a_redis_that_lost_everything_gets_the_history_of_every_run_back(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    ended, waiting = [await start_ads(stack, client, variants=1, redo_rounds=0) for _ in range(2)]
    asked = await until_asked(client, ended)
    await decide(client, ended, asked, [approve] * len(variants_of(asked)))
    assert await until_ended(client, ended) == "completed"
    asked = await until_asked(client, waiting)
    before = {run_id: await client.run(run_id) for run_id in (ended, waiting)}

    async def is_back(run_id: str) -> bool:
        run = await client.run(run_id)
        return run.epoch not in ("", None, before[run_id].epoch) and run.sequence >= before[run_id].sequence

    async with listening(stack, waiting) as live, Redis.from_url(str(stack.endpoints.redis)) as redis:
        await eventually(lambda: live.others == ["snapshot"])
        await redis.flushall()
        for run_id in before:
            await eventually(partial(is_back, run_id), within_s=60)
        await decide(client, waiting, asked, [approve] * len(variants_of(asked)))
        await eventually(lambda: live.has_ended, within_s=60)
    assert live.others == ["snapshot", "reset", "snapshot", "end"]
    assert has_no_gap_or_duplicate(live)
    for run_id in before:
        run = await client.run(run_id)
        assert run.status == "completed"
        async with listening(stack, run_id, f"{run.epoch}:0") as kept:
            await eventually(lambda kept=kept: kept.has_ended)
        assert kept.sequences == list(range(1, run.sequence + 1))
