"""kill -9 of worker, gateway and Temporal while a schedule starts runs: every time starts one run."""

import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from signalbox_client import AsyncSignalbox
from signalbox_client.wire.schedule_models import Schedule
from signalbox_core.errors import NotFound, Unavailable
from support.assertions.eventually import eventually
from support.drivers.journeys import Subscription
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack

EVERY = timedelta(seconds=2)
STARTS_AFTERWARDS = 5


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The stack with the stages pipeline, whose schedules may start a run every second."""
    installed = tmp_path_factory.mktemp("installed")
    environ = {
        "PYTHONPATH": install_pipelines(installed, "staged", "support.staged"),
        "SIGNALBOX_GATEWAY_SCHEDULE_MIN_INTERVAL_S": "1",
    }
    with running_stack(tmp_path_factory.mktemp("schedules"), environ=environ) as started:
        yield started


async def with_runs(client: AsyncSignalbox, schedule_id: str, since: datetime | None) -> Schedule | None:
    """The schedule once it has started STARTS_AFTERWARDS runs after `since`, or its first one."""
    try:
        schedule = await client.schedule(schedule_id)
    except Unavailable:
        return None
    later = [run for run in schedule.runs if since is None or run.scheduled_at > since]
    return schedule if len(later) >= (1 if since is None else STARTS_AFTERWARDS) else None


async def are_completed(client: AsyncSignalbox, runs: list[str]) -> bool:
    try:
        return all([(await client.run(run_id)).status == "completed" for run_id in runs])
    except (NotFound, Unavailable):
        return False


@pytest.mark.timeout(400)
@pytest.mark.parametrize("part", ["worker", "gateway", "temporal"])
async def test_a_part_killed_misses_and_doubles_no_start(
    stack: RunningStack, client: AsyncSignalbox, tmp_path: Path, part: str
) -> None:
    consumer = Subscription(str(stack.endpoints.pubsub), "lifecycle", f"schedules-{part}")
    await consumer.create()
    schedule_id = f"often-{secrets.token_hex(3)}"
    given = {"folder": str(tmp_path)}
    await client.create_schedule(
        schedule_id, "stages", given, every_s=int(EVERY.total_seconds()), overlap="allow_all"
    )
    first = await eventually(lambda: with_runs(client, schedule_id, None), within_s=60, every_s=0.2)

    killed = stack.kill(part)
    await stack.until_replaced(part, killed)
    seen = await eventually(lambda: with_runs(client, schedule_id, None), within_s=90, every_s=0.5)
    newest = seen.runs[0].scheduled_at
    await eventually(lambda: with_runs(client, schedule_id, newest), within_s=120, every_s=0.5)
    paused = await client.update_schedule(schedule_id, paused=True)

    at, last = first.runs[-1].scheduled_at, paused.runs[0].scheduled_at
    times = [at + EVERY * number for number in range((last - at) // EVERY + 1)]
    expected = [f"{schedule_id}~{time:%Y%m%dT%H%M%SZ}" for time in times]
    await eventually(lambda: are_completed(client, expected), within_s=150, every_s=0.5)
    events = await consumer.until(
        lambda events: len(_started(events, schedule_id)) >= len(expected), within_s=90
    )
    assert {run_id: count for run_id, count in _started(events, schedule_id).items() if count != 1} == {}
    assert (paused.missed, paused.skipped) == (0, 0)
    await client.delete_schedule(schedule_id)


def _started(events: object, schedule_id: str) -> Counter[str]:
    assert isinstance(events, list)
    return Counter(
        event["ce-runid"]
        for event in events
        if event["ce-type"] == "dev.signalbox.run.started.v1"
        and event["ce-runid"].startswith(f"{schedule_id}~")
    )
