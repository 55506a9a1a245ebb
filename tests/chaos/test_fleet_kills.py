"""Suspended and killed processes: the leader during a launch, busy burst workers, exiting workers."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import PendingActivityState

from signalbox_autoscaler.model import LaunchState, ScalingDecisionRecord
from signalbox_autoscaler.providers.cloud_run import CloudRunJobs
from support.assertions.eventually import eventually
from support.drivers.scaled_queue import Scaled, scaled_queue
from support.installed.nap.contract import NapInput
from support.servers.autoscaler import leader
from support.servers.nap_worker import nap_worker
from support.servers.providers import JOB, cloud_run_program, set_faults

STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
WORKER = [sys.executable, "-m", "signalbox_worker"]
EXITS = int(os.environ.get("SIGNALBOX_TEST_EXITS", "8"))
"""Clean exits under a backlog; the full run takes 32."""


@pytest.fixture
async def scaled(temporal_address: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Scaled]:
    async with scaled_queue(tmp_path, temporal_address, redis_url) as driver:
        yield driver


async def test_a_leader_suspended_during_a_launch_leaves_one_launch(scaled: Scaled) -> None:
    """The leader is suspended while it waits for Cloud Run's late answer, another adopts the launch, and the
    first one resumes."""
    async with cloud_run_program(WORKER, environ=scaled.worker_environment()) as address:
        await set_faults(address, slow_replies=1, slow_reply_s=10)
        settings = {"provider": "cloud_run", "cloud_run_job": JOB, "cloud_run_endpoint": address}
        async with (
            scaled.base(slots=2),
            scaled.autoscaler({"max_workers": 1}, log="one.log", **settings) as one,
        ):
            await eventually(lambda: leader(scaled.redis), within_s=30)
            first_leader = await leader(scaled.redis)
            async with scaled.autoscaler({"max_workers": 1}, log="two.log", **settings):
                handle = await scaled.start(NapInput(naps=250, shortest_s=0.5, longest_s=1.0))
                provider = CloudRunJobs(JOB, endpoint=address)
                await eventually(provider.executions, within_s=60, every_s=0.1)
                one.send_signal(signal.SIGSTOP)

                async def is_adopted() -> bool:
                    found = await scaled.launches()
                    return await leader(scaled.redis) not in (None, first_leader) and any(
                        launch.state is LaunchState.RUNNING for launch in found
                    )

                await eventually(is_adopted, within_s=60, every_s=0.25)
                second_leader = await leader(scaled.redis)
                one.send_signal(signal.SIGCONT)
                assert (await handle.result()).naps == 250
                executions = await provider.executions()
                await provider.aclose()
    launched = [launch.launch_id for launch in await scaled.launched()]
    assert len(launched) <= 1, "the second leader launched nothing"
    assert len(executions) == 1, "one execution for one launch"
    assert second_leader is not None
    assert int(second_leader.rpartition(":")[2]) in {record.epoch for record in await scaled.records()}


async def test_a_killed_burst_worker_is_not_counted_after_three_heartbeats(scaled: Scaled) -> None:
    async with scaled.base(slots=2), scaled.autoscaler({"max_workers": 1, "idle_exit_s": 60}):
        handle = await scaled.start(NapInput(naps=250, shortest_s=1, longest_s=2, timeout_s=8))

        async def capacity() -> int:
            last = await scaled.last()
            return last.terms.capacity if last else 0

        async def is_launched() -> bool:
            return await capacity() >= 20

        await eventually(is_launched, within_s=60, every_s=0.2)
        heartbeat = (await scaled.heartbeats())[0]
        os.kill(int(heartbeat.host_info.process_id), signal.SIGKILL)
        killed_at = datetime.now(UTC)

        async def uncounted_at() -> datetime | None:
            later = [
                record
                for record in await scaled.records()
                if record.at > killed_at and record.terms.capacity < 20
            ]
            return later[0].at if later else None

        at = await eventually(uncounted_at, within_s=30, every_s=0.2)
        await handle.terminate()
    # Three heartbeat intervals of a second, and the tick after them.
    ticks = [record for record in await scaled.records() if killed_at < record.at < at]
    counted_for_s = max(
        [(record.at - heartbeat_in(record, heartbeat.worker_identity)).total_seconds() for record in ticks],
        default=0.0,
    )
    assert counted_for_s <= 3.0


def heartbeat_in(record: ScalingDecisionRecord, identity: str) -> datetime:
    workers = record.snapshot.workers
    return next(worker.heartbeat_at for worker in workers if worker.identity == identity)


async def test_workers_that_exit_under_a_backlog_lose_almost_no_task(scaled: Scaled) -> None:
    """Each worker is terminated while hundreds of tasks wait. A lost task stays started, without a worker."""
    async with scaled.base(slots=1):
        request = NapInput(naps=150, shortest_s=0.1, longest_s=0.5, timeout_s=3_600)
        handles = [await scaled.start(request) for _ in range(3)]
        codes: list[int] = []
        for number in range(EXITS):
            handles.append(await scaled.start(request))
            environment = scaled.worker_environment(
                max_activities=40, burst_launch=f"exit-{number}", burst_idle_s=300
            )
            async with nap_worker(environment, scaled.folder / "burst.log") as process:
                await eventually(
                    partial(has_processed, scaled, f"burst:exit-{number}:0", 40), within_s=60, every_s=0.1
                )
                process.send_signal(signal.SIGTERM)
                codes.append(await asyncio.wait_for(process.wait(), 60))
        waiting = [await handle.describe() for handle in handles]
    pending = [activity for found in waiting for activity in found.raw_description.pending_activities]
    lost = [
        item for item in pending if item.state == STARTED and item.last_worker_identity.startswith("burst:")
    ]
    sys.stdout.write(
        f"\n{EXITS} clean exits, {len(pending)} tasks still waiting: {len(lost)} tasks lost,"
        f" {len(lost) / EXITS:.3f} per exit\n"
    )
    assert codes == [0] * EXITS
    assert pending, "the backlog outlasted the exits"
    assert len(lost) <= max(1, EXITS // 10)


async def has_processed(scaled: Scaled, identity: str, count: int) -> bool:
    found = [item for item in await scaled.heartbeats() if item.worker_identity == identity]
    return bool(found) and found[0].activity_task_slots_info.total_processed_tasks >= count
