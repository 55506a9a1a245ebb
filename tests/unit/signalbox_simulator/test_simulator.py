"""The simulator: the rules of the simulation, and Signalbox's own sizing in it."""

import csv
import gzip
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_autoscaler.audit.recompute import recompute
from signalbox_autoscaler.model import ScalingAction, ScalingDecisionRecord, ScalingPolicy
from signalbox_simulator.__main__ import main
from signalbox_simulator.cost_study import STUDY, CloudPrices, estimate
from signalbox_simulator.engine import Simulation
from signalbox_simulator.lower_bound import cheapest_as_fast, fastest, least_worker_s
from signalbox_simulator.outcome import SimulationOutcome, simulate
from signalbox_simulator.scalers import PEERS, new_scaler
from signalbox_simulator.scalers.reference import BaseOnly
from signalbox_simulator.scalers.signalbox_sizing import SignalboxSizing
from signalbox_simulator.traces import (
    ArrivalBatch,
    Trace,
    closed_loop,
    ramp,
    rollout,
    terminated,
    trace_of_log,
    trickle,
)

EVEN = Trace(name="even", batches=(ArrivalBatch(at_s=0.0, durations_s=(1.0,) * 1_000),), base_slots=100)


def small_ramp(seed: int = 1) -> Trace:
    return replace(ramp(seed, companies=10, invoices=1_000), base_slots=20)


def run_sizing(
    trace: Trace, policy: ScalingPolicy | None = None
) -> tuple[SimulationOutcome, SignalboxSizing]:
    law = SignalboxSizing(policy or ScalingPolicy())
    return simulate(trace, law, seed=1), law


def test_base_workers_run_as_many_activities_as_they_have_slots() -> None:
    outcome = simulate(EVEN, BaseOnly(), seed=1)

    assert (outcome.makespan_s, outcome.burst_worker_s) == (10.0, 0.0)
    assert outcome.p50_wait_s == pytest.approx(5, abs=1)


@pytest.mark.parametrize("field", ["pace_per_s", "limit_per_s"])
def test_a_rate_limit_before_or_behind_the_workers_bounds_throughput(field: str) -> None:
    outcome = simulate(replace(EVEN, **{field: 20.0}), BaseOnly(), seed=1)

    assert outcome.makespan_s == pytest.approx(1_000 / 20, abs=2)


def test_a_closed_loop_respects_its_in_flight_limit() -> None:
    trace = Trace(
        name="closed", batches=(ArrivalBatch(at_s=0.0, durations_s=(1.0,) * 100, in_flight=4),), base_slots=50
    )

    assert simulate(trace, BaseOnly(), seed=1).makespan_s == 25.0


class KillsBusyWorker(BaseOnly):
    """Launches one worker and stops it with a grace period while it is busy."""

    every_s = 5.0

    def tick(self, simulation: Simulation) -> None:
        if simulation.now == 0:
            simulation.launch(1)
        for worker in list(simulation.bursts.values()):
            if worker.tasks and not worker.draining:
                simulation.drain(worker, grace_s=30.0)


def test_activities_unfinished_after_the_grace_period_are_executed_again() -> None:
    trace = Trace(name="long", batches=(ArrivalBatch(at_s=0.0, durations_s=(200.0,) * 20),), base_slots=10)
    outcome = simulate(trace, KillsBusyWorker(), seed=1)

    assert outcome.reexecuted == 10
    assert outcome.activities == 20


def test_counting_workflows_keeps_the_last_worker_of_keda_while_one_runs() -> None:
    one_after_another = ArrivalBatch(at_s=0.0, durations_s=(250.0,) * 4, in_flight=1)
    trace = Trace(name="one workflow", batches=(one_after_another,), base_slots=0)
    by_backlog, by_workflows = (
        simulate(trace, new_scaler(name, ScalingPolicy()), seed=1) for name in ("keda", "keda-running")
    )

    assert by_backlog.reexecuted > 0, "the worker was stopped while it was busy, because no task waited"
    assert (by_workflows.reexecuted, by_workflows.launched) == (0, 1)


def test_counting_workflows_changes_nothing_while_tasks_wait() -> None:
    trace = small_ramp()
    found = [simulate(trace, new_scaler(name, ScalingPolicy()), seed=1) for name in ("keda", "keda-running")]

    assert found[0].makespan_s == found[1].makespan_s
    assert found[0].peak == found[1].peak


@pytest.mark.parametrize("name", ["law", *PEERS])
def test_every_autoscaler_finishes_the_work_and_scales_to_zero(name: str) -> None:
    trace = small_ramp()
    outcome = simulate(trace, new_scaler(name, ScalingPolicy()), seed=1)

    assert 0 < outcome.makespan_s < 502
    assert outcome.course[-1].backlog == 0
    assert outcome.peak <= 100
    assert (outcome.launched == 0) == (name == "base only")


def test_signalbox_sizing_beats_the_base_and_scales_in_to_zero() -> None:
    outcome, law = run_sizing(small_ramp())

    assert outcome.makespan_s < 100
    assert outcome.burst_worker_s < 3 * least_worker_s(small_ramp(), outcome.makespan_s)
    assert ScalingAction.RETIRE in {record.action for record in law.records}
    assert outcome.course[-1].workers == 0


def test_every_decision_of_a_simulated_log_can_be_recomputed() -> None:
    for trace in (small_ramp(), trickle(1, minutes=5, burst=5_000)):
        _, law = run_sizing(trace)
        written = msgspec.json.decode(msgspec.json.encode(law.records), type=list[ScalingDecisionRecord])

        replayed = recompute(written)

        assert replayed.decided == len(law.records) > 10
        assert replayed.differences == ()


def test_a_leftover_backlog_launches_at_most_two_probe_workers() -> None:
    trace = terminated(1)
    _, law = run_sizing(trace)
    early = [record for record in law.records if record.at.hour == 0 and record.at.minute < 15]

    assert sum(launch.workers for record in early for launch in record.launches) == 2


def test_a_closed_loop_is_nearly_as_fast_as_possible() -> None:
    trace = closed_loop(1, companies=20, invoices=200)
    trace = replace(trace, base_slots=40)
    outcome, _ = run_sizing(trace, ScalingPolicy(efficiency_floor=0.3, slo_s=30))

    assert outcome.makespan_s < simulate(trace, BaseOnly(), seed=1).makespan_s
    assert outcome.makespan_s <= 1.3 * fastest(trace, seed=1).makespan_s


def test_saturation_behind_the_workers_is_detected_and_surplus_workers_retire() -> None:
    trace = replace(ramp(1, companies=20, invoices=1_000, pace_per_s=150), base_slots=50)
    outcome, law = run_sizing(trace)
    last = next(record for record in reversed(law.records) if record.terms.backlog)

    assert outcome.makespan_s < 1.15 * 20_000 / 150
    assert last.terms.capacity <= 300
    assert outcome.peak > (last.terms.capacity - 50) // 50


def test_saturation_detection_can_be_disabled() -> None:
    trace = replace(ramp(1, companies=20, invoices=1_000, pace_per_s=150), base_slots=50)
    _, law = run_sizing(trace, ScalingPolicy(learns_saturation=False))

    assert "saturation" not in {record.binding.value for record in law.records}


def test_longer_activities_are_not_mistaken_for_saturation() -> None:
    """Short activities launch a worker; then activities of 12 s lower the throughput as saturation does."""
    quick, slow = (
        ArrivalBatch(at_s=10.0, durations_s=(1.0,) * 1_500),
        ArrivalBatch(at_s=30.0, durations_s=(12.0,) * 1_500),
    )
    outcome, _ = run_sizing(Trace(name="mixed", batches=(quick, slow), base_slots=20))

    assert outcome.p95_wait_s < 150  # the fleet still grows


def test_the_clairvoyant_is_as_fast_at_no_higher_cost() -> None:
    trace = small_ramp()
    outcome, _ = run_sizing(trace)

    best = cheapest_as_fast(trace, outcome.makespan_s, seed=1)

    assert best.makespan_s <= outcome.makespan_s
    assert least_worker_s(trace, best.makespan_s, cold_s=10) <= best.burst_worker_s <= outcome.burst_worker_s


def test_a_trace_derived_from_a_log_has_the_same_amount_of_work() -> None:
    trace = small_ramp()
    _, law = run_sizing(trace)

    recorded = trace_of_log(law.records)

    assert recorded.base_slots == 20
    assert recorded.count == pytest.approx(trace.count, rel=0.05)
    assert recorded.work_s == pytest.approx(trace.work_s, rel=0.3)


def test_the_command_compares_writes_results_and_recomputes_logs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.json"
    trace.write_text(
        '{"name": "recorded", "base_slots": 20, "batches": [{"at_s": 5, "count": 3000, "mean_s": 1.0}]}'
    )
    assert (
        main(
            [
                "--trace-file",
                str(trace),
                "--seeds",
                "7",
                "--scalers",
                "law,keda",
                "--to",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    with (tmp_path / "out" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    log = tmp_path / "log.ndjson.gz"
    _, law = run_sizing(small_ramp())
    log.write_bytes(gzip.compress(b"\n".join(msgspec.json.encode(record) for record in law.records)))

    assert [row["autoscaler"] for row in rows] == ["law", "keda"]
    assert (tmp_path / "out" / "recorded-7.svg").read_text().startswith("<svg")
    assert main(["--replay", str(log)]) == 0
    assert f"{len(law.records)} decisions recomputed: 0 differences" in capsys.readouterr().out
    assert main(["--from-log", str(log), "--scalers", "law"]) == 0


def test_a_log_with_other_decisions_fails_the_recomputation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, law = run_sizing(small_ramp())
    changed = [
        replace(record, policy=replace(record.policy, max_launches_per_tick=1)) for record in law.records
    ]
    log = tmp_path / "log.ndjson"
    log.write_bytes(b"\n".join(msgspec.json.encode(record) for record in changed))

    assert main(["--replay", str(log)]) == 1
    assert "launches was" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--traces", "nope"], "--traces: 'nope' is not known"),
        (["--seeds", "x"], "--seeds: 'x'"),
        (["--policy", '{"slo": 3}'], "--policy: Object contains unknown field `slo`"),
        (["--trace-file", "absent.json"], "absent.json"),
        (["--replay", "absent.ndjson"], "absent.ndjson"),
        (["--scale-study", "absent.toml"], "absent.toml"),
    ],
)
def test_an_invalid_argument_is_reported_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in (error := capsys.readouterr().err)
    assert error.count("\n") == 1


def test_the_cost_estimate_follows_from_prices_and_quotas(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = next(scenario for scenario in STUDY if scenario.name == "100 x 1,000, monthly")
    cost = estimate(small, CloudPrices())
    dear = tmp_path / "prices.toml"
    dear.write_text('[prices]\nvcpu_s = "0.000036"\nrunning_executions = 5\n')

    assert cost.workers == 44  # (100,000 - 200·60) / (50·(60 - 20))
    assert (f"{cost.base:.2f}", cost.fits) == ("57.02", True)  # (0.000018 + 2·0.000002)·30 days
    assert main(["--scale-study", str(dear)]) == 0
    shown = capsys.readouterr().out
    assert "103.68" in shown
    assert "no" in shown


def small_rollout() -> Trace:
    return replace(rollout(1, companies=10, invoices=200), base_slots=20)


@pytest.mark.parametrize("name", ["law", *PEERS])
def test_every_autoscaler_finishes_the_work_of_both_versions(name: str) -> None:
    outcome = simulate(small_rollout(), new_scaler(name, ScalingPolicy()), seed=1)

    assert outcome.course[-1].backlog == 0
    assert outcome.activities == 4_000


class LaunchesNewVersion(BaseOnly):
    """Launches many workers of the version that is deployed at the end."""

    every_s = 10.0

    def tick(self, simulation: Simulation) -> None:
        if simulation.now == 100:
            simulation.launch(50)


def test_workers_of_a_version_take_no_work_of_another() -> None:
    old = ArrivalBatch(at_s=0.0, durations_s=(10.0,) * 100, version=0)
    new = ArrivalBatch(at_s=50.0, durations_s=(10.0,) * 100, version=1)
    simulation = Simulation(
        Trace(name="two", batches=(old, new), base_slots=1), LaunchesNewVersion(), seed=1, slots=10
    )
    simulation.run(until_s=500.0)

    assert (simulation.backlog_of(1), simulation.running_workflows(1)) == (0, 0)
    assert simulation.backlog_of(0) > 0
    assert simulation.running_workflows() == 1


def test_each_version_has_replicas_until_its_workflows_have_ended() -> None:
    trace = replace(small_rollout(), base_slots=2)
    simulation = Simulation(trace, new_scaler("keda-versions", ScalingPolicy()), seed=1)
    simulation.run()

    assert {worker.version for worker in simulation.gone} == {0, 1}
    assert simulation.reexecuted == 0
