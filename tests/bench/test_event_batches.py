"""Events a CPU-second from the emitter into the streams, 20 runs in flight, shared requests or one each.

The whole way is real: signatures, HTTP, the receiver, Redis and the local Pub/Sub server. CPU is that of
sender and receiver.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from statistics import median

import pytest

from signalbox_core.events import CloudEvent, encode_event
from signalbox_core.events.catalogue import RunStarted, StepStarted
from signalbox_core.events.envelope import CONTENT_TYPE
from signalbox_core.signatures import Signer
from signalbox_devstack.stack.keys import TENANT
from signalbox_worker.emitter import HttpEmitter
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.post_client import open_post_client
from signalbox_worker.receiver_client import ReceiverClient
from support.bench.ratios import paired_ratio
from support.fakes.events import make_event
from support.process_cpu import cpu_s
from support.servers.stack import RunningStack, running_stack

ROUNDS, RUNS, EVENTS = 5, 20, 15
LEAST = 2.0
"""What shared requests must do at least, in events a CPU-second of those sent one by one."""
Send = Callable[[CloudEvent], Awaitable[object]]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    with running_stack(tmp_path / "stack", "--only", "receiver") as started:
        yield started


def story_of(run_id: str) -> Sequence[CloudEvent]:
    identity = {"run_id": run_id, "tenant": TENANT}
    first = make_event(
        "run.started", RunStarted(pipeline="bench", title="B", steps=()), sequence=1, **identity
    )
    step = StepStarted(step="work", title="Work")
    return [first, *(make_event("step.started", step, sequence=n, **identity) for n in range(2, EVENTS + 1))]


async def events_per_cpu_s(send: Send, numbers: Iterator[int], receiver: int) -> float:
    """Deliver RUNS runs at a time, each run's events one after another."""

    async def deliver_run(events: Sequence[CloudEvent]) -> None:
        for event in events:
            await send(event)

    stories = [story_of(f"bench-{time.monotonic_ns()}-{next(numbers)}") for _ in range(RUNS)]
    begun = time.process_time() + cpu_s([receiver])
    async with asyncio.TaskGroup() as group:
        for story in stories:
            group.create_task(deliver_run(story))
    return RUNS * EVENTS / (time.process_time() + cpu_s([receiver]) - begun)


async def test_shared_requests_cost_far_less(stack: RunningStack) -> None:
    key, url = stack.endpoints.receiver_key, f"{stack.endpoints.receiver}/v1/events"
    assert key is not None
    signer, numbers = Signer.from_file(key.keyid, Path(key.private_key_file)), count()
    found: dict[str, list[float]] = {"shared": [], "one by one": []}
    async with open_post_client(url) as posts:
        metrics = WorkerMetrics()
        receiver = ReceiverClient(posts, url, signer, metrics)
        emitter = HttpEmitter(receiver, metrics)
        arms: dict[str, Send] = {
            "shared": lambda event: emitter.deliver([event]),
            "one by one": lambda event: receiver.post(encode_event(event), CONTENT_TYPE),
        }
        for turn in range(ROUNDS + 1):
            for name in sorted(arms, reverse=bool(turn % 2)):
                rate = await events_per_cpu_s(arms[name], numbers, stack.endpoints.pids["receiver"])
                if turn:
                    found[name].append(rate)
    ratio = paired_ratio(found["shared"], found["one by one"])
    ours, peer = median(found["shared"]), median(found["one by one"])
    sys.stdout.write(f"\nevents a CPU-second, shared {ours:.0f}, one by one {peer:.0f}, ratio {ratio}\n")
    assert ratio.value >= LEAST
