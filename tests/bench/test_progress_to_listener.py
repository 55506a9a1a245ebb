"""From an activity's progress call to a browser: ours against a Temporal query a second and against Workflow
Streams.

Ours is the whole way: the worker's emitter, a signed POST, the receiver, Redis, the gateway, an SSE client.
Limits are ratios of p50: 200 listeners against one, and both peers against ours.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace
from temporalio.client import Client
from temporalio.contrib.workflow_streams import WorkflowStreamClient
from temporalio.exceptions import TemporalError
from temporalio.service import RPCError

from signalbox_core.events import CloudEvent, catalogue
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.signatures import Signer
from signalbox_core.temporal import connect
from signalbox_devstack.stack.keys import TENANT
from signalbox_worker.emitter import HttpEmitter
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.post_client import open_post_client
from signalbox_worker.receiver_client import ReceiverClient
from support.assertions.eventually import eventually
from support.bench.polled_workflows import StreamedWorkflow
from support.bench.polling import QUEUE, Arm, polled_worker, polling, with_listeners
from support.fakes.events import make_event
from support.servers.stack import RunningStack, running_stack

COUNTS = (1, 200)
EVENTS, EVERY_S = 30, 0.15
ROUNDS = 2
STAMP = re.compile(rb'"message":"(\d+)"')


class Browser(asyncio.Protocol):
    """An SSE client that costs next to nothing, so that 200 of them measure the gateway and not
    themselves."""

    def __init__(self, request: bytes, arm: Arm) -> None:
        self._request = request
        self._arm = arm
        self.is_live = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        assert not data.startswith(b"HTTP/1.1 4"), data
        self.is_live = self.is_live or b"event: snapshot" in data
        for stamp in STAMP.findall(data) if b"event: snapshot" not in data else ():
            self._arm.record_delay(int(stamp))


@asynccontextmanager
async def browsers(stack: RunningStack, run_id: str, count: int, arm: Arm) -> AsyncIterator[None]:
    gateway = urlsplit(str(stack.endpoints.gateway))
    key = stack.endpoints.api_keys["admin"]
    headers = f"Host: {gateway.netloc}\r\nAuthorization: Bearer {key}\r\n"
    head = f"GET /v1/runs/{run_id}/stream HTTP/1.1\r\n{headers}\r\n".encode()
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: Browser(head, arm), gateway.hostname, gateway.port)
        for _ in range(count)
    ]
    try:
        await eventually(lambda: all(browser.is_live for _, browser in opened), within_s=30)
        yield
    finally:
        for transport, _ in opened:
            transport.abort()


@asynccontextmanager
async def emitting(stack: RunningStack) -> AsyncIterator[HttpEmitter]:
    """The worker's own emitter."""
    key = stack.endpoints.receiver_key
    assert key is not None
    signer = Signer.from_file(key.keyid, Path(key.private_key_file))
    url = f"{stack.endpoints.receiver}/v1/events"
    async with open_post_client(url) as client:
        counters = WorkerMetrics()
        emitter = HttpEmitter(ReceiverClient(client, url, signer, counters), counters)
        task = asyncio.create_task(emitter.run())
        try:
            yield emitter
        finally:
            await cancel_and_wait(task)


async def ours(stack: RunningStack, emitter: HttpEmitter, count: int, arm: Arm) -> None:
    run_id = f"bench-{time.monotonic_ns()}"

    def event(name: str, data: object, sequence: int | None = None) -> CloudEvent:
        identity = {"run_id": run_id, "tenant": TENANT}
        return make_event(name, data, sequence=sequence, second=9, **identity)  # type: ignore[arg-type]

    steps = (catalogue.StepInfo(name="render", title="Render"),)
    await emitter.deliver(
        [event("run.started", catalogue.RunStarted(pipeline="bench", title="Bench", steps=steps), 1)]
    )
    await emitter.deliver([event("step.started", catalogue.StepStarted(step="render", title="Render"), 2)])
    async with browsers(stack, run_id, count, arm):
        for number in range(EVENTS):
            await paced(number)
            data = catalogue.StepProgress(
                step="render", percent=float(number), message=str(time.monotonic_ns())
            )
            emitter.offer(replace(event("step.progress", data), attempt=1))
        arm.expected += EVENTS * count
        with suppress(AssertionError):
            await eventually(lambda: len(arm.delays_ms) >= arm.expected, within_s=5)


async def workflow_streams(client: Client, count: int, arm: Arm) -> None:
    workflow_id = f"streamed-{time.monotonic_ns()}"
    handle = await client.start_workflow(StreamedWorkflow.run, id=workflow_id, task_queue=QUEUE)

    async def listen(_number: int) -> None:
        with suppress(RPCError, TemporalError):
            async for item in WorkflowStreamClient.create(client, workflow_id).subscribe(
                "progress", result_type=int
            ):
                arm.record_delay(item.data)

    async def tell() -> None:
        # On Python 3.11 the exit may hang: the cancellation of the flusher gets lost in its wait_for. The
        # deadline cancels it again.
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(EVENTS * EVERY_S + 30),
                WorkflowStreamClient.create(client, workflow_id) as publisher,
            ):
                topic = publisher.topic("progress", type=int)
                for number in range(EVENTS):
                    await paced(number)
                    topic.publish(time.monotonic_ns(), force_flush=True)
                await paced(EVENTS)
        arm.expected += EVENTS * count

    await with_listeners(handle, [listen(number) for number in range(count)], tell, arm)


async def paced(number: int) -> None:
    """The load's own rhythm, which is what a bench may wait for."""
    await asyncio.sleep(EVERY_S if number else 0.3)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    with running_stack(tmp_path / "stack", "--only", "gateway,receiver") as started:
        yield started


@pytest.fixture
def peers(stack: RunningStack) -> Iterator[None]:
    with polled_worker(str(stack.endpoints.temporal)):
        yield


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("peers")
async def test_progress_reaches_200_listeners_far_sooner_than_by_the_peers(stack: RunningStack) -> None:
    client = await connect(str(stack.endpoints.temporal), "default")
    results: dict[tuple[str, int], Arm] = {}
    async with emitting(stack) as emitter:
        arms: dict[str, Callable[[int, Arm], Awaitable[None]]] = {
            "signalbox": lambda count, arm: ours(stack, emitter, count, arm),
            "query 1/s": lambda count, arm: polling(client, count, arm),
            "workflow streams": lambda count, arm: workflow_streams(client, count, arm),
        }
        for turn in range(ROUNDS):
            for count in COUNTS:
                for name in list(arms)[:: 1 if turn % 2 else -1]:
                    await arms[name](count, results.setdefault((name, count), Arm()))
    print(table(results))  # noqa: T201 - the table is what a bench is for
    alone, many = results["signalbox", 1], results["signalbox", 200]
    assert len(many.delays_ms) >= 0.99 * many.expected
    assert many.p50_ms <= 4 * alone.p50_ms
    assert results["query 1/s", 200].p50_ms >= 20 * many.p50_ms
    assert results["workflow streams", 1].p50_ms >= 1.5 * alone.p50_ms
    assert results["workflow streams", 200].p50_ms >= 20 * many.p50_ms


def table(results: Mapping[tuple[str, int], Arm]) -> str:
    head = f"{'way':<18} {'listeners':>9} {'p50 ms':>10} {'p90 ms':>10}   recvd / sent"
    return "\n".join(
        ["", head, *(f"{name:<18} {count:>9} {arm.row()}" for (name, count), arm in sorted(results.items()))]
    )
