"""Failed runs retried in bulk by the command line: each once, the refused listed, the gateway's memory flat.

`SIGNALBOX_BENCH_FAILED_RUNS` sets the number of runs. The embedded Temporal server on SQLite limits the rate,
not the command.
"""

import asyncio
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

import msgspec
import pytest

from signalbox_client import AsyncSignalbox
from signalbox_core.errors import Unavailable
from support.assertions.eventually import eventually
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack

log = logging.getLogger(__name__)
RUNS: Final = int(os.environ.get("SIGNALBOX_BENCH_FAILED_RUNS", "200"))
PER_SECOND: Final = 50
IN_FLIGHT: Final = 20
RETRIED_BY_OTHERS: Final = 5
PATIENCE_S: Final = 120 + RUNS
GROWTH: Final = 1.25
"""Of the gateway's memory, from a quarter of the retries to their end."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    environ = {
        "PYTHONPATH": install_pipelines(tmp_path_factory.mktemp("installed"), "staged", "support.staged"),
        "SIGNALBOX_GATEWAY_REQUESTS_PER_S": "100000",
    }
    parts = ("--only", "gateway,receiver,worker")
    with running_stack(tmp_path_factory.mktemp("bulk"), *parts, environ=environ) as running:
        yield running


@pytest.mark.timeout(600 + 2 * RUNS)
async def test_failed_runs_are_retried_once_each(stack: RunningStack, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    async with stack.client() as client:
        runs = await fail_runs(client, tmp_path)
        (tmp_path / "broken").unlink()
        # The newest runs are listed first, so these are retried last.
        others = runs[:RETRIED_BY_OTHERS]

        memory: list[float] = []
        answers: dict[str, dict[str, str]] = {}
        began_at = time.monotonic()
        async with aclosing(bulk_retry(stack)) as lines:
            async for answer in lines:
                if not answers:
                    # The command has listed the runs; others retry some of them meanwhile.
                    await asyncio.gather(*(client.retry(run_id) for run_id in others), return_exceptions=True)
                answers[answer["run_id"]] = answer
                memory.append(resident_mb(stack.endpoints.pids["gateway"]))
        took_s = time.monotonic() - began_at
        refused = {run_id: answer["code"] for run_id, answer in answers.items() if "code" in answer}
        await until_count(client, "completed", RUNS)

    assert set(answers) == set(runs)
    assert set(refused) <= set(others)
    assert set(refused.values()) <= {"not_failed"}
    work = Counter((tmp_path / run_id).read_text() for run_id in runs)
    assert work == {"first-0\nsecond-0\nthird-0\n": RUNS}
    log.info(
        "%d retries at %.1f/s, %d refused; gateway %.0f → %.0f MB",
        len(answers),
        len(answers) / took_s,
        len(refused),
        memory[RUNS // 4],
        memory[-1],
    )
    assert memory[-1] <= GROWTH * memory[RUNS // 4]


async def fail_runs(client: AsyncSignalbox, folder: Path) -> list[str]:
    slots = asyncio.Semaphore(IN_FLIGHT)
    given = {"folder": str(folder), "fail_at": "third"}

    async def start() -> str:
        async with slots:
            return (await client.start("stages", given)).run_id

    runs = await asyncio.gather(*(start() for _ in range(RUNS)))
    await until_count(client, "failed", RUNS)
    return runs


async def until_count(client: AsyncSignalbox, status: str, count: int) -> None:
    """Wait until Temporal lists that many runs of the pipeline with this status."""

    async def reached() -> bool:
        try:
            return await count_runs(client, f"status:{status} pipeline:stages") >= count
        except Unavailable:
            return False

    await eventually(reached, within_s=PATIENCE_S, every_s=2)


async def count_runs(client: AsyncSignalbox, query: str) -> int:
    found: set[str] = set()
    cursor = None
    while True:
        page = await client.runs(query, limit=200, cursor=cursor)
        found.update(item.run_id for item in page.runs)
        cursor = page.next_cursor
        if cursor is None:
            return len(found)


async def bulk_retry(stack: RunningStack) -> AsyncGenerator[dict[str, str], None]:
    """Run `signalbox retry --where` and yield its lines of JSON."""
    endpoints = stack.endpoints
    process = await asyncio.create_subprocess_exec(
        *_command("status:failed pipeline:stages"),
        stdout=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "SIGNALBOX_URL": str(endpoints.gateway),
            "SIGNALBOX_API_KEY": endpoints.api_keys["admin"],
        },
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            yield msgspec.json.decode(line)
        assert await process.wait() in (0, 1)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _command(query: str) -> Sequence[str]:
    program = Path(sys.executable).with_name("signalbox")
    return (str(program), "--json", "retry", "--where", query, "--per-second", str(PER_SECOND))


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
