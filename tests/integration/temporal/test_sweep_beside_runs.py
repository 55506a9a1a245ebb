"""Payloads that come into use while a sweep searches and deletes are kept."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleState,
)
from temporalio.converter import WorkflowSerializationContext

from signalbox_admin.payloads.references import Mentions, mentions_of_schedule
from signalbox_admin.payloads.sweep import Sweep, list_candidates
from signalbox_core.objects import ObstoreObjects, StoredObject, open_object_store
from signalbox_core.temporal import connect
from signalbox_core.temporal.claim_check import ClaimCheckCodec, read_claim_check, workflow_folder
from signalbox_core.testing.objects import FakeObjectStore
from support.assertions.eventually import eventually
from support.stored_payloads import age, claim, forget, keys_in, plant

LARGE = Payload(metadata={"encoding": b"json/plain"}, data=b'"' + b"x" * 300_000 + b'"')


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect(temporal_address, "default")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def store(folder: Path) -> ObstoreObjects:
    return open_object_store(f"file://{folder}")


@pytest.fixture
async def cleanup() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def start(client: Client, cleanup: AsyncExitStack, workflow_id: str, *keys: str) -> None:
    handle = await client.start_workflow(
        "none", args=[claim(key) for key in keys], id=workflow_id, task_queue="none"
    )
    cleanup.push_async_callback(handle.terminate)


async def schedule(client: Client, cleanup: AsyncExitStack, workflow_id: str, *keys: str) -> str:
    schedule_id = f"sweep-{uuid.uuid4().hex}"
    action = ScheduleActionStartWorkflow(
        "none", args=[claim(key) for key in keys], id=workflow_id, task_queue="none"
    )
    handle = await client.create_schedule(
        schedule_id,
        Schedule(
            action=action,
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=1))]),
            state=ScheduleState(paused=True),
        ),
    )
    cleanup.push_async_callback(handle.delete)

    async def is_listed() -> bool:
        return schedule_id in [item.id async for item in await client.list_schedules()]

    await eventually(is_listed, within_s=30, every_s=0.1)
    return schedule_id


async def expired(
    client: Client, store: ObstoreObjects | FakeObjectStore
) -> tuple[Sweep, list[StoredObject]]:
    """A sweep that has searched, and what it would delete."""
    candidates = await list_candidates(store, None, before=datetime.now(UTC) - timedelta(days=1))
    sweep = Sweep(client, store, candidates)
    return sweep, await sweep.find_expired()


async def test_references_that_appear_after_the_search_are_found_before_deletion(
    client: Client, store: ObstoreObjects, folder: Path, cleanup: AsyncExitStack
) -> None:
    name = uuid.uuid4().hex
    mailbox = f"acme:{name}/mailbox"
    of_run, of_mailbox = plant(folder, name), plant(folder, workflow_folder(mailbox))
    carried, scheduled, orphan = (plant(folder, f"{name}-{part}") for part in ("a", "b", "c"))
    age(folder)
    sweep, found = await expired(client, store)

    await start(client, cleanup, f"acme:{name}")
    await start(client, cleanup, mailbox)
    await start(client, cleanup, f"parent {name}", carried)
    await schedule(client, cleanup, f"none-{name}", scheduled)
    await visible(client, f"acme:{name}", mailbox, f"parent {name}")

    assert {item.key for item in found} == {of_run, of_mailbox, carried, scheduled, orphan}
    assert await sweep.delete(found) == 1
    assert keys_in(folder) == {of_run, of_mailbox, carried, scheduled}


async def visible(client: Client, *workflow_ids: str) -> None:
    names = ", ".join(f"'{name}'" for name in workflow_ids)

    async def are_listed() -> bool:
        return (await client.count_workflows(f"WorkflowId IN ({names})")).count == len(workflow_ids)

    await eventually(are_listed, within_s=30, every_s=0.1)


async def test_a_payload_that_is_written_again_is_kept(
    client: Client, store: ObstoreObjects, folder: Path
) -> None:
    """The run is in no listing yet: its start stores the payload first."""
    context = WorkflowSerializationContext(namespace="default", workflow_id=f"acme:{uuid.uuid4().hex}")
    codec = ClaimCheckCodec(store, None).with_context(context)
    (stored,) = await codec.encode([LARGE])
    orphan = plant(folder, "orphan")
    age(folder)
    sweep, found = await expired(client, store)

    (again,) = await codec.encode([LARGE])

    assert again == stored
    assert {item.key for item in found} == {read_claim_check(stored).key, orphan}
    assert await sweep.delete(found) == 1
    assert await codec.decode([again]) == [LARGE]


class HookedStore(FakeObjectStore):
    """Calls `after_delete` once, after the first deletion."""

    def __init__(self) -> None:
        super().__init__()
        self.after_delete: Callable[[], Awaitable[None]] | None = None

    async def delete(self, key: str) -> None:
        await super().delete(key)
        if self.after_delete is not None:
            call, self.after_delete = self.after_delete, None
            await call()


async def test_a_run_that_starts_between_two_deletions_keeps_its_payloads(
    client: Client, cleanup: AsyncExitStack
) -> None:
    store, name = HookedStore(), uuid.uuid4().hex
    for digit in "012":
        await store.put_new(f"payloads/acme/{name}/{digit * 64}", b"x", "text/plain")
    store.modified_at = dict.fromkeys(store.modified_at, datetime.now(UTC) - timedelta(days=400))
    sweep, found = await expired(client, store)
    store.after_delete = lambda: start(client, cleanup, f"acme:{name}")

    assert len(found) == 3
    assert await sweep.delete(found) == 1
    assert len(store.bodies) == 2


async def test_results_of_what_a_schedule_started_are_kept(
    client: Client, store: ObstoreObjects, folder: Path, cleanup: AsyncExitStack
) -> None:
    """The next run gets the result of the last one, also after Temporal deleted that."""
    schedule_id = await schedule(client, cleanup, f"acme:nightly-{uuid.uuid4().hex}")
    handle = client.get_schedule_handle(schedule_id)
    await handle.trigger()

    async def started() -> str | None:
        actions = (await handle.describe()).raw_description.info.recent_actions
        return actions[0].start_workflow_result.workflow_id if actions else None

    workflow_id = await eventually(started, within_s=30, every_s=0.1)
    await forget(client, client.get_workflow_handle(workflow_id))
    result, orphan = plant(folder, workflow_folder(workflow_id)), plant(folder, "orphan")
    age(folder)

    sweep, found = await expired(client, store)

    assert [item.key for item in found] == [orphan]
    assert await sweep.delete(found) == 1
    assert keys_in(folder) == {result}


async def test_a_schedule_that_was_deleted_after_it_was_listed_refers_to_nothing(client: Client) -> None:
    assert await mentions_of_schedule(client, f"deleted-{uuid.uuid4().hex}") == Mentions()
