"""The simulator: its world obeys its rules, and the law in it decides as the service would."""

import csv
import gzip
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_autoscaler.audit.recompute import recompute
from signalbox_autoscaler.model import ScalingAction, ScalingDecisionRecord, ScalingPolicy
from signalbox_simulator.__main__ import main
from signalbox_simulator.cost_study import STUDY, Prices, bill
from signalbox_simulator.engine import World
from signalbox_simulator.lower_bound import cheapest_as_fast, fastest, least_worker_s
from signalbox_simulator.outcome import Outcome, simulate
from signalbox_simulator.scalers import PEERS, new_scaler
from signalbox_simulator.scalers.law import Law
from signalbox_simulator.scalers.plain import BaseOnly
from signalbox_simulator.traces import Batch, Trace, closed_loop, ramp, terminated, trace_of_log, trickle

EVEN = Trace(name="even", batches=(Batch(at_s=0.0, durations_s=(1.0,) * 1_000),), base_slots=100)


def small_ramp(seed: int = 1) -> Trace:
    return replace(ramp(seed, companies=10, invoices=1_000), base_slots=20)


def run_law(trace: Trace, policy: ScalingPolicy | None = None) -> tuple[Outcome, Law]:
    law = Law(policy or ScalingPolicy())
    return simulate(trace, law, seed=1), law


def test_base_workers_alone_take_work_by_slots() -> None:
    outcome = simulate(EVEN, BaseOnly(), seed=1)

    assert (outcome.makespan_s, outcome.burst_worker_s) == (10.0, 0.0)
    assert outcome.p50_wait_s == pytest.approx(5, abs=1)


@pytest.mark.parametrize("field", ["pace_per_s", "limit_per_s"])
def test_a_limit_behind_or_before_the_workers_sets_the_pace(field: str) -> None:
    outcome = simulate(replace(EVEN, **{field: 20.0}), BaseOnly(), seed=1)

    assert outcome.makespan_s == pytest.approx(1_000 / 20, abs=2)


def test_a_closed_loop_never_has_more_in_flight_than_its_bound() -> None:
    trace = Trace(
        name="closed", batches=(Batch(at_s=0.0, durations_s=(1.0,) * 100, in_flight=4),), base_slots=50
    )

    assert simulate(trace, BaseOnly(), seed=1).makespan_s == 25.0


class Stopping(BaseOnly):
    """Launches one worker, and stops it with a grace period while it works."""

    every_s = 5.0

    def look(self, world: World) -> None:
        if world.now == 0:
            world.launch(1)
        for worker in list(world.bursts.values()):
            if worker.tasks and not worker.draining:
                world.drain(worker, grace_s=30.0)


def test_what_a_stopped_worker_did_not_finish_in_its_grace_begins_again_elsewhere() -> None:
    trace = Trace(name="long", batches=(Batch(at_s=0.0, durations_s=(200.0,) * 20),), base_slots=10)
    outcome = simulate(trace, Stopping(), seed=1)

    assert outcome.reexecuted == 10
    assert outcome.activities == 20


@pytest.mark.parametrize("name", ["law", *PEERS])
def test_every_autoscaler_brings_the_work_to_its_end_and_its_fleet_to_none(name: str) -> None:
    trace = small_ramp()
    outcome = simulate(trace, new_scaler(name, ScalingPolicy()), seed=1)

    assert 0 < outcome.makespan_s < 502
    assert outcome.course[-1].backlog == 0
    assert outcome.peak <= 100
    assert (outcome.launched == 0) == (name == "base only")


def test_the_law_is_faster_than_the_base_and_retires_to_nothing() -> None:
    outcome, law = run_law(small_ramp())

    assert outcome.makespan_s < 100
    assert outcome.burst_worker_s < 3 * least_worker_s(small_ramp(), outcome.makespan_s)
    assert ScalingAction.RETIRE in {record.action for record in law.records}
    assert outcome.course[-1].workers == 0


def test_a_simulated_log_reproduces_every_decision() -> None:
    for trace in (small_ramp(), trickle(1, minutes=5, burst=5_000)):
        _, law = run_law(trace)
        written = msgspec.json.decode(msgspec.json.encode(law.records), type=list[ScalingDecisionRecord])

        replayed = recompute(written)

        assert replayed.decided == len(law.records) > 10
        assert replayed.differences == ()


def test_a_terminated_workflow_costs_at_most_two_probes() -> None:
    trace = terminated(1)
    _, law = run_law(trace)
    early = [record for record in law.records if record.at.hour == 0 and record.at.minute < 15]

    assert sum(launch.workers for record in early for launch in record.launches) == 2


def test_a_closed_loop_is_as_fast_as_its_workflows_allow() -> None:
    trace = closed_loop(1, companies=20, invoices=200)
    trace = replace(trace, base_slots=40)
    outcome, _ = run_law(trace, ScalingPolicy(efficiency_floor=0.3, slo_s=30))

    assert outcome.makespan_s < simulate(trace, BaseOnly(), seed=1).makespan_s
    assert outcome.makespan_s <= 1.3 * fastest(trace, seed=1).makespan_s


def test_a_limit_behind_the_workers_is_noticed_and_the_surplus_retired() -> None:
    trace = replace(ramp(1, companies=20, invoices=1_000, pace_per_s=150), base_slots=50)
    outcome, law = run_law(trace)
    last = next(record for record in reversed(law.records) if record.terms.backlog)

    assert outcome.makespan_s < 1.15 * 20_000 / 150
    assert last.terms.capacity <= 300
    assert outcome.peak > (last.terms.capacity - 50) // 50


def test_a_queue_may_be_told_not_to_learn_a_limit() -> None:
    trace = replace(ramp(1, companies=20, invoices=1_000, pace_per_s=150), base_slots=50)
    _, law = run_law(trace, ScalingPolicy(learns_saturation=False))

    assert "saturation" not in {record.binding.value for record in law.records}


def test_longer_work_is_not_mistaken_for_a_limit() -> None:
    """Quick work brings a worker; then work of 12 s each comes, and throughput falls as if something were at its end."""
    quick, slow = Batch(at_s=10.0, durations_s=(1.0,) * 1_500), Batch(at_s=30.0, durations_s=(12.0,) * 1_500)
    outcome, _ = run_law(Trace(name="mixed", batches=(quick, slow), base_slots=20))

    assert outcome.p95_wait_s < 150  # not held at what the quick work needed


def test_the_clairvoyant_is_as_fast_and_no_dearer() -> None:
    trace = small_ramp()
    outcome, _ = run_law(trace)

    best = cheapest_as_fast(trace, outcome.makespan_s, seed=1)

    assert best.makespan_s <= outcome.makespan_s
    assert least_worker_s(trace, best.makespan_s, cold_s=10) <= best.burst_worker_s <= outcome.burst_worker_s


def test_a_log_becomes_a_trace_with_as_much_work() -> None:
    trace = small_ramp()
    _, law = run_law(trace)

    recorded = trace_of_log(law.records)

    assert recorded.base_slots == 20
    assert recorded.count == pytest.approx(trace.count, rel=0.05)
    assert recorded.work_s == pytest.approx(trace.work_s, rel=0.3)


def test_the_command_compares_writes_and_replays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    _, law = run_law(small_ramp())
    log.write_bytes(gzip.compress(b"\n".join(msgspec.json.encode(record) for record in law.records)))

    assert [row["autoscaler"] for row in rows] == ["law", "keda"]
    assert (tmp_path / "out" / "recorded-7.svg").read_text().startswith("<svg")
    assert main(["--replay", str(log)]) == 0
    assert f"{len(law.records)} decisions decided again: 0 differences" in capsys.readouterr().out
    assert main(["--from-log", str(log), "--scalers", "law"]) == 0


def test_a_log_that_decides_otherwise_fails_the_replay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, law = run_law(small_ramp())
    changed = [
        replace(record, policy=replace(record.policy, max_launches_per_tick=1)) for record in law.records
    ]
    log = tmp_path / "log.ndjson"
    log.write_bytes(b"\n".join(msgspec.json.encode(record) for record in changed))

    assert main(["--replay", str(log)]) == 1
    assert "launches was" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--traces", "nope"], "--traces: 'nope' is not known"),
        (["--seeds", "x"], "--seeds: 'x'"),
        (["--policy", '{"slo": 3}'], "--policy: Object contains unknown field `slo`"),
        (["--trace-file", "absent.json"], "absent.json"),
        (["--replay", "absent.ndjson"], "absent.ndjson"),
        (["--scale-study", "absent.toml"], "absent.toml"),
    ],
)
def test_a_wrong_argument_is_one_line_that_names_it(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert said in (error := capsys.readouterr().err)
    assert error.count("\n") == 1


def test_the_bill_follows_from_prices_and_quotas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = next(scenario for scenario in STUDY if scenario.name == "100 x 1,000, monthly")
    found = bill(small, Prices())
    dear = tmp_path / "prices.toml"
    dear.write_text('[prices]\nvcpu_s = "0.000036"\nrunning_executions = 5\n')

    assert found.workers == 44  # (100,000 - 200·60) / (50·(60 - 20))
    assert (f"{found.base:.2f}", found.fits) == ("57.02", True)  # (0.000018 + 2·0.000002)·30 days
    assert main(["--scale-study", str(dear)]) == 0
    shown = capsys.readouterr().out
    assert "103.68" in shown
    assert "no" in shown
