"""What exported spans cost: CPU of gateway, receiver and worker a run, with traces and without. Limit: 3 %.

Two stacks run side by side and do the same runs in turns. The collector only counts what it receives.
"""

import asyncio
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, aclosing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Final

import pytest

from signalbox_client import AsyncSignalbox
from support.bench.ratios import paired_ratio
from support.process_cpu import cpu_s
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack
from support.whole.chain.contract import ChainInput

# Many turns: what the machine does besides weighs on both arms; more while it is busy.
ROUNDS, MAX_ROUNDS, RUNS, IN_FLIGHT = 10, 40, 24, 6
LIMIT, TOLERANCE = 1.03, 0.03
"""A run fails when its interval lies above the limit, or when it is far above in spite of a wide one."""
PARTS: Final = ("gateway", "receiver", "worker")


class CountingCollector:
    """Counts the requests of exporters; decoding would take CPU from what is measured."""

    def __init__(self) -> None:
        self.requests = 0
        self.url = ""


@contextmanager
def counting_collector() -> Iterator[CountingCollector]:
    collector = CountingCollector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            collector.requests += 1
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is written to standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def pids(stack: RunningStack) -> list[int]:
    return [pid for name, pid in stack.endpoints.pids.items() if name.rstrip("-0123456789") in PARTS]


async def complete(client: AsyncSignalbox) -> None:
    run_id = (await client.start("chain", ChainInput())).run_id
    async with aclosing(client.watch(run_id)) as updates:
        async for update in updates:
            if update.has_ended:
                assert update.snapshot.status == "completed", update.snapshot.error
                return


async def cpu_ms(stack: RunningStack, client: AsyncSignalbox) -> float:
    """CPU milliseconds a run, of RUNS runs with IN_FLIGHT at a time."""
    left = iter(range(RUNS))

    async def one_after_another() -> None:
        for _ in left:
            await complete(client)

    measured = pids(stack)
    before = cpu_s(measured)
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(one_after_another())
    return (cpu_s(measured) - before) / RUNS * 1000


@pytest.fixture
def stacks(tmp_path: Path) -> Iterator[Mapping[str, RunningStack]]:
    environ = {
        "PYTHONPATH": install_pipelines(tmp_path / "installed", "whole", "support.whole"),
        "SIGNALBOX_GATEWAY_REQUESTS_PER_S": "100000",
    }
    with counting_collector() as collector, ExitStack() as opened:
        # A short delay: the spans of a turn are exported within it.
        traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        yield {
            name: opened.enter_context(
                running_stack(tmp_path / name, "--only", ",".join(PARTS), environ=environ | added)
            )
            for name, added in (("traced", traced), ("plain", {}))
        }
        assert collector.requests > 0


@pytest.mark.timeout(1800)
async def test_traces_cost_little_cpu(stacks: Mapping[str, RunningStack]) -> None:
    used: dict[str, list[float]] = {name: [] for name in stacks}
    async with stacks["traced"].client() as traced, stacks["plain"].client() as plain:
        clients = {"traced": traced, "plain": plain}
        for name, stack in stacks.items():
            await cpu_ms(stack, clients[name])
        for turn in range(MAX_ROUNDS):
            for name in sorted(stacks, reverse=bool(turn % 2)):
                used[name].append(await cpu_ms(stacks[name], clients[name]))
            if turn + 1 >= ROUNDS and paired_ratio(used["traced"], used["plain"]).is_narrow(TOLERANCE):
                break

    ratio = paired_ratio(used["traced"], used["plain"])
    with_, without = median(used["traced"]), median(used["plain"])
    sys.stdout.write(
        f"\nCPU of a run with traces {with_:.0f} ms, without {without:.0f} ms, ratio "
        f"{ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f}) after {len(used['plain'])} turns\n"
    )
    assert ratio.low <= LIMIT
    assert ratio.value <= LIMIT + TOLERANCE
