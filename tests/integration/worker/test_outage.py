"""An outage of the receiver: runs continue and end, and then every event is delivered, in order, once."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHandle

from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.temporal import connect
from signalbox_core.temporal.names import MEMO_TENANT
from signalbox_core.temporal.sdk_metrics import open_sdk_metrics
from signalbox_core.testing.fetch import FakeFetcher
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_worker.emitter import HttpEmitter
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.post_client import open_post_client
from signalbox_worker.receiver_client import ReceiverClient
from signalbox_worker.settings import Settings
from signalbox_worker.worker import WorkerBuilder, WorkerParts
from signalbox_worker.worker import run as run_worker
from support.assertions.eventually import eventually
from support.drivers.background import running
from support.drivers.pipeline_code import pipeline_code
from support.drivers.signed_requests import signer_and_key
from support.fakes.stub_receiver import StubReceiver, stub_receiver
from support.sample.contract import SPEC, SampleInput, SampleResult

STORY = [
    "run.started",
    "step.started",
    "step.completed",
    "step.started",
    "step.completed",
    "sample.made",
    "run.completed",
]


@contextlib.asynccontextmanager
async def worker_for(client: Client, receiver: StubReceiver, queue: str) -> AsyncIterator[None]:
    """Run the service's own components, for the sample pipeline."""
    settings = Settings(
        temporal_address="",
        receiver_url=receiver.url,
        keyid="k",
        private_key_file="",
        objects_url="memory://",
    )
    metrics, (signer, _) = WorkerMetrics(), signer_and_key()
    async with open_post_client(receiver.url) as http:
        events = ReceiverClient(http, receiver.url, signer, metrics)
        emitter = HttpEmitter(events, metrics)
        deps = ActivityDeps(objects=FakeObjectStore(), fetcher=FakeFetcher({}), environ={})
        with ThreadPoolExecutor(200) as threads:
            builder = WorkerBuilder(client=client, emitter=emitter, threads=threads, settings=settings)
            worker = builder.worker(queue, [pipeline_code(SPEC, deps)])
            parts = WorkerParts(
                client=client,
                workers=[worker],
                emitter=emitter,
                receiver=events,
                metrics=metrics,
                sdk_metrics=open_sdk_metrics(),
                cpu=deps.cpu,
            )
            async with running(lambda stop: run_worker(parts, stop)):
                yield


async def start(client: Client, queue: str, request: SampleInput) -> WorkflowHandle[object, object]:
    return await client.start_workflow(
        "sample",
        request,
        id=f"sample-{uuid.uuid4().hex[:8]}",
        task_queue=queue,
        memo={MEMO_TENANT: "acme"},
        result_type=SampleResult,
    )


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect(temporal_address, "default")


async def test_a_run_tells_its_story_over_http(client: Client, tmp_path: Path) -> None:
    queue = f"sample-{uuid.uuid4().hex[:8]}"
    async with stub_receiver() as receiver, worker_for(client, receiver, queue):
        handle = await start(client, queue, SampleInput(items=3))
        assert await handle.result() == SampleResult(made=[0, 1, 2])

        await eventually(lambda: [event.name for event in receiver.milestones()] == STORY)
        assert len([event for event in receiver.accepted if event.sequence is not None]) == len(STORY)
        assert (
            len(
                [
                    event
                    for event in receiver.accepted
                    if event.name == "sample.made" and event.sequence is None
                ]
            )
            == 3
        )


async def test_runs_end_while_nobody_listens_and_everything_arrives_later(client: Client) -> None:
    queue = f"sample-{uuid.uuid4().hex[:8]}"
    async with stub_receiver() as receiver, worker_for(client, receiver, queue):
        await receiver.down()
        # No items: their domain events are part of their work and would wait for the receiver.
        handles = [await start(client, queue, SampleInput(items=0)) for _ in range(3)]
        for handle in handles:
            assert await handle.result() == SampleResult(made=[])
        assert receiver.accepted == []

        await receiver.up()

        for handle in handles:
            await eventually(
                lambda run_id=handle.id: sequences(receiver, run_id) == list(range(1, 8)), within_s=30
            )


async def test_events_of_a_run_are_caught_up_after_the_receiver_was_unavailable(client: Client) -> None:
    queue = f"sample-{uuid.uuid4().hex[:8]}"
    async with stub_receiver() as receiver, worker_for(client, receiver, queue):
        handle = await start(client, queue, SampleInput(items=0, hold=True))
        await eventually(lambda: sequences(receiver, handle.id) == [1])
        await receiver.down()
        await handle.signal("go_on")
        await handle.result()

        await receiver.up()

        await eventually(lambda: sequences(receiver, handle.id) == list(range(1, 8)), within_s=30)


def sequences(receiver: StubReceiver, run_id: str) -> list[int]:
    return sorted(event.sequence or 0 for event in receiver.milestones() if event.runid == run_id)
