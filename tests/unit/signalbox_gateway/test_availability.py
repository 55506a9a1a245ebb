"""The shared health check of Temporal."""

import asyncio

from signalbox_gateway.runs import availability
from signalbox_gateway.runs.availability import TemporalAvailability


async def test_callers_whose_check_was_followed_by_another_one_get_its_result() -> None:
    probes = 0

    async def probe() -> bool:
        nonlocal probes
        probes += 1
        await asyncio.sleep(0)
        return False

    shared = TemporalAvailability(probe)

    async def keep_checking() -> list[bool]:
        return [await shared.check_promptly() for _ in range(20)]

    results = await asyncio.gather(*(keep_checking() for _ in range(20)))

    assert not any(result for row in results for result in row)
    assert probes <= 1 + availability.CHECK_EVERY_S * 10
