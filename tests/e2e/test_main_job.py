"""From a page to finished ads with an approval: gateway, worker, receiver, Pub/Sub and Redis."""

from collections import Counter
from contextlib import AsyncExitStack

import msgspec
from msgspec import Struct
from temporalio.api.enums.v1 import EventType

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.prompts import variants_of
from signalbox_core.ids import run_key
from signalbox_core.pipeline.workflow.delivery import DELIVER
from signalbox_core.temporal import connect
from signalbox_devstack.stack.keys import TENANT
from support.assertions.eventually import eventually
from support.drivers.journeys import (
    Subscription,
    approve,
    approve_all,
    decide,
    edit,
    listening,
    reject,
    start_ads,
    until_asked,
    until_ended,
)
from support.servers.stack import RunningStack

PNG = b"\x89PNG\r\n\x1a\n"


class Picture(Struct):
    artifact: str


class Ad(Struct):
    variant: str
    headline: str
    version: int
    pictures: tuple[Picture, ...]


class Result(Struct):
    approved: tuple[Ad, ...]
    rejected: tuple[object, ...] = ()


async def test_a_page_becomes_finished_ads(stack: RunningStack, client: AsyncSignalbox) -> None:
    subscription = Subscription(str(stack.endpoints.pubsub), "domain-events", "e2e-main-job")
    await subscription.create()
    run_id = await start_ads(stack, client, variants=3, redo_rounds=1)
    async with listening(stack, run_id) as listener:
        first = await until_asked(client, run_id)
        await decide(
            client, run_id, first, [approve, lambda variant: edit(variant, "Edited by a person"), reject]
        )
        second = await until_asked(client, run_id, "variants-2")
        await decide(client, run_id, second, [approve] * len(variants_of(second)))
        assert await until_ended(client, run_id) == "completed"
        await eventually(lambda: listener.has_ended)

    result = msgspec.json.decode(await client.result(run_id), type=Result)
    assert len(result.approved) == 3
    assert "Edited by a person" in {ad.headline for ad in result.approved}
    pictures = [picture.artifact for ad in result.approved for picture in ad.pictures]
    assert len(pictures) >= 10
    assert (await client.artifact(run_id, pictures[0])).startswith(PNG)

    assert listener.sequences == list(range(listener.sequences[0], listener.sequences[-1] + 1))
    assert listener.names[-1] == "run.completed"
    assert [step.status for step in (await client.run(run_id)).steps] == ["completed"] * 6
    events = await subscription.until(
        lambda events: sum(event.get("ce-runid") == run_id for event in events) >= 3
    )
    approved = [
        event for event in events if event.get("ce-runid") == run_id and "ad.approved" in event["ce-type"]
    ]
    assert len(approved) == 3


async def test_a_stream_resumed_after_the_third_event_gives_exactly_the_rest(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    run_id = await start_ads(stack, client, variants=1, redo_rounds=0)
    assert await approve_all(client, run_id) == "completed"
    run = await client.run(run_id)
    async with listening(stack, run_id, f"{run.epoch}:0") as whole:
        await eventually(lambda: whole.has_ended)
    async with listening(stack, run_id, whole.seen[2].cursor) as rest:
        await eventually(lambda: rest.has_ended)
    assert whole.sequences == list(range(1, run.sequence + 1))
    assert rest.seen == whole.seen[3:]


async def test_every_milestone_reaches_pubsub_in_order(stack: RunningStack, client: AsyncSignalbox) -> None:
    subscription = Subscription(str(stack.endpoints.pubsub), "lifecycle", "e2e-lifecycle")
    await subscription.create()
    run_id = await start_ads(stack, client, variants=1, redo_rounds=0)
    assert await approve_all(client, run_id) == "completed"
    last = (await client.run(run_id)).sequence
    events = await subscription.until(
        lambda events: sum(event.get("ce-runid") == run_id for event in events) >= last
    )
    assert sorted(int(event["ce-sequence"]) for event in events if event.get("ce-runid") == run_id) == list(
        range(1, last + 1)
    )


async def test_the_snapshot_and_the_end_of_the_stream_say_the_same(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    run_id = await start_ads(stack, client, variants=1, redo_rounds=0)
    asked = await until_asked(client, run_id)
    await decide(client, run_id, asked, [approve])
    last = None
    async for update in client.watch(run_id):
        last = update.snapshot
    run = await client.run(run_id)
    assert last is not None
    assert (last.status, last.sequence) == (run.status, run.sequence) == ("completed", run.sequence)
    assert (
        [step.status for step in last.steps]
        == [step.status for step in run.steps]
        == ["completed"] * len(run.steps)
    )


async def test_a_cancelled_run_says_who_and_why(stack: RunningStack, client: AsyncSignalbox) -> None:
    run_id = await start_ads(stack, client, variants=1)
    await until_asked(client, run_id)
    await client.cancel(run_id, "not needed any more")
    assert await until_ended(client, run_id) == "cancelled"
    run = await client.run(run_id)
    async with listening(stack, run_id, f"{run.epoch}:{run.sequence - 1}") as listener:
        await eventually(lambda: listener.has_ended)
    assert listener.names == ["run.cancelled"]
    assert all(approval.status == "cancelled" for approval in run.approvals)


async def test_a_paused_run_starts_no_step_until_it_is_resumed(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    run_id = await start_ads(stack, client, variants=1, redo_rounds=0)
    asked = await until_asked(client, run_id)
    await client.pause(run_id)

    async def paused() -> bool:
        return (await client.run(run_id)).status == "paused"

    await eventually(paused)
    await decide(client, run_id, asked, [approve])
    await client.resume(run_id)
    assert await until_ended(client, run_id) == "completed"


async def test_a_history_is_as_long_with_fifty_listeners_as_with_none(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    unwatched, watched = [await start_ads(stack, client, variants=1, redo_rounds=0) for _ in range(2)]
    async with AsyncExitStack() as opened:
        listeners = [await opened.enter_async_context(listening(stack, watched)) for _ in range(50)]
        assert [await approve_all(client, run_id) for run_id in (unwatched, watched)] == ["completed"] * 2
        await eventually(lambda: all(listener.has_ended for listener in listeners), within_s=30)
    assert await events_of(stack, watched) == await events_of(stack, unwatched)


async def events_of(stack: RunningStack, run_id: str) -> Counter[str]:
    """Count a history's events by type, without workflow tasks and deliveries, which depend on timing."""
    temporal = await connect(str(stack.endpoints.temporal), "default")
    history = await temporal.get_workflow_handle(run_key(TENANT, run_id)).fetch_history()
    deliveries = {
        event.event_id
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == DELIVER
    }
    names = (
        EventType.Name(event.event_type)
        for event in history.events
        if not deliveries
        & {
            event.event_id,
            event.activity_task_started_event_attributes.scheduled_event_id,
            event.activity_task_completed_event_attributes.scheduled_event_id,
        }
    )
    return Counter(name for name in names if "_WORKFLOW_TASK_" not in name)
