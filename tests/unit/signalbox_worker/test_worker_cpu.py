"""The worker's view of its CPU pool: settings and metrics."""

import asyncio
import subprocess
import sys
from datetime import timedelta

from signalbox_core.pipeline import discover
from signalbox_core.process.cpu_pool import CpuPool
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.settings import Settings
from signalbox_worker.worker import open_cpu_pool

SETTINGS = Settings(
    receiver_url="http://127.0.0.1:9/v1/events", keyid="k", private_key_file="", objects_url="memory://"
)


async def test_load_and_outcomes_of_the_pool_are_metrics() -> None:
    counters = WorkerMetrics()
    async with CpuPool(processes=1, memory_bytes=300_000_000) as pool:
        counters.observe_cpu(pool)
        assert await pool.run(abs, -1, tenant="a", within=timedelta(seconds=20)) == 1

    sample = counters.registry.get_sample_value
    assert sample("signalbox_worker_cpu_calls_total", {"outcome": "completed"}) == 1
    assert (sample("signalbox_worker_cpu_busy"), sample("signalbox_worker_cpu_waiting")) == (0, 0)


def test_the_processes_of_a_worker_have_the_activities_loaded() -> None:
    """In an interpreter of its own: the first pool of a process determines what its processes have loaded."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.split() == ["PIL", "lxml", "phonenumbers", "pypdfium2", "selectolax", "tinycss2"]


def loaded_libraries() -> list[str]:
    wanted = ("PIL", "lxml", "phonenumbers", "pypdfium2", "selectolax", "tinycss2")
    return sorted(name for name in wanted if name in sys.modules)


async def _print_loaded() -> None:
    async with open_cpu_pool(SETTINGS, list(discover().values())) as pool:
        found = await pool.run(loaded_libraries, tenant="a", within=timedelta(seconds=30))
    sys.stdout.write(" ".join(found))


if __name__ == "__main__":
    asyncio.run(_print_loaded())
