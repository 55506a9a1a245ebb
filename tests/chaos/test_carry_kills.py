"""kill -9 of the worker while runs with an open question continue as new: the question is asked, notified,
decided and recorded once."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pytest
from temporalio.client import Client

from signalbox_client import AsyncSignalbox
from signalbox_client.models import Approval
from signalbox_core.errors import Conflict, Unavailable
from signalbox_core.ids import run_key
from signalbox_core.ledger.entries import decode_entry
from signalbox_core.ledger.layout import LogKeys, TileReader
from signalbox_core.ledger.notes import parse_checkpoint
from signalbox_core.objects import open_object_store
from signalbox_core.pipeline.contract.messages import ALREADY_DECIDED
from signalbox_core.temporal import connect
from signalbox_devstack.stack.keys import TENANT
from support.assertions.eventually import eventually
from support.drivers.journeys import Subscription, ended_run, until_asked
from support.servers.installed_pipelines import install_pipelines
from support.servers.notification_sinks import WebhookSink, webhook_sink
from support.servers.stack import RunningStack, running_stack

RUNS: Final = 6
KILLS: Final = 3
WITHIN_S: Final = 120
PIPELINE: Final = "support.fakes.carry_pipeline:SPEC"


@pytest.fixture
async def hooks() -> AsyncIterator[WebhookSink]:
    async with webhook_sink() as sink:
        yield sink


@pytest.fixture
def carry_stack(tmp_path: Path, hooks: WebhookSink) -> Iterator[RunningStack]:
    """A stack whose notifications are posted to the test."""
    environ = {
        "PYTHONPATH": install_pipelines(tmp_path / "installed", "carry", PIPELINE),
        "SIGNALBOX_GATEWAY_NOTIFICATIONS_FILE": str(notification_routes(tmp_path, hooks.port)),
    }
    with running_stack(tmp_path / "stack", "--only", "gateway,receiver,worker", environ=environ) as running:
        yield running


def notification_routes(folder: Path, port: int) -> Path:
    (folder / "hook-secret").write_text(f"whsec_{base64.b64encode(b's' * 32).decode()}")
    hook = {"kind": "webhook", "url": f"http://127.0.0.1:{port}/hook", "secret_file": "hook-secret"}
    route = {"to": ["hook"], "events": ["approval.requested", "approval.withdrawn", "approval.decided"]}
    tenants = {TENANT: {"destinations": {"hook": hook}, "routes": [route]}}
    path = folder / "notifications.json"
    path.write_text(json.dumps({"allow": [f"127.0.0.1:{port}"], "tenants": tenants}))
    return path


async def executions(temporal: Client, runs: Sequence[str]) -> dict[str, str | None]:
    """The current execution of each run."""
    handles = {run: temporal.get_workflow_handle(run_key(TENANT, run)) for run in runs}
    return {run: (await handle.describe()).run_id for run, handle in handles.items()}


async def decide(client: AsyncSignalbox, run_id: str, approval: Approval) -> None:
    """Send a decision until it is acknowledged, as a careful client does."""

    async def is_acknowledged() -> bool:
        try:
            await client.decide(run_id, "publish", {"publish": True, "text": run_id}, digest=approval.digest)
        except Unavailable:
            return False
        except Conflict as refusal:
            # The answer to an earlier attempt was lost.
            return refusal.code == ALREADY_DECIDED
        return True

    await eventually(is_acknowledged, within_s=WITHIN_S, every_s=0.2)


async def recorded(stack: RunningStack) -> Counter[tuple[str, str]]:
    """How often the ledger has each event of an approval."""
    store, keys = open_object_store(f"file://{stack.folder}/objects"), LogKeys(TENANT)
    if not await store.exists(keys.checkpoint):
        return Counter()
    size = parse_checkpoint((await store.get(keys.checkpoint)).decode()).size
    reader = TileReader(store, keys)
    entries = [decode_entry(await reader.entry(at, size)) for at in range(size)]
    return Counter((entry.run_id, entry.event) for entry in entries if entry.approval_id is not None)


def notified(hooks: WebhookSink) -> Counter[tuple[str, str]]:
    """How often each event of each run was notified; a repeated request has the id of the first one."""
    bodies = {request.headers["webhook-id"]: json.loads(request.body) for request in hooks.accepted}
    return Counter((body["data"]["run_id"], body["type"]) for body in bodies.values())


def published(events: Sequence[Mapping[str, str]]) -> Counter[tuple[str, str]]:
    """How often each event of each run was published, after deduplication by event id."""
    return Counter(
        (event["ce-runid"], event["ce-type"].removeprefix("dev.signalbox.").removesuffix(".v1"))
        for event in events
        if event["ce-type"].startswith("dev.signalbox.approval.")
    )


@pytest.mark.timeout(500)
async def test_a_worker_killed_at_continue_as_new_loses_and_doubles_no_question(
    carry_stack: RunningStack, hooks: WebhookSink
) -> None:
    stack = carry_stack
    temporal = await connect(str(stack.endpoints.temporal), "default")
    consumer = Subscription(str(stack.endpoints.pubsub), "lifecycle", "carry-kills")
    await consumer.create()
    async with stack.client() as client:
        given = {"rounds": 1_000_000, "after_s": 1}
        runs = [(await client.start("carry", given)).run_id for _ in range(RUNS)]
        asked = {run: await until_asked(client, run, "publish", within_s=WITHIN_S) for run in runs}
        requested = Counter((run, "approval.requested") for run in runs)
        await eventually(lambda: notified(hooks) >= requested, within_s=WITHIN_S)
        for number in range(KILLS):
            before = await executions(temporal, runs)

            async def has_continued(before: Mapping[str, str | None] = before) -> bool:
                return await executions(temporal, runs) != before

            await eventually(has_continued, within_s=WITHIN_S)
            killed = stack.kill("worker")
            # Half of the decisions arrive while there is no worker.
            await asyncio.gather(
                decide(client, runs[number], asked[runs[number]]), stack.until_replaced("worker", killed)
            )
        left = runs[KILLS:]
        inbox = [entry for entry in await client.approvals() if entry.run_id in left]
        shown = {run: await client.approval(run, "publish") for run in left}
        await asyncio.gather(*(decide(client, run, asked[run]) for run in left))
        ended = {run: await ended_run(client, run, within_s=WITHIN_S) for run in runs}
        results = {run: msgspec.json.decode(await client.result(run)) for run in runs}

    expected = requested + Counter((run, "approval.decided") for run in runs)
    events = await consumer.until(lambda found: published(found) >= expected, within_s=WITHIN_S)
    await eventually(lambda: notified(hooks) >= expected, within_s=WITHIN_S)

    async def are_recorded() -> bool:
        return await recorded(stack) >= expected

    await eventually(are_recorded, within_s=WITHIN_S, every_s=0.5)

    assert sorted(entry.run_id for entry in inbox) == sorted(left)
    for run in left:
        assert shown[run] == asked[run]
        assert next(entry for entry in inbox if entry.run_id == run).requested_at == asked[run].requested_at
    assert results == {run: {"published": True, "text": run} for run in runs}
    for snapshot in ended.values():
        (approval,) = snapshot.approvals
        assert (snapshot.status, approval.status) == ("completed", "decided")
    assert published(events) == expected
    assert notified(hooks) == expected
    assert await recorded(stack) == expected
