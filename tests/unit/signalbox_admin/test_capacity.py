"""The capacity model, and the command that prints it."""

import json

import pytest

from signalbox_admin.capacity_model import SOURCE, Capacity, Prices, Workload, estimate
from signalbox_admin.cli import EXIT_REJECTED, main


def cores(capacity: Capacity) -> dict[str, float]:
    return {part.name: part.cores for part in capacity.parts}


def test_a_hundred_times_the_runs_need_a_hundred_times_the_cores_storage_and_actions() -> None:
    one, hundred = (estimate(Workload(runs_per_minute=rate)) for rate in (1, 100))

    assert cores(hundred) == pytest.approx({name: 100 * used for name, used in cores(one).items()})
    assert hundred.redis_gb == pytest.approx(100 * one.redis_gb)
    assert hundred.history_gb == pytest.approx(100 * one.history_gb)
    assert hundred.actions_month == pytest.approx(100 * one.actions_month)
    assert hundred.pubsub_tb_month == pytest.approx(100 * one.pubsub_tb_month)


def test_an_idle_deployment_has_two_of_each_service() -> None:
    idle = {part.name: part.processes for part in estimate(Workload(runs_per_minute=0)).parts}

    assert idle == {"gateway": 2, "receiver": 2, "worker": 2, "temporal": 1, "redis": 1}


def test_the_own_work_of_steps_is_the_workers() -> None:
    without = estimate(Workload(runs_per_minute=60, steps=2))
    busy = estimate(Workload(runs_per_minute=60, steps=2, step_cpu_ms=500))

    more = {name: used - cores(without)[name] for name, used in cores(busy).items()}
    assert more == pytest.approx({"gateway": 0, "receiver": 0, "worker": 1, "temporal": 0, "redis": 0})


def test_processes_leave_each_core_room() -> None:
    for part in estimate(Workload(runs_per_minute=10_000)).parts:
        assert part.cores / part.processes <= 0.6


def test_steps_and_approvals_add_to_every_part() -> None:
    bare = cores(estimate(Workload(runs_per_minute=1, steps=0, approvals=0)))
    for more in (Workload(runs_per_minute=1, approvals=0), Workload(runs_per_minute=1, steps=0)):
        assert all(used > bare[name] for name, used in cores(estimate(more)).items())


@pytest.mark.parametrize(("step_s", "heartbeats"), [(0.5, 0), (1, 0), (1.5, 1), (3, 2), (60, 30)])
def test_the_heartbeats_of_long_steps_are_actions(step_s: float, heartbeats: int) -> None:
    short, long = (
        estimate(Workload(runs_per_minute=1, steps=5, approvals=0, step_s=seconds)) for seconds in (0, step_s)
    )

    runs_month = short.actions_month / (2 + 5)
    assert long.actions_month - short.actions_month == pytest.approx(5 * heartbeats * runs_month)


def test_the_end_of_the_model_is_named() -> None:
    assert estimate(Workload(runs_per_minute=1)).warnings == ()
    assert any("Redis" in warning for warning in estimate(Workload(runs_per_minute=10_000)).warnings)


def test_a_price_of_zero_removes_its_item() -> None:
    workload = Workload(runs_per_minute=100)

    free = estimate(workload, Prices(million_actions=0))

    assert free.costs["Temporal Cloud, actions"] == 0
    assert free.total < estimate(workload).total
    assert free.total_without_temporal_cloud == estimate(workload).total_without_temporal_cloud


def test_the_command_prints_the_table_its_source_and_its_limits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capacity", "--runs-per-minute", "10000", "--steps", "5", "--approvals", "1"]) == 0

    printed = capsys.readouterr().out
    assert "10,000 runs a minute; steps of a run: 5, approvals: 1" in printed
    assert "A linear model from one machine" in printed
    assert SOURCE in printed
    assert "warning: Redis" in printed


def test_the_command_prints_json_with_prices_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capacity", "--runs-per-minute", "1", "--json", "--price", "redis_gb_month=7"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["costs"]["Redis"] == 7
    assert document["total"] == pytest.approx(sum(document["costs"].values()))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(["--runs-per-minute", "-1"], "must be a number from 0 on (got -1)", id="negative"),
        pytest.param(["--runs-per-minute", "nan"], "must be a number from 0 on (got nan)", id="not a number"),
        pytest.param(
            ["--runs-per-minute", "1", "--price", "gold=1"], "the names are: core_month", id="unknown price"
        ),
        pytest.param(
            ["--runs-per-minute", "1", "--price", "pubsub_tb=x"], "is not NAME=DOLLARS", id="no amount"
        ),
    ],
)
def test_invalid_arguments_are_named(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["capacity", *arguments]) == EXIT_REJECTED
    assert reason in capsys.readouterr().err
