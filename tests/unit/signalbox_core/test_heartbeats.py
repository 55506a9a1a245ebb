"""Heartbeats that are sent while a block runs."""

import asyncio

from signalbox_core.pipeline.activity import heartbeating

DEADLINE_S = 20.0


async def test_heartbeats_are_sent_until_the_block_ends() -> None:
    sent, enough = 0, asyncio.Event()

    def send() -> None:
        nonlocal sent
        sent += 1
        if sent == 3:
            enough.set()

    async with asyncio.timeout(DEADLINE_S), heartbeating(send, interval_s=0.001):
        await enough.wait()

    assert sent >= 3
    assert [task for task in asyncio.all_tasks() if task.get_name() == "heartbeat"] == []
