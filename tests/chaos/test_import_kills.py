"""kill -9 of workers at random while imports go on: every row, every original, the right sums, and hardly a
request twice.

Small by default; `IMPORT_FULL=1` kills ten times during an import of a thousand invoices.
"""

import os
import random
import sys
from collections.abc import Iterator
from typing import Final

import pytest
from msgspec import Struct

from support.assertions.eventually import eventually
from support.drivers.invoice_imports import (
    answering_captchas,
    check_import,
    imported,
    pace,
    politeness,
    start_import,
)
from support.servers.portal import MST, Portal, running_portal
from support.servers.stack import RunningStack, running_stack

FULL: Final = os.environ.get("IMPORT_FULL") == "1"
INVOICES: Final = 1_000 if FULL else 180
KILLS: Final = 10 if FULL else 3
WORKERS: Final = ("worker", "worker-2", "worker-3")
IN_FLIGHT: Final = 3


class World(Struct, frozen=True):
    portal: Portal
    stack: RunningStack


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_portal("--companies", "1", "--invoices", str(INVOICES), "--latency-ms", "5") as portal:
        environ = pace(portal, spacing_ms=30, in_flight=IN_FLIGHT, timeout_s=5)
        parts = ("--only", "gateway,receiver,worker", "--workers", str(len(WORKERS)))
        with running_stack(tmp_path_factory.mktemp("kills"), *parts, environ=environ) as stack:
            yield World(portal, stack)


@pytest.mark.timeout(600 if FULL else 240)
async def test_workers_killed_at_random_cost_no_invoice_and_hardly_a_request(world: World) -> None:
    dice = random.Random(7)
    async with world.stack.client() as client, answering_captchas(world.stack):
        run_id = await start_import(client, MST)
        for kill in range(1, KILLS + 1):
            # Evenly over the import, wherever each of them happens to be in its work.
            due = kill * INVOICES / (KILLS + 1)
            await eventually(lambda due=due: _fetched(world.portal) >= due, within_s=120, every_s=0.05)
            name = dice.choice(WORKERS)
            await world.stack.until_replaced(name, world.stack.kill(name))
        result = await imported(client, run_id, within_s=300)
    check_import(world.stack, result, world.portal.truth())
    seen = politeness(world.portal, MST)
    # A killed worker had at most its calls in flight; each is repeated once.
    assert seen.repeated <= KILLS * 2 * IN_FLIGHT, seen.most_repeated
    sys.stdout.write(
        f"\n{KILLS} kills, {seen.asked} requests, "
        f"{seen.repeated} repeated ({seen.repeated / seen.asked:.2%})\n"
    )
    if FULL:
        assert seen.repeated / seen.asked <= 0.02


def _fetched(portal: Portal) -> int:
    lanes = politeness(portal, MST).lanes
    return lanes["xml"].calls if "xml" in lanes else 0
