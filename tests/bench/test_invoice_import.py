"""How much of the permitted rate an import uses, the CPU per invoice, and the speed-up with more workers.

The baseline is a bare loop with httpx2.

`IMPORT_FULL=1` takes more companies and invoices.
"""

import asyncio
import io
import os
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from msgspec import Struct

from signalbox_devstack.emulators.portal.companies import companies
from support.drivers.invoice_imports import (
    LAST,
    answering_captchas,
    check_import,
    imported,
    pace,
    politeness,
    start_import,
)
from support.process_cpu import cpu_s
from support.process_memory import resident_bytes
from support.servers.portal import Portal, PortalVisitor, running_portal, search_of, visiting
from support.servers.stack import RunningStack, running_stack

FULL: Final = os.environ.get("IMPORT_FULL") == "1"
COMPANIES: Final = companies(100)
JULY: Final = "2026-07-31"
SPACING_MS: Final = 100
INVOICES: Final = 600 if FULL else 200
PACED: Final = 600
"""A minute's worth: what lies between lists, months and batches must not hide in a short run, nor fill it."""
MANY: Final = (16, 150) if FULL else (8, 80)
"""Companies and invoices of each, in each arm of the scaling."""
SLOTS: Final = 2


class World(Struct, frozen=True):
    portal: Portal
    stack: RunningStack


@contextmanager
def world(
    folder: Path, *, invoices: int, workers: int, latency_ms: int, months: int = 3, environ: Mapping[str, str]
) -> Iterator[World]:
    books = ("--companies", "100", "--invoices", str(invoices), "--months", str(months))
    with running_portal(*books, "--latency-ms", str(latency_ms)) as portal:
        parts = ("--only", "gateway,receiver,worker", "--workers", str(workers))
        settings = {**pace(portal), **environ}
        with running_stack(folder, *parts, environ=settings) as stack:
            yield World(portal, stack)


def resident_mb(pids: Sequence[int]) -> float:
    return sum(map(resident_bytes, pids)) / 1e6


def workers_of(stack: RunningStack) -> list[int]:
    return [pid for name, pid in stack.endpoints.pids.items() if name.startswith("worker")]


async def run_imports(world: World, mine: Sequence[str], *, last: str = LAST) -> float:
    """Import all of these at once, look that all came in; the seconds it took."""
    async with world.stack.client() as client, answering_captchas(world.stack):
        began = time.perf_counter()
        runs = {mst: await start_import(client, mst, last=last) for mst in mine}
        results = [await imported(client, run_id, within_s=500) for run_id in runs.values()]
        took_s = time.perf_counter() - began
    for mst, result in zip(mine, results, strict=True):
        check_import(world.stack, result, world.portal.truth(mst, last=last))
    return took_s


async def fetch_bare(visitor: PortalVisitor, folder: Path, *, count: int, spacing_s: float = 0.0) -> float:
    """The baseline: detail and original of `count` invoices in sequence; returns the seconds it took."""
    rows = [row for month in (7, 8, 9) for row in await visitor.rows(search=search_of(month))]
    began = time.perf_counter()
    for row in [row for row in rows if row["hsgoc"]][:count]:
        started = time.perf_counter()
        names = {name: row[name] for name in ("nbmst", "khhdon", "shdon", "khmshdon")}
        (folder / f"{row['id']}.json").write_bytes(
            (await visitor.get("/query/invoices/detail", **names)).content
        )
        original = (await visitor.get("/query/invoices/export-xml", **names)).content
        with zipfile.ZipFile(io.BytesIO(original)) as file:
            (folder / f"{row['id']}.xml").write_bytes(file.read("invoice.xml"))
        await asyncio.sleep(max(0.0, spacing_s - (time.perf_counter() - started)))
    return time.perf_counter() - began


@pytest.mark.timeout(600)
async def test_an_import_is_as_fast_as_it_may_be(tmp_path: Path) -> None:
    """A list or detail may start every SPACING_MS; the bare loop only waits for that spacing."""
    environ = {f"SIGNALBOX_WORKER_PORTAL_{lane}_SPACING_MS": str(SPACING_MS) for lane in ("QUERY", "EXPORT")}
    with world(
        tmp_path / "stack", invoices=PACED, workers=2, latency_ms=30, months=1, environ=environ
    ) as here:
        async with visiting(here.portal, COMPANIES[1]) as visitor:
            bare = 30 / await fetch_bare(visitor, tmp_path, count=30, spacing_s=SPACING_MS / 1_000)
        took_s = await run_imports(here, COMPANIES[:1], last=JULY)
        lane = politeness(here.portal, COMPANIES[0]).lanes["queries"]
    permitted = 1_000 / SPACING_MS
    share = (lane.calls - 1) / lane.seconds / permitted
    sys.stdout.write(
        f"\nqueries at {share:.3f} of the permitted {permitted:.0f}/s over {lane.calls} calls, "
        f"minimum gap {lane.least_gap_ms} ms; {PACED / took_s:.2f} invoices/s from start to result, "
        f"at most {permitted:.0f}; the bare loop: {bare:.2f}/s\n"
    )
    assert share >= 0.9


@pytest.mark.timeout(600)
async def test_what_an_invoice_costs(tmp_path: Path) -> None:
    with world(tmp_path / "stack", invoices=INVOICES, workers=1, latency_ms=0, environ={}) as here:
        pids = workers_of(here.stack)
        await run_imports(here, COMPANIES[:1])  # everything is loaded and connected
        before, first_mb = cpu_s(pids), resident_mb(pids)
        await run_imports(here, COMPANIES[1:3])
        ours_ms = (cpu_s(pids) - before) * 1_000 / (2 * INVOICES)
        last_mb = resident_mb(pids)
        async with visiting(here.portal, COMPANIES[3]) as visitor:
            own = time.process_time()
            count = INVOICES // 4
            await fetch_bare(visitor, tmp_path, count=count)
            bare_ms = (time.process_time() - own) * 1_000 / count
    sys.stdout.write(
        f"\nCPU per invoice: {ours_ms:.1f} ms, bare loop {bare_ms:.1f} ms, ratio {ours_ms / bare_ms:.2f}; "
        f"memory after {INVOICES} invoices {first_mb:.0f} MB, after {3 * INVOICES} {last_mb:.0f} MB\n"
    )
    assert ours_ms / bare_ms <= 8
    assert last_mb <= first_mb * 1.15


@pytest.mark.timeout(900)
async def test_more_workers_bring_it_in_sooner(tmp_path: Path) -> None:
    """Few slots per worker and a slow portal make slots the bottleneck: makespan of 1, 2, 4 workers."""
    many, each = MANY
    took: dict[int, float] = {}
    environ = {"SIGNALBOX_WORKER_MAX_ACTIVITIES": str(SLOTS)}
    with world(
        tmp_path / "stack", invoices=each, workers=4, latency_ms=200, months=1, environ=environ
    ) as here:
        for count, first in ((4, 0), (2, many), (1, 2 * many)):
            for name in {4: (), 2: ("worker-3", "worker-4"), 1: ("worker-2",)}[count]:
                here.stack.command("stop", name)
            took[count] = await run_imports(here, COMPANIES[first : first + many], last=JULY)
    told = ", ".join(f"{count} workers {took[count]:.1f} s" for count in sorted(took))
    sys.stdout.write(
        f"\n{many} companies x {each} invoices, {SLOTS} slots a worker: {told}; "
        f"{took[1] / took[2]:.2f} and {took[1] / took[4]:.2f} times as fast\n"
    )
    assert took[1] / took[2] >= 1.3
