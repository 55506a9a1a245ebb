"""Whose run it is: looked up once in an hour, and never remembered while it is nobody's."""

import pytest
from msgspec.structs import replace

from signalbox_core.errors import Conflict
from signalbox_core.testing.streams import FakeRunStream
from signalbox_webhook_receiver.run_tenants import RunTenants
from support.fakes.events import story

EVENT = story()[0]
FOREIGN = replace(EVENT, tenantid="other")


class CountingStream(FakeRunStream):
    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def tenant(self, run_id: str) -> str | None:
        self.asked += 1
        return await super().tenant(run_id)


async def test_a_known_owner_is_looked_up_once_in_an_hour() -> None:
    stream, now = CountingStream(), [1000.0]
    run_tenants = RunTenants(stream, clock=lambda: now[0])
    await stream.append(EVENT)
    for _ in range(3):
        await run_tenants.check(EVENT)
    with pytest.raises(Conflict):
        await run_tenants.check(FOREIGN)
    assert stream.asked == 1
    now[0] += 3601
    await run_tenants.check(EVENT)
    assert stream.asked == 2


async def test_a_run_without_a_stream_is_anybodys_until_it_has_one() -> None:
    stream = CountingStream()
    run_tenants = RunTenants(stream)
    await run_tenants.check(FOREIGN)
    await stream.append(EVENT)
    with pytest.raises(Conflict) as refused:
        await run_tenants.check(FOREIGN)
    assert refused.value.stable_code == "foreign_run"
