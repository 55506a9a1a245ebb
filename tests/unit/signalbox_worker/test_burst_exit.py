"""When a burst worker leaves, and which slots it hands out."""

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from signalbox_core.errors import InvalidInput
from signalbox_core.scaling.burst import burst_identity, launch_of
from signalbox_worker.activity_slots import ActivitySlots, memory_share
from signalbox_worker.burst_exit import BurstLimits, burst_limits, exit_reason, worker_index
from signalbox_worker.deployment import deployment_config
from signalbox_worker.settings import Settings
from support.assertions.eventually import eventually

LIMITS = BurstLimits(idle_s=15, lifetime_s=100)
ANY = cast(Any, None)


def settings(**more: Any) -> Settings:
    return Settings(
        temporal_address="",
        receiver_url="http://r/e",
        keyid="k",
        private_key_file="",
        objects_url="memory://",
        **more,
    )


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        pytest.param({}, None, id="young and busy"),
        pytest.param({"idle_s": 14.9, "backlog": 0}, None, id="not idle for long"),
        pytest.param({"idle_s": 15.0, "backlog": 0}, "idle", id="idle and nothing waits"),
        pytest.param({"idle_s": 59.9, "backlog": 7}, None, id="idle, but something waits"),
        pytest.param({"idle_s": 60.0, "backlog": 7}, "idle", id="idle for very long"),
        pytest.param({"is_retired": True}, "retired", id="told to"),
        pytest.param({"age_s": 100.0, "backlog": 7}, None, id="old, but work waits"),
        pytest.param({"age_s": 100.0}, None, id="old, and nobody knows what waits"),
        pytest.param({"age_s": 100.0, "backlog": 0}, "old", id="old and nothing waits"),
        pytest.param({"age_s": 125.0, "backlog": 7}, "old", id="too old, whatever waits"),
    ],
)
def test_it_leaves_for_a_reason(seen: Mapping[str, Any], reason: str | None) -> None:
    given: dict[str, Any] = {"age_s": 10.0, "idle_s": 0.0, "is_retired": False, "backlog": None, **seen}
    assert exit_reason(LIMITS, **given) == reason


def test_the_workers_of_a_launch_do_not_all_leave_at_one_age() -> None:
    ages = [
        burst_limits(settings(burst_max_lifetime_s=1_000), random.Random(number)).lifetime_s
        for number in range(50)
    ]
    assert all(900 <= age <= 1_000 for age in ages)
    assert len({round(age) for age in ages}) > 20


@pytest.mark.parametrize(
    ("environ", "index"),
    [
        pytest.param({}, 0, id="none"),
        pytest.param({"CLOUD_RUN_TASK_INDEX": "4"}, 4, id="Cloud Run"),
        pytest.param({"JOB_COMPLETION_INDEX": "2"}, 2, id="Kubernetes"),
    ],
)
def test_the_index_is_the_providers(environ: Mapping[str, str], index: int) -> None:
    assert worker_index(environ) == index


def test_an_index_that_is_no_number_is_named() -> None:
    with pytest.raises(InvalidInput, match="CLOUD_RUN_TASK_INDEX"):
        worker_index({"CLOUD_RUN_TASK_INDEX": "one"})


@pytest.mark.parametrize("identity", ["", "1234@host", "burst:", "burst:l-1", "burst:l-1:x", "xburst:l-1:0"])
def test_only_a_burst_identity_names_a_launch(identity: str) -> None:
    assert launch_of(identity) is None
    assert launch_of(burst_identity("l-1", 12)) == "l-1"


def release(slots: ActivitySlots, *, was_used: bool) -> None:
    slots.release_slot(cast(Any, SimpleNamespace(slot_info=object() if was_used else None, permit=None)))


async def test_slots_are_counted_exactly() -> None:
    slots = ActivitySlots(2)
    permits = [slots.try_reserve_slot(ANY) for _ in range(3)]
    assert [permit is not None for permit in permits] == [True, True, False]
    slots.mark_slot_used(ANY)
    assert (slots.used, slots.idle_s()) == (1, 0.0)

    release(slots, was_used=True)
    release(slots, was_used=False)

    assert slots.used == 0
    assert slots.idle_s() >= 0
    assert slots.try_reserve_slot(ANY) is not None


async def test_closed_slots_wait_for_the_polls_under_way_and_open_no_more() -> None:
    slots = ActivitySlots(10)
    for _ in range(3):
        assert slots.try_reserve_slot(ANY) is not None
    slots.mark_slot_used(ANY)
    closing = asyncio.ensure_future(slots.close(within_s=30))
    await eventually(lambda: slots.is_closed)
    assert slots.try_reserve_slot(ANY) is None
    assert not closing.done()

    slots.mark_slot_used(ANY)  # a poll brought a task
    release(slots, was_used=False)  # another ended without one

    await asyncio.wait_for(closing, 10)
    assert slots.used == 2
    await slots.close(within_s=30)


async def test_an_open_poll_that_brings_nothing_is_waited_for_briefly() -> None:
    slots = ActivitySlots(1)
    assert slots.try_reserve_slot(ANY) is not None
    await asyncio.wait_for(slots.close(within_s=0.01), 10)


async def test_short_memory_leaves_one_slot_only() -> None:
    share = [0.5]
    slots = ActivitySlots(100, max_memory=0.8, memory=lambda: share[0])
    assert slots.try_reserve_slot(ANY) is not None
    share[0] = 0.85
    assert slots.try_reserve_slot(ANY) is None
    release(slots, was_used=False)
    assert slots.try_reserve_slot(ANY) is not None, "an empty worker always goes on"


async def test_a_waiting_reservation_goes_on_when_memory_is_given_back() -> None:
    answers = iter([0.9, 0.9, 0.1])
    slots = ActivitySlots(2, max_memory=0.8, memory=lambda: next(answers))
    assert slots.try_reserve_slot(ANY) is not None
    assert await slots.reserve_slot(ANY) is not None


def test_memory_is_the_containers_or_the_machines(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:   250 kB\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_share(tmp_path, meminfo) == 0.75

    (tmp_path / "memory.max").write_text("2000\n")
    (tmp_path / "memory.current").write_text("500\n")
    assert memory_share(tmp_path, meminfo) == 0.25
    assert memory_share(tmp_path / "none", tmp_path / "none") is None


def test_a_version_needs_both_halves() -> None:
    assert deployment_config(settings()) is None
    with pytest.raises(InvalidInput, match="SIGNALBOX_WORKER_BUILD_ID"):
        deployment_config(settings(deployment_name="worker"))
    found = deployment_config(settings(deployment_name="worker", build_id="b1"))
    assert found is not None
    assert found.use_worker_versioning
