"""One process and its listeners: our gateway against a bare protocol, a bare ASGI endpoint, sse-starlette and
polling.

The gateway is the whole one, as it is deployed; every arm subscribes to the same Redis channels, fed by the
same appends. Deliveries are counted in lockstep (the next event when the last listener has the one before),
so nothing is coalesced, and per CPU-second of the server, so that other load on the machine counts little.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Final
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from signalbox_core.temporal import connect
from signalbox_devstack.stack.child import kill_with_parent
from support.assertions.eventually import eventually
from support.bench.many_listeners import Listener, Server, Source, listening
from support.bench.polling import Arm, polled_worker, polling
from support.process_cpu import TICKS_PER_S
from support.servers import backends
from support.servers.stack import RunningStack, running_stack

COUNTS: Final = tuple(
    int(count) for count in os.environ.get("SIGNALBOX_BENCH_LISTENERS", "200,1000,5000").split(",")
)
ROUNDS: Final = int(os.environ.get("SIGNALBOX_BENCH_ROUNDS", "3"))
PEERS: Final = ("protocol", "asgi", "sse")
DELIVERIES: Final = 60_000
UNICAST_PER_S, UNICAST_S = 1_000, 2.0
IDLE_S: Final = 3.0
STALLED, STALLED_EVENTS = 50, 10_000


@dataclass
class Found:
    """What one arm gave, each list an item a round."""

    deliveries_per_s: list[float] = field(default_factory=list)
    rss_kb: dict[int, float] = field(default_factory=dict)
    unicast_ms: list[float] = field(default_factory=list)
    idle_cpu: list[float] = field(default_factory=list)
    wrong: int = 0


async def delivered(name: str, listeners: Sequence[Listener], number: int) -> None:
    """Wait until every listener has received the event of this number."""

    def behind() -> list[int]:
        return [item.last for item in listeners if item.last < number]

    try:
        await eventually(lambda: all(item.last >= number for item in listeners), within_s=180, every_s=0.001)
    except AssertionError:
        raise AssertionError(
            f"{name}: {len(behind())} of {len(listeners)} listeners lack event {number}: {behind()[:5]}"
        ) from None


async def in_lockstep(server: Server, source: Source, run_id: str, listeners: Sequence[Listener]) -> float:
    """Deliveries per CPU-second of the server."""
    events = max(10, DELIVERIES // len(listeners))
    before = server.cpu_s()
    for _ in range(events):
        number = await source.tell(run_id)
        await delivered(server.name, listeners, number)
    return events * len(listeners) / max(server.cpu_s() - before, 1 / TICKS_PER_S)


async def one_by_one(source: Source, runs: Sequence[str], listeners: Sequence[Listener]) -> None:
    """A thousand events a second, each to one listener."""
    began, total = time.monotonic(), int(UNICAST_PER_S * UNICAST_S)
    for number in range(0, total, 10):
        await asyncio.gather(*(source.tell(runs[(number + place) % len(runs)]) for place in range(10)))
        await asyncio.sleep(max(0.0, began + (number + 10) / UNICAST_PER_S - time.monotonic()))
    expected = {run_id: source.told(run_id) for run_id in runs}
    await eventually(
        lambda: all(item.last == expected[run_id] for item, run_id in zip(listeners, runs, strict=True)),
        within_s=30,
    )


async def measure(server: Server, source: Source, count: int, turn: int, found: Found) -> None:
    shared = f"bench-{server.name}-{count}-{turn}"
    await source.begin(shared)
    async with listening(server, source, [shared] * count) as listeners:
        found.rss_kb.setdefault(count, server.rss_kb())
        found.deliveries_per_s.append(await in_lockstep(server, source, shared, listeners))
        before = server.cpu_s()
        await asyncio.sleep(IDLE_S)
        found.idle_cpu.append((server.cpu_s() - before) / IDLE_S)
        found.wrong += sum(item.wrong for item in listeners)
    if count == COUNTS[0]:
        runs = [f"{shared}-{number}" for number in range(count)]
        for run_id in runs:
            await source.begin(run_id)
        async with listening(server, source, runs, found.unicast_ms) as listeners:
            await one_by_one(source, runs, listeners)
            found.wrong += sum(item.wrong for item in listeners)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningStack]:
    for name in ("", "_PER_PRINCIPAL", "_PER_TENANT", "_PER_ADDRESS"):
        monkeypatch.setenv(f"SIGNALBOX_GATEWAY_MAX_LISTENERS{name}", "6000")
    monkeypatch.setenv("SIGNALBOX_GATEWAY_REQUESTS_PER_S", "100000")
    with running_stack(tmp_path / "stack", "--only", "gateway") as started:
        yield started


@contextmanager
def peer(name: str, redis: str) -> Iterator[Server]:
    port = backends.free_port()
    command = [sys.executable, "-m", "support.bench.fanout_peers", name, str(port), redis]
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parents[1],
        preexec_fn=kill_with_parent(os.getpid()),  # noqa: PLW1509
    ) as process:
        try:
            yield Server(name, process.pid, port)
        finally:
            process.kill()


def ours(stack: RunningStack) -> Server:
    endpoints = stack.endpoints
    port = int(urlsplit(str(endpoints.gateway)).port or 0)
    return Server(
        "signalbox",
        endpoints.pids["gateway"],
        port,
        f"Authorization: Bearer {endpoints.api_keys['admin']}\r\n",
    )


@pytest.mark.timeout(1800)
async def test_fan_out_of_one_process(stack: RunningStack) -> None:
    results: dict[tuple[str, int], Found] = {}
    async with AsyncExitStack() as opened:
        client = await opened.enter_async_context(Redis.from_url(str(stack.endpoints.redis)))
        source = Source(client)
        arms = [
            ours(stack),
            *(opened.enter_context(peer(name, str(stack.endpoints.redis))) for name in PEERS),
        ]
        for arm in arms:
            await eventually(lambda arm=arm: backends.is_listening(arm.port), within_s=30)
        for turn in range(ROUNDS):
            for count in COUNTS:
                for arm in arms[turn % len(arms) :] + arms[: turn % len(arms)]:
                    await measure(arm, source, count, turn, results.setdefault((arm.name, count), Found()))
        stalled_kb, sent_kb = await stalled(arms[0], source)
        asked = await polled(stack)
        drained_s, left = await drain(stack, source, COUNTS[-1])
    print(table(results, arms))  # noqa: T201 - the table is what a bench is for
    print(  # noqa: T201
        f"polling, 200 listeners: p50 {asked.p50_ms:.0f} ms; "
        f"drain of {COUNTS[-1]}: {drained_s:.1f} s, {left} cut off"
    )
    print(  # noqa: T201
        f"a listener that reads nothing, after {STALLED_EVENTS:,} events: "
        f"{stalled_kb:.0f} KB of {sent_kb:,.0f} KB sent"
    )
    assert sum(found.wrong for found in results.values()) == 0
    assert stalled_kb <= 0.2 * sent_kb
    assert left == 0
    for count in COUNTS:
        mine, bare, usual = (
            median(results[name, count].deliveries_per_s) for name in ("signalbox", "asgi", "sse")
        )
        assert mine >= 0.75 * bare, (count, mine, bare)
        assert mine >= 2 * usual, (count, mine, usual)
    assert slope_kb(results, "signalbox") <= 1.6 * slope_kb(results, "asgi")
    assert slope_kb(results, "signalbox") <= 0.7 * slope_kb(results, "sse")
    assert asked.p50_ms >= 100 * quantiles(results["signalbox", COUNTS[0]].unicast_ms, n=100)[49]


async def stalled(server: Server, source: Source) -> tuple[float, float]:
    """KB of server memory for each listener that reads nothing, and KB sent to the one that reads
    everything."""
    await source.begin("bench-stalled")
    async with listening(server, source, ["bench-stalled"] * (STALLED + 1)) as (healthy, *idle):
        before = server.rss_kb()
        for item in idle:
            item.transport.pause_reading()
        for _ in range(STALLED_EVENTS):
            number = await source.tell("bench-stalled")
        await eventually(lambda: healthy.last == number, within_s=60)
        return (server.rss_kb() - before) / STALLED, healthy.received_bytes / 1024


async def polled(stack: RunningStack) -> Arm:
    """What a browser sees that asks Temporal once a second, with 200 of them."""
    arm, temporal = Arm(), str(stack.endpoints.temporal)
    with polled_worker(temporal):
        await polling(await connect(temporal, "default"), 200, arm)
    return arm


async def drain(stack: RunningStack, source: Source, count: int) -> tuple[float, int]:
    """SIGTERM with open streams: seconds until all have ended, and how many ended without a complete body."""
    await source.begin("bench-drain")
    server = ours(stack)
    async with listening(server, source, ["bench-drain"] * count) as listeners:
        began = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        with suppress(AssertionError):
            await eventually(lambda: all(item.is_over for item in listeners), within_s=30)
        return time.monotonic() - began, sum(not item.is_over for item in listeners)


def slope_kb(results: Mapping[tuple[str, int], Found], name: str) -> float:
    """Memory of one more connection, from the first round."""
    few, many = COUNTS[-2], COUNTS[-1]
    return (results[name, many].rss_kb[many] - results[name, few].rss_kb[few]) / (many - few)


def table(results: Mapping[tuple[str, int], Found], arms: Sequence[Server]) -> str:
    lines = [
        "",
        row("arm", "listeners", "deliveries/CPU-s", "of asgi", "idle CPU %", "KB/conn", "unicast p50/p99 ms"),
    ]
    for count in COUNTS:
        bare = median(results["asgi", count].deliveries_per_s)
        for arm in arms:
            found = results[arm.name, count]
            rate = median(found.deliveries_per_s)
            cuts = quantiles(found.unicast_ms, n=100) if found.unicast_ms else None
            unicast = f"{cuts[49]:.2f} / {cuts[98]:.1f}" if cuts else ""
            memory = f"{slope_kb(results, arm.name):.1f}" if count == COUNTS[-1] else ""
            idle = f"{100 * median(found.idle_cpu):.1f}"
            lines.append(
                row(arm.name, str(count), f"{rate:,.0f}", f"{rate / bare:.2f}", idle, memory, unicast)
            )
    return "\n".join(lines)


def row(*cells: str) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, (10, 10, 18, 9, 12, 9, 20), strict=True))
