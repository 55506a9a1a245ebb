"""Polling as a baseline: every listener queries Temporal once a second; measured like the other arms."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import TemporalError
from temporalio.service import RPCError

from signalbox_core.process.tasks import cancel_and_wait
from signalbox_devstack.stack.child import kill_with_parent
from support.assertions.eventually import eventually
from support.bench.polled_workflows import PolledWorkflow

QUEUE: Final = "bench-progress"


@dataclass
class Arm:
    """The results of one arm: milliseconds from the call to each listener, and the expected deliveries."""

    delays_ms: list[float] = field(default_factory=list)
    expected: int = 0

    def record_delay(self, stamp: int) -> None:
        self.delays_ms.append((time.monotonic_ns() - stamp) / 1e6)

    @property
    def p50_ms(self) -> float:
        return quantiles(self.delays_ms, n=100)[49] if len(self.delays_ms) > 1 else float("nan")

    def row(self) -> str:
        p90 = quantiles(self.delays_ms, n=100)[89] if len(self.delays_ms) > 1 else float("nan")
        return f"{self.p50_ms:>10.1f} {p90:>10.1f} {len(self.delays_ms):>7} / {self.expected}"


@contextmanager
def polled_worker(temporal: str) -> Iterator[None]:
    """The peers' worker is another process, as a pipeline's is."""
    command = [sys.executable, "-m", "support.bench.polled_workflows", temporal, QUEUE]
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parents[2],
        preexec_fn=kill_with_parent(os.getpid()),  # noqa: PLW1509
    ) as worker:
        yield
        worker.terminate()


async def polling(client: Client, count: int, arm: Arm) -> None:
    """What people do without a stream: each listener asks once a second."""
    handle = await client.start_workflow(
        PolledWorkflow.run, id=f"polled-{time.monotonic_ns()}", task_queue=QUEUE
    )

    async def listen(number: int) -> None:
        seen = 0
        await asyncio.sleep(number / count)
        while True:
            began = time.monotonic()
            with suppress(RPCError, TemporalError):
                stamp = await handle.query(PolledWorkflow.latest, rpc_timeout=timedelta(seconds=20))
                if stamp > seen:
                    seen = stamp
                    arm.record_delay(stamp)
            await asyncio.sleep(max(0.0, 1.0 - (time.monotonic() - began)))

    async def tell() -> None:
        for number in range(8):
            await asyncio.sleep(1.0 if number else 0.3)
            await handle.signal(PolledWorkflow.tell, time.monotonic_ns())
        arm.expected += 8 * count

    await with_listeners(handle, [listen(number) for number in range(count)], tell, arm)


async def with_listeners(
    handle: WorkflowHandle[Any, Any],
    listening: Sequence[Coroutine[Any, Any, None]],
    tell: Callable[[], Awaitable[None]],
    arm: Arm,
) -> None:
    listeners = {asyncio.ensure_future(each) for each in listening}
    await tell()
    with suppress(AssertionError):
        await eventually(lambda: len(arm.delays_ms) >= arm.expected, within_s=3)
    await handle.terminate()
    # Which says it again to a subscriber of Workflow Streams that swallowed it.
    await cancel_and_wait(*listeners)
