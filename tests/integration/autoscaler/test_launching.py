"""The autoscaler process with a real Temporal server and Redis: launches, adoption, cancellation."""

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from signalbox_autoscaler.actuate.executor import build_launch_spec
from signalbox_autoscaler.actuate.launch_ledger import LEASE_KEYS, LaunchLedger
from signalbox_autoscaler.audit.recompute import recompute
from signalbox_autoscaler.model import Binding, Launch, LaunchState, ScalingPolicy
from signalbox_autoscaler.providers.cloud_run import CloudRunJobs
from signalbox_autoscaler.providers.provider import ExecutionState
from signalbox_core.redis.lease import Lease
from support.assertions.eventually import eventually
from support.drivers.scaled_queue import Scaled, scaled_queue
from support.installed.nap.contract import NapInput
from support.servers.providers import JOB, cloud_run_program, set_faults

WORKER = [sys.executable, "-m", "signalbox_worker"]


@pytest.fixture
async def scaled(temporal_address: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Scaled]:
    async with scaled_queue(tmp_path, temporal_address, redis_url) as driver:
        yield driver


async def test_it_scales_out_drains_the_backlog_and_scales_in_to_zero(
    scaled: Scaled,
) -> None:
    async with scaled.base(slots=4), scaled.autoscaler({"max_workers": 3}):
        handle = await scaled.start(NapInput(naps=250, shortest_s=0.2, longest_s=1.0))
        result = await handle.result()

        async def is_scaled_in() -> bool:
            last = await scaled.last()
            return last is not None and last.terms.workers == 0 and not await scaled.launches()

        await eventually(is_scaled_in, within_s=60, every_s=0.5)
    records = await scaled.records()
    assert (result.naps, result.attempts) == (250, 250)
    assert sum(launch.workers for record in records for launch in record.launches) >= 1
    assert max(record.terms.capacity for record in records) >= 24
    recomputed = recompute(records)
    assert recomputed.differences == ()
    assert recomputed.decided == len(records)


async def test_a_backlog_of_terminated_runs_gets_at_most_two_probe_workers(
    scaled: Scaled,
) -> None:
    """The 400 tasks of terminated runs stay counted until a worker discards them."""
    async with scaled.base(slots=1):
        handles = [
            await scaled.start(NapInput(naps=200, shortest_s=300, longest_s=300, timeout_s=900))
            for _ in range(2)
        ]

        async def is_scheduled() -> bool:
            histories = [await handle.fetch_history() for handle in handles]
            return all(
                sum(event.event_type == 10 for event in history.events) == 200 for history in histories
            )

        await eventually(is_scheduled, within_s=60, every_s=0.5)
        for handle in handles:
            await handle.terminate()
    async with scaled.autoscaler():
        await eventually(lambda: is_discarded(scaled), within_s=90, every_s=0.5)
    launched = sum(launch.workers for launch in await scaled.launched())
    assert 1 <= launched <= 2


async def is_discarded(scaled: Scaled) -> bool:
    records = await scaled.records()
    return (
        bool(records)
        and max(record.snapshot.activities for record in records) >= 390
        and records[-1].snapshot.activities == 0
    )


async def test_a_launch_whose_response_is_late_is_adopted_and_not_repeated(
    scaled: Scaled,
) -> None:
    async with cloud_run_program(WORKER, environ=scaled.worker_environment()) as address:
        await set_faults(address, slow_replies=1, slow_reply_s=60, zombies=0)
        settings = {
            "provider": "cloud_run",
            "cloud_run_job": JOB,
            "cloud_run_endpoint": address,
        }
        async with (
            scaled.base(slots=4),
            scaled.autoscaler({"max_workers": 1}, **settings),
        ):
            handle = await scaled.start(NapInput(naps=250, shortest_s=0.5, longest_s=1.0))

            async def is_adopted() -> bool:
                return any(
                    launch.handle and launch.state is LaunchState.RUNNING
                    for launch in await scaled.launches()
                )

            await eventually(is_adopted, within_s=60, every_s=0.25)
            await handle.result()
    assert len(await scaled.launched()) == 1, [record.sentence for record in await scaled.records()]


async def test_launches_without_workers_are_cancelled_and_open_the_circuit_breaker(
    scaled: Scaled,
) -> None:
    policy = {
        "pending_timeout_s": 3,
        "cold_start_s": 1,
        "breaker_launches": 2,
        "max_workers": 1,
        "budget_per_day": '"1.00"',
    }
    async with cloud_run_program(WORKER, environ=scaled.worker_environment()) as address:
        await set_faults(address, zombies=10)
        settings = {
            "provider": "cloud_run",
            "cloud_run_job": JOB,
            "cloud_run_endpoint": address,
        }
        async with scaled.base(slots=2), scaled.autoscaler(policy, **settings):
            handle = await scaled.start(NapInput(naps=250, shortest_s=1, longest_s=2))

            async def is_breaker_open() -> bool:
                last = await scaled.last()
                return last is not None and last.binding is Binding.BREAKER and not await scaled.launches()

            await eventually(is_breaker_open, within_s=60, every_s=0.25)
            await handle.terminate()
    records = await scaled.records()
    cancelled = [name for record in records for name in record.cancel]
    assert len(set(cancelled)) == 2
    assert len(await scaled.launched()) == 2
    spent = await LaunchLedger(scaled.redis, Lease(scaled.redis, LEASE_KEYS)).spent(records[-1].at)
    assert 0 < spent.day[scaled.queue] < 2 * records[0].policy.reserve(1), (
        "the unused reservations were returned"
    )


async def test_a_launch_that_redis_lost_is_adopted_while_its_worker_runs(scaled: Scaled) -> None:
    async with cloud_run_program(WORKER, environ=scaled.worker_environment()) as address:
        settings = {"provider": "cloud_run", "cloud_run_job": JOB, "cloud_run_endpoint": address}
        async with (
            scaled.base(slots=2),
            scaled.autoscaler({"max_workers": 1, "idle_exit_s": 60}, **settings),
        ):
            handle = await scaled.start(NapInput(naps=250, shortest_s=1, longest_s=2))

            async def running() -> list[Launch]:
                found = await scaled.launches()
                return [launch for launch in found if launch.state is LaunchState.RUNNING]

            lost = (await eventually(running, within_s=60, every_s=0.25))[0]
            await scaled.redis.flushall()
            adopted = (await eventually(running, within_s=60, every_s=0.25))[0]
            await handle.terminate()
        provider = CloudRunJobs(JOB, endpoint=address)
        executions = await provider.executions()
        await provider.aclose()
    assert (adopted.launch_id, adopted.handle, adopted.workers) == (lost.launch_id, lost.handle, 1)
    assert (adopted.slots, adopted.reserved) == (lost.slots, lost.reserved)
    assert [(item.launch_id, item.cancelled) for item in executions] == [(lost.launch_id, 0)]


async def test_an_execution_that_is_not_in_the_ledger_and_never_polls_is_cancelled(scaled: Scaled) -> None:
    """A request of an earlier leader, accepted after its launch had been abandoned."""
    now = datetime.now(UTC)
    late = Launch(launch_id="b-late", queue=scaled.queue, workers=1, slots=20, requested_at=now, eta_at=now)
    async with cloud_run_program(WORKER, environ=scaled.worker_environment()) as address:
        await set_faults(address, zombies=1)
        provider = CloudRunJobs(JOB, endpoint=address)
        await provider.launch(build_launch_spec(late, ScalingPolicy()))
        settings = {"provider": "cloud_run", "cloud_run_job": JOB, "cloud_run_endpoint": address}
        async with scaled.autoscaler(**settings):

            async def is_cancelled() -> bool:
                found = [item.state for item in await provider.executions()]
                return found == [ExecutionState.CANCELLED] and not await scaled.launches()

            await eventually(is_cancelled, within_s=60, every_s=0.25)
        await provider.aclose()
    spent = await LaunchLedger(scaled.redis, Lease(scaled.redis, LEASE_KEYS)).spent(now)
    assert spent.day[scaled.queue] > 0, "what it ran for is charged"


async def test_an_exhausted_budget_stops_launches(scaled: Scaled) -> None:
    async with scaled.base(slots=2), scaled.autoscaler({"budget_per_hour": '"0.0001"'}):
        handle = await scaled.start(NapInput(naps=250, shortest_s=1, longest_s=2))

        async def is_held() -> bool:
            last = await scaled.last()
            return last is not None and last.binding is Binding.HOUR_BUDGET

        await eventually(is_held, within_s=60, every_s=0.25)
        await handle.terminate()
    assert await scaled.launched() == []


async def test_a_dry_run_decides_and_launches_nothing(scaled: Scaled) -> None:
    async with scaled.base(slots=2), scaled.autoscaler(provider="none"):
        handle = await scaled.start(NapInput(naps=250, shortest_s=1, longest_s=2))
        await eventually(scaled.launched, within_s=60, every_s=0.25)
        await handle.terminate()
    assert await scaled.launches() == []
    assert all(record.dry_run for record in await scaled.records())
    assert not (scaled.folder / "launches").exists()
