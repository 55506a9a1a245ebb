"""Invoice imports through the whole stack: four workers and a portal with every fault of the simulator.

All rows, all originals and the right sums must arrive. Small by default; `IMPORT_FULL=1` runs ten
companies of a thousand invoices.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

import pytest
from msgspec import Struct

from signalbox_client import AsyncSignalbox
from signalbox_devstack.emulators.portal.companies import companies
from support.drivers.invoice_imports import (
    answering_captchas,
    check_import,
    failed,
    imported,
    pace,
    politeness,
    start_import,
    stored,
)
from support.servers.portal import Portal, running_portal
from support.servers.stack import RunningStack, running_stack

FULL: Final = os.environ.get("IMPORT_FULL") == "1"
INVOICES: Final = 1_000 if FULL else 300
LAST: Final = "2026-09-30" if FULL else "2026-07-31"
"""Three months in full; one of them holds a third of the invoices."""
JULY: Final = "2026-07-31"
TOGETHER: Final = 10 if FULL else 3
SPACING_MS: Final = 25
IN_FLIGHT: Final = 3
WITHIN_S: Final = 540 if FULL else 240
COMPANIES: Final = companies(60)


class ImportStack(Struct, frozen=True):
    portal: Portal
    stack: RunningStack


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportStack]:
    with running_portal("--companies", str(len(COMPANIES)), "--invoices", str(INVOICES)) as portal:
        environ = pace(portal, spacing_ms=SPACING_MS, in_flight=IN_FLIGHT, timeout_s=5)
        parts = ("--only", "gateway,receiver,worker", "--workers", "4")
        with running_stack(tmp_path_factory.mktemp("imports"), *parts, environ=environ) as stack:
            yield ImportStack(portal, stack)


@pytest.fixture
async def client(world: ImportStack) -> AsyncIterator[AsyncSignalbox]:
    async with world.stack.client() as opened, answering_captchas(world.stack):
        yield opened


@pytest.mark.timeout(WITHIN_S + 60)
async def test_concurrent_imports_are_complete_and_respect_the_rate_limit(
    world: ImportStack, client: AsyncSignalbox
) -> None:
    mine = COMPANIES[:TOGETHER]
    runs = {mst: await start_import(client, mst, last=LAST) for mst in mine}
    for mst, run_id in runs.items():
        check_import(
            world.stack, await imported(client, run_id, within_s=WITHIN_S), world.portal.truth(mst, last=LAST)
        )
        seen = politeness(world.portal, mst)
        # On a loaded machine a call may time out and be repeated.
        assert seen.repeated <= seen.asked // 50, seen.most_repeated
        for lane in ("queries", "xml"):
            assert seen.lanes[lane].most_in_flight <= IN_FLIGHT
            # Late calls may be followed by punctual ones; all that are in flight may be late.
            for window_s, most in seen.lanes[lane].most_within_s.items():
                assert most <= int(window_s) * 1_000 / SPACING_MS + IN_FLIGHT


LONG: Final = {"kind": "cut", "on": ["list"], "over_bytes": 56_000}
PASSING: Final[Mapping[str, tuple[Mapping[str, object], ...]]] = {
    "rate_limit with a time": ({"kind": "rate_limit", "retry_after_s": 1, "times": 3, "every": 20},),
    "rate_limit without": ({"kind": "rate_limit", "times": 1, "after": 30},),
    "swallow": ({"kind": "swallow", "times": 3, "every": 40},),
    "cut of a long list": (LONG,),
    "cut of an original": ({"kind": "cut", "on": ["xml"], "over_bytes": 100_000, "times": 3, "every": 20},),
    "slow_504": ({"kind": "slow_504", "delay_s": 0.5, "times": 3, "every": 40},),
    "fast_500 of a page": ({"kind": "fast_500", "on": ["list"], "times": 1},),
    "fast_500 of an invoice": ({"kind": "fast_500", "on": ["detail", "xml"], "times": 2, "every": 30},),
    "expire": ({"kind": "expire", "times": 2, "every": 60},),
    # Pages of 50 and 25 are cut; of three pages of 15 the second leads to itself.
    "state_repeats": ({"kind": "state_repeats", "on": ["list"], "times": 1, "after": 3}, LONG),
    "last_state_repeats": ({"kind": "last_state_repeats", "on": ["list"]},),
}
MIX: Final = (
    {"kind": "rate_limit", "retry_after_s": 1, "share": 0.01},
    {"kind": "swallow", "share": 0.005},
    {"kind": "cut", "share": 0.01},
    {"kind": "slow_504", "delay_s": 0.2, "share": 0.01},
    {"kind": "fast_500", "on": ["detail", "xml"], "share": 0.01},
    {"kind": "expire", "share": 0.004},
    {"kind": "last_state_repeats", "on": ["list"], "share": 0.5},
)


@pytest.mark.timeout(WITHIN_S + 120)
async def test_transient_faults_cost_only_time(world: ImportStack, client: AsyncSignalbox) -> None:
    """Each fault alone and a mix of all, one company each, concurrently."""
    names = [*PASSING, "mix"]
    mine = dict(zip(names, COMPANIES[10:], strict=False))
    for name, mst in mine.items():
        world.portal.put_faults(*(MIX if name == "mix" else PASSING[name]), mst=mst)
    runs = {name: await start_import(client, mst, last=JULY) for name, mst in mine.items()}
    results = await asyncio.gather(*(imported(client, run_id, within_s=WITHIN_S) for run_id in runs.values()))
    for name, result in zip(names, results, strict=True):
        check_import(world.stack, result, world.portal.truth(mine[name], last=JULY))
        assert politeness(world.portal, mine[name]).faults, name
        assert result.sign_ins == (3 if name == "expire" else result.sign_ins if name == "mix" else 1), name


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param({"kind": "drift", "on": ["list"]}, "contract_drift", id="a list of another shape"),
        pytest.param(
            {"kind": "drift", "on": ["xml"], "after": 3}, "contract_drift", id="an original of another shape"
        ),
        pytest.param(
            {"kind": "drift", "on": ["detail"], "after": 3}, "contract_drift", id="a detail of another shape"
        ),
        pytest.param({"kind": "mismatch", "on": ["list"]}, "tenant_mismatch", id="rows of another taxpayer"),
        pytest.param(
            {"kind": "fast_500", "on": ["list"]}, "portal_refused", id="a parameter refused for good"
        ),
    ],
)
async def test_a_permanent_fault_fails_the_run_with_its_code(
    world: ImportStack,
    client: AsyncSignalbox,
    fault: Mapping[str, object],
    code: str,
    request: pytest.FixtureRequest,
) -> None:
    mst = COMPANIES[30 + sum(map(ord, request.node.callspec.id)) % 20]
    world.portal.put_faults(fault, mst=mst)
    run = await failed(client, await start_import(client, mst))
    assert run.error is not None
    assert (run.error.code, run.error.step) == (code, "list" if fault["on"] == ["list"] else "fetch")
    assert stored(world.stack, mst, "xml") <= {
        row.key for row in world.portal.truth(mst).rows if row.has_original
    }
    world.portal.put_faults(mst=mst)


async def test_short_sessions_are_renewed_without_repeated_work(
    world: ImportStack, client: AsyncSignalbox
) -> None:
    mst = COMPANIES[55]
    world.portal.put_token_life(2, mst)
    result = await imported(client, await start_import(client, mst, last=JULY))
    check_import(world.stack, result, world.portal.truth(mst, last=JULY))
    assert result.sign_ins > 1
    seen = politeness(world.portal, mst)
    assert seen.repeated <= result.sign_ins * IN_FLIGHT * 2, seen.most_repeated
