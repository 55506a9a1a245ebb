"""The autoscaler with real processes: 2,000 activities on a base of ten slots, out and back to nothing,
against the base alone.

Prints the course and writes it as a picture: `SIGNALBOX_BENCH_PLOT=course.svg`.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from signalbox_autoscaler.audit.recompute import recompute
from signalbox_autoscaler.model import ScalingDecisionRecord
from signalbox_simulator.outcome import FleetSample, SimulationOutcome
from signalbox_simulator.plot import plot
from support.assertions.eventually import eventually
from support.drivers.scaled_queue import Scaled, scaled_queue
from support.installed.nap.contract import NapInput

RUNS: Final = 8
NAPS: Final = 250
BASE_SLOTS: Final = 10
SHORTEST_S, LONGEST_S = 0.2, 1.0
POLICY: Final = {
    "slots_per_worker": 50,
    "workers_per_launch": 1,
    "slo_s": 20,
    "cold_start_s": 5,
    "idle_exit_s": 10,
    "max_workers": 4,
}


async def test_a_burst_scales_out_drains_and_retires_to_nothing(
    temporal_address: str, redis_url: str, tmp_path: Path
) -> None:
    async with scaled_queue(tmp_path, temporal_address, redis_url) as scaled:
        async with scaled.base(slots=BASE_SLOTS), scaled.autoscaler(POLICY):
            began = asyncio.get_running_loop().time()
            handles = [
                await scaled.start(NapInput(naps=NAPS, shortest_s=SHORTEST_S, longest_s=LONGEST_S))
                for _ in range(RUNS)
            ]
            results = [await handle.result() for handle in handles]
            done_s = asyncio.get_running_loop().time() - began
            await eventually(lambda: _is_gone(scaled), within_s=120, every_s=0.5)
            gone_s = asyncio.get_running_loop().time() - began
        records = await scaled.records()
    alone_s = RUNS * NAPS * (SHORTEST_S + LONGEST_S) / 2 / BASE_SLOTS
    _show(records, done_s=done_s, gone_s=gone_s, alone_s=alone_s)
    assert sum(result.naps for result in results) == RUNS * NAPS
    assert sum(result.attempts for result in results) == RUNS * NAPS
    assert records[-1].terms.workers == 0
    assert recompute(records).differences == ()
    assert done_s < 0.9 * alone_s


async def _is_gone(scaled: Scaled) -> bool:
    last = await scaled.last()
    return last is not None and last.terms.workers == 0 and not await scaled.launches()


def _show(
    records: Sequence[ScalingDecisionRecord],
    *,
    done_s: float,
    gone_s: float,
    alone_s: float,
) -> None:
    first = records[0].at
    launched = sum(launch.workers for record in records for launch in record.launches)
    peak = max(record.terms.capacity for record in records)
    lines = [
        f"{RUNS * NAPS:,} activities: done after {done_s:.1f} s (base alone: {alone_s:.0f} s at best), "
        f"no burst left after {gone_s:.1f} s",
        f"bursts launched: {launched}; slots at the peak: {peak}; decisions: {len(records)}",
        *(
            f"  {_since(record, first):6.1f} s  {record.sentence}"
            for record in records
            if record.launches or record.retire
        ),
    ]
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    if target := os.environ.get("SIGNALBOX_BENCH_PLOT"):
        outcome = SimulationOutcome(
            trace="naps",
            scaler="autoscaler, real processes",
            seed=0,
            activities=RUNS * NAPS,
            makespan_s=done_s,
            burst_worker_s=0.0,
            p50_wait_s=0.0,
            p95_wait_s=0.0,
            launched=launched,
            peak=peak,
            reexecuted=0,
            course=tuple(_point(record, first) for record in records),
        )
        Path(target).write_text(
            plot(f"{RUNS * NAPS:,} activities on a base of {BASE_SLOTS} slots", [outcome]),
            encoding="utf-8",
        )


def _point(record: ScalingDecisionRecord, first: datetime) -> FleetSample:
    terms = record.terms
    return FleetSample(_since(record, first), terms.backlog, terms.used, terms.capacity, terms.workers)


def _since(record: ScalingDecisionRecord, first: datetime) -> float:
    return (record.at - first).total_seconds()
