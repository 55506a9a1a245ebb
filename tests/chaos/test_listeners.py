"""Many listeners on many runs while gateway, worker and Redis are killed at random: every log is the same,
whole, and once.

The full size: `SIGNALBOX_CHAOS_LISTENERS=500 SIGNALBOX_CHAOS_RUNS=20 SIGNALBOX_CHAOS_KILLS=20 pytest
tests/chaos/test_listeners.py`.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

import pytest

from signalbox_client import AsyncSignalbox, Run
from signalbox_client.commands.prompts import variants_of
from signalbox_core.errors import SignalboxError
from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract.messages import SIGNAL_DECIDE, UPDATE_DECIDE
from signalbox_core.temporal import connect
from signalbox_devstack.stack.keys import TENANT
from support.assertions.eventually import eventually
from support.drivers.journeys import Listener, approve, decide, listening, start_ads, until_asked
from support.servers.stack import RunningStack

LISTENERS: Final = int(os.environ.get("SIGNALBOX_CHAOS_LISTENERS", "60"))
RUNS: Final = int(os.environ.get("SIGNALBOX_CHAOS_RUNS", "6"))
KILLS: Final = int(os.environ.get("SIGNALBOX_CHAOS_KILLS", "4"))
SEED: Final = int(os.environ.get("SIGNALBOX_CHAOS_SEED", "7"))
PARTS: Final = ("gateway", "worker", "redis")


async def until_streamed(client: AsyncSignalbox, run_id: str) -> Run:
    async def streamed() -> Run | None:
        run = await client.run(run_id)
        return run if run.epoch else None

    return await eventually(streamed, within_s=60)


async def finish(client: AsyncSignalbox, run_id: str) -> None:
    """Decide the run's approval and wait for its end, whatever is unavailable meanwhile."""

    async def ended() -> bool:
        try:
            asked = await until_asked(client, run_id, within_s=200)
            await decide(client, run_id, asked, [approve] * len(variants_of(asked)))
            return True
        except SignalboxError:
            return (await client.run(run_id)).status == "completed"

    await eventually(ended, within_s=240, every_s=0.5)


@pytest.mark.timeout(1_200)
async def test_every_listener_receives_the_same_complete_stream(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    dice = random.Random(SEED)
    runs = [await start_ads(stack, client, variants=1, redo_rounds=0) for _ in range(RUNS)]
    epochs = {run_id: (await until_streamed(client, run_id)).epoch for run_id in runs}
    killed: Counter[str] = Counter()
    async with AsyncExitStack() as opened:
        by_run: dict[str, list[Listener]] = {run_id: [] for run_id in runs}

        async def join(count: int) -> None:
            for _ in range(count):
                run_id = min(runs, key=lambda run: len(by_run[run]))
                by_run[run_id].append(
                    await opened.enter_async_context(listening(stack, run_id, f"{epochs[run_id]}:0"))
                )

        await join(LISTENERS // 2)
        late = LISTENERS - LISTENERS // 2
        for kill in range(KILLS):
            part = dice.choice(PARTS)
            killed[part] += 1
            pid = stack.kill(part)
            # Some connect while it is unavailable.
            await join(late // KILLS if kill else late - late // KILLS * (KILLS - 1))
            await stack.until_replaced(part, pid)
        await asyncio.gather(*(finish(client, run_id) for run_id in runs))
        everyone = [listener for listeners in by_run.values() for listener in listeners]
        await eventually(lambda: all(listener.has_ended for listener in everyone), within_s=120, every_s=0.2)

    assert len(everyone) == LISTENERS
    assert killed.total() == KILLS
    for run_id, listeners in by_run.items():
        run = await client.run(run_id)
        assert run.status == "completed"
        for listener in listeners:
            assert listener.seen == listeners[0].seen
            assert listener.sequences == list(range(1, run.sequence + 1))
            assert {"reset", "snapshot"}.isdisjoint(listener.others)
    await nobody_asked_the_workflows(stack, runs)


async def nobody_asked_the_workflows(stack: RunningStack, runs: Sequence[str]) -> None:
    """What listeners do leaves nothing in a history: it has the decision, and no other message.

    The decision may be there twice: it is sent by signal too when no worker responds to the update in time.
    """
    temporal = await connect(str(stack.endpoints.temporal), "default")
    for run_id in runs:
        history = await temporal.get_workflow_handle(run_key(TENANT, run_id)).fetch_history()
        messages = {
            event.workflow_execution_signaled_event_attributes.signal_name
            or event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
            for event in history.events
        }
        assert messages - {""} == {UPDATE_DECIDE, SIGNAL_DECIDE}
