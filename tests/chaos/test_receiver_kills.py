"""kill -9 of the receiver under load, and outages of its backends: no accepted event is lost or reordered."""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from google.pubsub_v1.types import PubsubMessage
from msgspec.structs import replace

from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent, encode_event
from signalbox_core.signatures import Signer
from signalbox_worker.emitter import HttpEmitter
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.post_client import PostClient, PostResponse
from signalbox_worker.receiver_client import ReceiverClient
from support.assertions.eventually import eventually
from support.drivers.signed_requests import ONE
from support.fakes.events import story
from support.servers import backends
from support.servers.live_receiver import make_topics, one_sender, published
from support.servers.pubsub import Program
from support.servers.receiver_process import ReceiverProcess, freeze, own_server, running, thaw

RUNS = 20
PER_RUN = 100
KILLS = 12
EVENT = story()[0]
PROJECT = "chaos"
# Short, so that the claim of a killed receiver expires soon.
SETTINGS = {"publish_timeout_s": 2, "claim_s": 3, "log_level": "WARNING", "keys_poll_s": 60}


class NotingClient(PostClient):
    """A client that counts the statuses of the responses."""

    def __init__(self, url: str, statuses: Counter[int]) -> None:
        super().__init__(url)
        self._statuses = statuses

    async def post(self, body: bytes, headers: Mapping[str, str]) -> PostResponse:
        response = await super().post(body, headers)
        self._statuses[response.status_code] += 1
        return response


class Fleet:
    """Runs whose events the worker's emitter sends in sequence, each until it is accepted.

    Events of several runs share a request.
    """

    def __init__(self, url: str, signer: Signer) -> None:
        self.accepted: list[str] = []
        self.statuses: Counter[int] = Counter()
        self._url = url
        self._signer = signer

    async def send_all(self, name: str, runs: int, per_run: int) -> None:
        metrics = WorkerMetrics()
        posts = NotingClient(self._url, self.statuses)
        emitter = HttpEmitter(ReceiverClient(posts, self._url, self._signer, metrics), metrics)
        async with asyncio.TaskGroup() as group:
            for number in range(runs):
                group.create_task(self._send_run(emitter, f"{name}-{number}", per_run))
        posts.close()

    async def _send_run(self, emitter: HttpEmitter, run_id: str, count: int) -> None:
        for sequence in range(1, count + 1):
            event = event_of(run_id, sequence)
            while True:
                try:
                    await emitter.deliver([event])
                    break
                except Unavailable:
                    continue
            self.accepted.append(event.id)

    async def probe(self, number: int) -> int:
        """The status of one event sent once."""
        body = encode_event(event_of(f"probe-{number}", 1))
        async with httpx2.AsyncClient(trust_env=False) as client:
            answer = await client.post(
                self._url, content=body, headers=self._signer.sign("POST", self._url, body, ONE), timeout=30
            )
        return answer.status_code


def event_of(run_id: str, sequence: int) -> CloudEvent:
    return replace(EVENT, id=f"{run_id}:{sequence}", runid=run_id, subject=run_id, sequence=sequence)


class Stage:
    def __init__(
        self, receiver: ReceiverProcess, pubsub: Program, redis: asyncio.subprocess.Process, fleet: Fleet
    ) -> None:
        self.receiver, self.pubsub, self.redis, self.fleet = receiver, pubsub, redis, fleet

    async def sent_in_order(self, sent: dict[str, int]) -> None:
        """After deduplication, consumers see exactly the sent events (count by run), in order per run."""
        messages = await published(self.pubsub.host, PROJECT)
        seen = first_sights(messages)
        assert set(self.fleet.accepted) <= {
            f"{run}:{sequence}" for run, sequences in seen.items() for sequence in sequences
        }
        assert seen == {run: list(range(1, count + 1)) for run, count in sent.items()}
        assert set(self.fleet.statuses) <= {200, 202, 409, 503}, self.fleet.statuses
        assert "Traceback" not in self.receiver.said


def first_sights(messages: list[PubsubMessage]) -> dict[str, list[int]]:
    """Each run's sequences in the order in which an idempotent consumer first sees them."""
    seen: dict[str, list[int]] = {}
    for message in messages:
        sequence = int(message.attributes["ce-sequence"])
        sequences = seen.setdefault(message.ordering_key, [])
        if sequence not in sequences:
            sequences.append(sequence)
    return seen


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    keys, signer, _ = one_sender(tmp_path)
    port = backends.free_port()
    pubsub = await Program(tmp_path / "pubsub.db").start()
    await make_topics(pubsub.host, PROJECT)
    around = {"redis_url": f"redis://127.0.0.1:{port}/0", "pubsub_host": pubsub.host, "project": PROJECT}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(pubsub.stop)
        redis = await stack.enter_async_context(own_server(backends.redis_command(port, tmp_path), port))
        receiver = await stack.enter_async_context(running(ReceiverProcess(keys, **around, **SETTINGS)))
        yield Stage(receiver, pubsub, redis, Fleet(f"{receiver.origin}/v1/events", signer))


@pytest.mark.timeout(600)
async def test_kill_9_of_the_receiver_under_load_breaks_no_promise(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet, chance = stage.fleet, random.Random(9421)
    async with asyncio.TaskGroup() as group:
        group.create_task(fleet.send_all("run", RUNS, PER_RUN))
        for kill in range(1, KILLS + 1):
            share = RUNS * PER_RUN * (kill - chance.random()) / (KILLS + 1)
            await eventually(lambda share=share: len(fleet.accepted) >= share, within_s=120)
            await stage.receiver.kill()
            await stage.receiver.start()
    assert len(fleet.accepted) == RUNS * PER_RUN
    with capsys.disabled():
        sys.stdout.write(f"\n{RUNS * PER_RUN} events, {KILLS} kills, answers {dict(fleet.statuses)}\n")
    await stage.sent_in_order({f"run-{number}": PER_RUN for number in range(RUNS)})


@pytest.mark.timeout(600)
async def test_frozen_and_killed_backends_cost_only_time(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet, runs, per_run = stage.fleet, 10, 40
    async with asyncio.TaskGroup() as group:
        group.create_task(fleet.send_all("run", runs, per_run))
        await eventually(lambda: len(fleet.accepted) >= 100, within_s=60)
        freeze(stage.redis)
        frozen = [await fleet.probe(number) for number in range(5)]
        thaw(stage.redis)
        await eventually(lambda: len(fleet.accepted) >= 200, within_s=60)
        await stage.pubsub.kill()
        gone = [await fleet.probe(number) for number in range(5, 10)]
        await stage.pubsub.start()
    assert (frozen, gone) == ([503] * 5, [503] * 5)
    assert len(fleet.accepted) == runs * per_run
    await fleet.send_all("probe", 10, 1)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(fleet.accepted)} events, Redis frozen and Pub/Sub gone, answers {dict(fleet.statuses)}\n"
        )
    await stage.sent_in_order(
        {f"run-{number}": per_run for number in range(runs)} | {f"probe-{number}": 1 for number in range(10)}
    )
