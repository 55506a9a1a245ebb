"""Whose run it is: looked up once in an hour, and never remembered while it is nobody's."""

from collections.abc import Sequence

from msgspec.structs import replace

from signalbox_core.events import CloudEvent
from signalbox_core.testing.streams import FakeRunStream
from signalbox_webhook_receiver.run_tenants import RunTenants
from support.fakes.events import story

EVENT = story()[0]
FOREIGN = replace(EVENT, tenantid="other")


class CountingStream(FakeRunStream):
    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def tenants(self, run_ids: Sequence[str]) -> list[str | None]:
        self.asked += len(run_ids)
        return await super().tenants(run_ids)


async def codes(run_tenants: RunTenants, *events: CloudEvent) -> list[str | None]:
    return [error and error.stable_code for error in await run_tenants.check(events)]


async def test_a_known_owner_is_looked_up_once_in_an_hour() -> None:
    stream, now = CountingStream(), [1000.0]
    run_tenants = RunTenants(stream, clock=lambda: now[0])
    await stream.append(EVENT)
    for _ in range(3):
        assert await codes(run_tenants, EVENT) == [None]
    assert await codes(run_tenants, FOREIGN) == ["foreign_run"]
    assert stream.asked == 1
    now[0] += 3601
    assert await codes(run_tenants, EVENT) == [None]
    assert stream.asked == 2


async def test_a_run_without_a_stream_is_anybodys_until_it_has_one() -> None:
    stream = CountingStream()
    run_tenants = RunTenants(stream)
    assert await codes(run_tenants, FOREIGN) == [None]
    await stream.append(EVENT)
    assert await codes(run_tenants, FOREIGN) == ["foreign_run"]


async def test_of_many_runs_only_the_unknown_ones_are_looked_up() -> None:
    stream = CountingStream()
    run_tenants = RunTenants(stream)
    other = story("run-2")[0]
    await stream.append_many([EVENT, other])
    assert await codes(run_tenants, EVENT, FOREIGN) == [None, "foreign_run"]
    assert await codes(run_tenants, other, FOREIGN, EVENT) == [None, "foreign_run", None]
    assert stream.asked == 2
