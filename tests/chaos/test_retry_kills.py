"""kill -9 of worker and gateway while failed runs are retried: every run completes, no completed step runs
again, no event is lost or doubled."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalbox_client import AsyncSignalbox
from signalbox_core.errors import Unavailable
from support.assertions.eventually import eventually
from support.drivers.journeys import Subscription
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack

RUNS = 4
SECONDS = 0.5


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The stack with the stages pipeline installed as a package of its own."""
    installed = tmp_path_factory.mktemp("installed")
    environ = {"PYTHONPATH": install_pipelines(installed, "staged", "support.staged")}
    with running_stack(tmp_path_factory.mktemp("retries"), environ=environ) as started:
        yield started


async def retried(client: AsyncSignalbox, run_id: str) -> None:
    """Send the same request until it is accepted, as a careful client does."""

    async def accepted() -> bool:
        try:
            await client.retry(run_id, idempotency_key=f"retry-{run_id}")
        except Unavailable:
            return False
        return True

    await eventually(accepted, within_s=90, every_s=0.2)


async def all_are(client: AsyncSignalbox, runs: list[str], status: str) -> bool:
    try:
        return all([(await client.run(run_id)).status == status for run_id in runs])
    except Unavailable:
        return False


@pytest.mark.timeout(400)
@pytest.mark.parametrize("part", ["worker", "gateway"])
async def test_a_part_killed_during_retries_loses_and_doubles_nothing(
    stack: RunningStack, client: AsyncSignalbox, tmp_path: Path, part: str
) -> None:
    consumer = Subscription(str(stack.endpoints.pubsub), "lifecycle", f"retries-{part}")
    await consumer.create()
    (tmp_path / "broken").touch()
    given = {"folder": str(tmp_path), "fail_at": "third", "seconds": SECONDS}
    runs = [(await client.start("stages", given)).run_id for _ in range(RUNS)]
    await eventually(lambda: all_are(client, runs, "failed"), within_s=120, every_s=0.2)
    (tmp_path / "broken").unlink()

    retries = asyncio.gather(*(retried(client, run_id) for run_id in runs))
    killed = stack.kill(part)
    await retries
    await stack.until_replaced(part, killed)
    await eventually(lambda: all_are(client, runs, "completed"), within_s=150, every_s=0.5)
    events = await consumer.until(lambda events: _count(events, runs)["run.completed"] >= RUNS, within_s=90)

    for run_id in runs:
        work = Counter((tmp_path / run_id).read_text().split())
        assert (work["first-0"], work["second-0"]) == (1, 1)
        counted = _count(events, [run_id])
        assert (counted["run.failed"], counted["run.retried"], counted["run.completed"]) == (1, 1, 1)
        assert (counted["step.completed"], counted["run.started"]) == (3, 1)


def _count(events: object, runs: list[str]) -> Counter[str]:
    assert isinstance(events, list)
    return Counter(
        event["ce-type"].removeprefix("dev.signalbox.").removesuffix(".v1")
        for event in events
        if event.get("ce-runid") in runs
    )
