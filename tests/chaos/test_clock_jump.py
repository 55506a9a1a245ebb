"""The clock of the hosts jumps by an hour, forwards and back, under open streams, runs and questions."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from signalbox_client import AsyncSignalbox
from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent, encode_event
from signalbox_worker.emitter import HttpEmitter
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.post_client import PostClient
from signalbox_worker.receiver_client import ReceiverClient
from support.assertions.eventually import eventually
from support.drivers.journeys import Listener, listening, until_asked, until_ended
from support.drivers.signed_requests import ONE
from support.fakes.events import story
from support.servers import backends
from support.servers.host_clock import HostClock
from support.servers.installed_pipelines import install_pipelines
from support.servers.live_receiver import make_topics, one_sender, published
from support.servers.pubsub import Program
from support.servers.receiver_process import ReceiverProcess, own_server, running
from support.servers.stack import RunningStack, running_stack
from support.whole.chain.contract import ChainInput

HOUR_S = 3_600


@pytest.fixture
def clock(tmp_path: Path) -> HostClock:
    return HostClock(tmp_path)


@pytest.fixture
def hosts(clock: HostClock, tmp_path: Path) -> Iterator[RunningStack]:
    """All services, Redis and Pub/Sub with one clock; Temporal keeps the real one."""
    pipelines = install_pipelines(tmp_path / "installed", "whole", "support.whole")
    environ = {**clock.environ, "PYTHONPATH": pipelines}
    with running_stack(tmp_path / "stack", environ=environ) as started:
        yield started


async def jumps_of(stack: RunningStack) -> int:
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        text = (await http.get(f"{str(stack.endpoints.receiver).rstrip('/')}/metrics")).text
    found = re.search(r"^signalbox_receiver_clock_jumps_total (\S+)$", text, re.MULTILINE)
    return int(float(found[1])) if found else 0


@pytest.mark.timeout(600)
async def test_runs_questions_and_streams_survive_jumps_of_all_clocks(
    hosts: RunningStack, clock: HostClock
) -> None:
    async with hosts.client() as client, AsyncExitStack() as open_streams:
        logs: dict[str, Listener] = {}
        for number, offset_s in enumerate((HOUR_S, 0, -HOUR_S), start=1):
            run_id = (await client.start("chain", ChainInput(steps=2, asks=True))).run_id
            logs[run_id] = await open_streams.enter_async_context(listening(hosts, run_id))
            asked = await until_asked(client, run_id, "go", within_s=120)

            clock.jump(offset_s)

            async def is_counted(expected: int = number) -> bool:
                return await jumps_of(hosts) == expected

            await eventually(is_counted, within_s=60, every_s=0.5)
            await client.decide(run_id, "go", {"yes": True}, digest=asked.digest)
            assert await until_ended(client, run_id, within_s=120) == "completed"
            await complete(client)
        await eventually(lambda: all(log.has_ended for log in logs.values()), within_s=60)
        for run_id, log in logs.items():
            # The snapshot at the beginning stands for the events before the first one.
            last = (await client.run(run_id)).sequence
            assert log.sequences == list(range(log.sequences[0], last + 1))
            assert log.names[-1] == "run.completed"


async def complete(client: AsyncSignalbox) -> None:
    started = await client.start("chain", ChainInput(steps=2))
    assert await until_ended(client, started.run_id, within_s=120) == "completed"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("offset_s", [HOUR_S, -HOUR_S])
async def test_events_wait_while_the_clock_of_the_receiver_is_wrong(
    clock: HostClock, tmp_path: Path, offset_s: int
) -> None:
    keys, signer, _ = one_sender(tmp_path)
    pubsub = await Program(tmp_path / "pubsub.db").start()
    port = backends.free_port()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(pubsub.stop)
        await make_topics(pubsub.host, "clock")
        await stack.enter_async_context(own_server(backends.redis_command(port, tmp_path), port))
        receiver = ReceiverProcess(
            keys,
            redis_url=f"redis://127.0.0.1:{port}/0",
            pubsub_host=pubsub.host,
            project="clock",
            environ=clock.environ,
        )
        await stack.enter_async_context(running(receiver))
        posts, metrics = PostClient(f"{receiver.origin}/v1/events"), WorkerMetrics()
        stack.callback(posts.close)
        client = ReceiverClient(posts, f"{receiver.origin}/v1/events", signer, metrics)
        emitter = HttpEmitter(client, metrics)
        events = [event for event in story("run-1") if event.sequence is not None]
        await emitter.deliver(events[:2])

        clock.jump(offset_s)
        await eventually(lambda: refuses(client, events[2]), within_s=30, every_s=0.2)
        delivering = asyncio.create_task(until_accepted(emitter, events[2:]))
        assert not client.is_available
        await eventually(lambda: "the host's clock jumped" in receiver.said, within_s=30)
        clock.jump(0)
        async with asyncio.timeout(60):
            await delivering

        received = [message.attributes["ce-id"] for message in await published(pubsub.host, "clock")]
        assert list(dict.fromkeys(received)) == [event.id for event in events]


async def refuses(client: ReceiverClient, event: CloudEvent) -> bool:
    try:
        await client.post(encode_event(event), ONE)
    except Unavailable as error:
        return "401" in error.detail
    return False


async def until_accepted(emitter: HttpEmitter, events: list[CloudEvent]) -> None:
    while True:
        try:
            await emitter.deliver(events)
            return
        except Unavailable:
            await asyncio.sleep(0.2)
