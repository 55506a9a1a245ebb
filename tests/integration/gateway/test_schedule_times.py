"""The times of a schedule as Temporal computes them: over changes of the clocks, and like our own cron."""

import secrets
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from temporalio.client import Client

from signalbox_core.pipeline.contract.scheduled_start import ScheduledStart, ScheduleTiming
from signalbox_gateway.schedules.cron import parse_cron
from signalbox_gateway.schedules.definition import ScheduleDefinition
from signalbox_gateway.schedules.limits import ScheduleLimits
from signalbox_gateway.schedules.store import ScheduleStore

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
LIMITS = ScheduleLimits(count=1_000, min_interval=MINUTE)


async def times_between(
    client: Client, timing: ScheduleTiming, first: datetime, last: datetime
) -> tuple[datetime, ...]:
    """The times of a new, paused schedule in a period, the end included."""
    store = ScheduleStore(client, deadline=timedelta(seconds=30), limits=LIMITS)
    schedule_id = f"times-{secrets.token_hex(4)}"
    start = ScheduledStart(
        tenant="acme",
        schedule_id=schedule_id,
        pipeline="echo",
        task_queue="nobody",
        input=msgspec.Raw(b"{}"),
        digest="",
        timing=timing,
        created_by="lan",
        updated_by="lan",
    )
    definition = ScheduleDefinition(start=start, overlap="skip", catch_up_s=60, is_paused=True, note="")
    await store.create(definition, NOW)
    try:
        found: list[datetime] = []
        # Temporal returns at most a thousand times.
        while part := await store.matching_times("acme", schedule_id, found[-1] if found else first, last):
            found += part
        return tuple(found)
    finally:
        await store.delete("acme", schedule_id)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "America/Santiago", "Asia/Beirut"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "15 1,2 * * *", "0 0 * * *", "*/20 2 * * *"])
async def test_a_daily_time_comes_once_a_day_over_every_clock_change(
    temporal: Client, zone: str, cron: str
) -> None:
    first = datetime(NOW.year + 1, 1, 1, tzinfo=UTC)
    parsed = parse_cron(cron)
    a_day = len(parsed.hours) * len(parsed.minutes)

    found = await times_between(
        temporal, ScheduleTiming(cron=(cron,), time_zone=zone), first - MINUTE, first + 365 * DAY
    )

    local = [time.astimezone(ZoneInfo(zone)).date() for time in found]
    days = sorted(set(local))
    assert len(found) == len(set(found))
    assert {day: local.count(day) for day in days[1:-1]} == dict.fromkeys(days[1:-1], a_day)
    assert days[-1] - days[0] == timedelta(days=len(days) - 1)


async def test_an_hourly_time_follows_the_elapsed_time(temporal: Client) -> None:
    first = datetime(NOW.year + 1, 1, 1, tzinfo=UTC)

    found = await times_between(
        temporal,
        ScheduleTiming(cron=("30 * * * *",), time_zone="Europe/Berlin"),
        first,
        first + 300 * DAY,
    )

    assert len(found) == 300 * 24
    assert {after - before for before, after in pairwise(found)} == {60 * MINUTE}


@pytest.mark.parametrize(
    "cron",
    [
        "*/7 3-20/4 * * *",
        "0 9 1-7 * mon",
        "5,25 0 */10 jan,feb *",
        "0 12 * * 0",
        "0 12 * * 7",
        "0 12 * * sat,sun",
        "1-59/29 23 28-31 * *",
    ],
)
async def test_temporal_evaluates_an_expression_as_the_gateway_does(temporal: Client, cron: str) -> None:
    first, parsed = datetime(NOW.year + 1, 1, 1, tzinfo=UTC), parse_cron(cron)
    minutes = [first + MINUTE * number for number in range(60 * 24 * 60)]

    found = await times_between(temporal, ScheduleTiming(cron=(cron,)), first - MINUTE, minutes[-1])

    assert list(found) == [at for at in minutes if parsed.matches(at.replace(tzinfo=None))]
