"""One tenant's hostile inputs delay no other tenant, fit into memory, and leave nothing behind."""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import msgspec
import pytest

from signalbox_admin.api_keys import generate_api_key
from signalbox_client import AsyncSignalbox
from signalbox_core.crypto.api_keys import ApiKeyFile
from signalbox_core.errors import SignalboxError
from signalbox_core.process.tasks import cancel_and_wait
from support.assertions.eventually import eventually
from support.drivers.journeys import until_ended
from support.servers.stack import RunningStack, running_stack

PAGES: Final = {
    "/nested": b"<html><title>Cup</title><img src=a.png>" + b"<div>" * 200_000,
    "/attributes": b"<html><title>Cup</title><img src=a.png><div "
    + b" ".join(b"a%d" % number for number in range(200_000))
    + b">",
}
NUMBERS: Final = b"INVOICE\nInvoice number: 1\nBill to: X\nAmount due: EUR 10.00\n" + b"123 456 789 " * 12_500
LONG_TEXT: Final = b"Lorem ipsum dolor sit amet.\n" * 1_750_000
SENTENCES: Final = " ".join(f"Word{n % 97} sits {n % 89} near {n % 83}." for n in range(9_000))[:200_000]
SMALL: Final = {
    "task": "summarise",
    "provider": "local-extractive",
    "text": "The lock was closed for nine days. Rice became dearer in the city. "
    "Forty boats wait for the tide.",
}
ENDS: Final = {
    "nested": {"page_too_complex"},
    "attributes": {"page_too_complex"},
    "long text": {"document_too_long", "too_large"},
    # Linear patterns finish it; a loaded machine may exceed the deadline.
    "numbers": {"completed", "limit_exceeded"},
    "sentences": {"completed", "limit_exceeded"},
}
RUNS: Final = 20
AT_ONCE: Final = 4
ROUNDS: Final = 2
MAX_SLOWDOWN: Final = 1.5
NOISE_S: Final = 8.0
"""Added to the bound: two cores are shared by every part of the stack, the test and the hostile work.

Without isolation the other tenant's runs did not end within 90 s.
"""
MAX_BYTES: Final = 1 << 30


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """An HTTP server with the hostile pages, as `ip:port`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = PAGES.get(self.path, b"")
            self.send_response(200 if body else 404)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, site: str) -> Iterator[RunningStack]:
    environ = {"SIGNALBOX_WORKER_FETCH_ALLOW": site}
    parts = ("--only", "gateway,receiver,worker")
    with running_stack(tmp_path_factory.mktemp("hostile"), *parts, environ=environ) as stack:
        yield stack


@pytest.fixture
async def neighbour(guarded: RunningStack) -> AsyncIterator[AsyncSignalbox]:
    """A client of another tenant."""
    key, record = generate_api_key(tenant="neighbour", roles=frozenset({"admin"}), name="bea")
    file = guarded.folder / "keys" / "api_keys.json"
    keys = msgspec.json.decode(file.read_bytes(), type=ApiKeyFile)
    new = file.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(ApiKeyFile(keys=(*keys.keys, record))))
    new.chmod(0o600)
    new.replace(file)
    async with AsyncSignalbox(str(guarded.endpoints.gateway), key) as client:

        async def accepted() -> bool:
            try:
                await client.start("ai_task", SMALL)
            except SignalboxError:
                return False
            return True

        await eventually(accepted, within_s=20, every_s=0.2)
        yield client


async def seconds_of_small_run(client: AsyncSignalbox) -> float:
    began = time.monotonic()
    started = await client.start("ai_task", SMALL)
    assert await until_ended(client, started.run_id, within_s=90) == "completed"
    return time.monotonic() - began


async def small_runs(client: AsyncSignalbox) -> list[float]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def one() -> float:
        async with limit:
            return await seconds_of_small_run(client)

    return await asyncio.gather(*(one() for _ in range(RUNS)))


async def prepared(client: AsyncSignalbox, site: str) -> dict[str, Callable[[], Awaitable[str]]]:
    """Upload the inputs first, so that the rounds measure the worker; return a start function per input."""
    long_text, numbers = [(await client.upload(body)).object for body in (LONG_TEXT, NUMBERS)]

    async def ad(path: str) -> str:
        request = {"url": f"http://{site}{path}"}
        return (await client.start("ad_creative", request)).run_id

    async def document(uploaded: str) -> str:
        return (await client.start("document", {"object": uploaded, "name": "input.txt"})).run_id

    async def summary() -> str:
        request = {"task": "summarise", "provider": "local-extractive", "text": SENTENCES, "sentences": 5}
        return (await client.start("ai_task", request)).run_id

    return {
        "nested": lambda: ad("/nested"),
        "attributes": lambda: ad("/attributes"),
        "long text": lambda: document(long_text),
        "numbers": lambda: document(numbers),
        "sentences": summary,
    }


async def end_of(client: AsyncSignalbox, start: Callable[[], Awaitable[str]]) -> str:
    """The status of a run, or the code of its error."""
    run_id = await start()
    status = await until_ended(client, run_id, within_s=120)
    error = (await client.run(run_id)).error
    return error.code if error is not None else status


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in tasks.read_text().split()]
            except OSError:
                continue
    return found


def memory_bytes(pid: int) -> int:
    total = 0
    for member in family(pid):
        try:
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total * 1024


def cpu_seconds(pid: int) -> float:
    ticks = 0
    for member in family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def watched_memory(pid: int) -> AsyncIterator[list[int]]:
    peak = [0]

    async def watch() -> None:
        while True:
            peak[0] = max(peak[0], memory_bytes(pid))
            await asyncio.sleep(0.2)

    task = asyncio.create_task(watch())
    try:
        yield peak
    finally:
        await cancel_and_wait(task)


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


@pytest.mark.timeout(600)
async def test_hostile_inputs_of_one_tenant_delay_no_other(
    guarded: RunningStack, neighbour: AsyncSignalbox, site: str
) -> None:
    worker = guarded.endpoints.pids["worker"]
    alone: list[float] = []
    together: list[float] = []
    async with guarded.client() as hostile, watched_memory(worker) as peak:
        attacks = await prepared(hostile, site)
        # Warms up every pipeline: the first run of each loads its code.
        await asyncio.gather(small_runs(neighbour), *(end_of(hostile, start) for start in attacks.values()))
        for _ in range(ROUNDS):
            alone += await small_runs(neighbour)
            attack = {name: asyncio.create_task(end_of(hostile, start)) for name, start in attacks.items()}
            together += await small_runs(neighbour)
            ends = dict(zip(attack, await asyncio.gather(*attack.values()), strict=True))
            assert all(end in ENDS[name] for name, end in ends.items()), ends
        sys.stdout.write(
            f"\np95 alone {p95(alone):.2f} s, with hostile inputs {p95(together):.2f} s;"
            f" worker and processes at most {peak[0] / 2**20:.0f} MiB; {ends}\n"
        )
    assert guarded.endpoints.pids["worker"] == worker, "the worker was replaced"
    assert p95(together) <= MAX_SLOWDOWN * p95(alone) + NOISE_S
    assert peak[0] <= MAX_BYTES
    await _until_idle(worker)


async def _until_idle(pid: int) -> None:
    """Nothing of the hostile runs goes on: over a second, hardly any CPU time is used."""

    async def idle() -> bool:
        before = cpu_seconds(pid)
        await asyncio.sleep(1)
        return cpu_seconds(pid) - before < 0.3

    await eventually(idle, within_s=30)
