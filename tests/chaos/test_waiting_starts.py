"""Starts while Temporal is unavailable: each run starts exactly once, through kill -9 of everything that
holds one."""

import asyncio
import os
from collections.abc import Sequence
from typing import Final

import httpx2
import pytest

from signalbox_core.ids import run_id_of
from signalbox_core.temporal import connect
from support.assertions.eventually import eventually
from support.servers.stack import RunningStack

STARTS: Final = int(os.environ.get("SIGNALBOX_CHAOS_STARTS", "50"))
AWAY_S: Final = float(os.environ.get("SIGNALBOX_CHAOS_AWAY_S", "3"))
INPUT: Final = {"url": "https://shop.invalid/"}


async def start_until_accepted(http: httpx2.AsyncClient, run_id: str) -> str:
    """Send the same request until it is accepted, as a careful client does; what the run was then."""

    async def accepted() -> str:
        try:
            answer = await http.post(
                "/v1/runs", json={"pipeline": "ad_creative", "run_id": run_id, "input": INPUT}
            )
        except httpx2.TransportError:
            return ""
        assert answer.status_code in (200, 201, 202, 503), answer.text
        return str(answer.json().get("status")) if answer.status_code != 503 else ""

    return await eventually(accepted, within_s=60, every_s=0.2)


async def executions(stack: RunningStack, runs: Sequence[str]) -> dict[str, int]:
    """How many executions Temporal has of each run that began."""
    temporal = await connect(str(stack.endpoints.temporal), "default")
    found = dict.fromkeys(runs, 0)
    async for item in temporal.list_workflows("WorkflowType = 'ad_creative'"):
        run_id = run_id_of(item.id)
        if run_id in found:
            found[run_id] += 1
    return found


@pytest.mark.timeout(300)
async def test_starts_during_an_outage_are_made_exactly_once(stack: RunningStack) -> None:
    runs = [f"queued-{number}" for number in range(STARTS)]
    headers = {"authorization": f"Bearer {stack.endpoints.api_keys['admin']}"}
    stack.command("stop", "worker")  # the runs need not do anything
    stack.command("stop", "temporal")
    went = asyncio.get_running_loop().time()
    limits = httpx2.Limits(max_connections=8)
    async with httpx2.AsyncClient(
        base_url=str(stack.endpoints.gateway), headers=headers, timeout=30, limits=limits, trust_env=False
    ) as http:
        third = STARTS // 3
        said = await asyncio.gather(*(start_until_accepted(http, run_id) for run_id in runs[:third]))
        for part in ("gateway", "redis", "pubsub"):
            await stack.until_replaced(part, stack.kill(part))
        said += await asyncio.gather(
            *(start_until_accepted(http, run_id) for run_id in runs[third : 2 * third])
        )
        killed = stack.kill("gateway")
        said += await asyncio.gather(*(start_until_accepted(http, run_id) for run_id in runs[2 * third :]))
        await stack.until_replaced("gateway", killed)
        ready = (await http.get("/readyz")).json()
        withdrawn = runs.pop()
        assert (await http.post(f"/v1/runs/{withdrawn}/cancel")).status_code == 202
        # The outage's own length, which is what is tried here.
        await asyncio.sleep(max(0.0, AWAY_S - (asyncio.get_running_loop().time() - went)))
        stack.command("start", "temporal")

        async def all_begun() -> bool:
            return sum((await executions(stack, runs)).values()) >= len(runs)

        await eventually(all_begun, within_s=90, every_s=0.5)
        shown = (await http.get(f"/v1/runs/{withdrawn}")).json()

    assert said == ["queued"] * STARTS
    assert (ready["ready"], ready["temporal_available"], ready["status"]) == (True, False, "degraded")
    assert await executions(stack, [*runs, withdrawn]) == {**dict.fromkeys(runs, 1), withdrawn: 0}
    assert shown["status"] == "cancelled"
