"""The explanation of a decision in a sentence."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from signalbox_autoscaler.audit.explanation import explain
from signalbox_autoscaler.model import LaunchState, QueueSnapshot, ScalingDecision, ScalingPolicy
from support.fakes.snapshots import NOW, Ticks


def explained(ticks: Ticks, decision: ScalingDecision, **observed: object) -> str:
    snapshot = replace(QueueSnapshot(queue="invoices", taken_at=NOW), **observed)
    return explain(ticks.policy, snapshot, decision)


def test_a_launch_names_the_work_and_what_the_present_slots_would_need() -> None:
    ticks = Ticks(ScalingPolicy(max_launches_per_tick=100))

    sentence = explained(ticks, ticks.learn().busy(19_500))

    assert sentence == (
        "launched 4 workers: 19,500 tasks left at 1.0 s each, 200 slots would exceed the 60 s target by 39 s"
    )


def test_a_launch_names_what_limited_it() -> None:
    ticks = Ticks(ScalingPolicy(max_rate_per_s=600))
    assert "launched 10 workers" in (sentence := explained(ticks, ticks.learn().busy(100_000)))
    assert sentence.endswith("; limited by the rate limit of 600 per second, which 690 slots exhaust")


def test_hinted_tasks_are_distinguished_from_waiting_ones() -> None:
    ticks = Ticks()
    decision = ticks.learn().busy(600, hint_remaining=99_000, hint_max_in_flight=800)

    assert "600 tasks waiting and 99,000 still to be scheduled" in explained(ticks, decision)


def test_an_exhausted_budget_names_what_is_left_and_what_a_worker_may_cost() -> None:
    ticks = Ticks(ScalingPolicy(price_per_worker_s=Decimal("0.001"), max_lifetime_s=1_000))
    decision = ticks.learn().busy(100_000, hour_left=Decimal("0.99"))

    sentence = explained(ticks, decision, hour_left=Decimal("0.99"))

    assert sentence.startswith("launched nothing: 100,000 tasks left at 1.0 s each, 200 slots would exceed ")
    assert sentence.endswith("; limited by the hourly budget: 0.99 USD left, 1 reserved per worker")


@pytest.mark.parametrize(
    ("observed", "sentence"),
    [
        pytest.param({}, "launched nothing: no task is waiting", id="idle"),
        pytest.param(
            {"activities": 400},
            "launched 2 probe workers: 400 tasks left, possibly tasks of terminated workflows:"
            " no activity runs or completed lately",
            id="probe",
        ),
        pytest.param(
            {"activities": 400, "backlog_stale": True, "workers_stale": True},
            "launched nothing: the backlog and the workers' heartbeats could not be read;"
            " running workers are left alone",
            id="stale",
        ),
    ],
)
def test_launching_little_or_nothing_has_a_reason(observed: dict[str, object], sentence: str) -> None:
    ticks = Ticks()

    assert explained(ticks, ticks.see(**observed), **observed) == sentence


def test_draining_and_cancelling_are_named_together() -> None:
    ticks = Ticks()
    ticks.see(workers=(ticks.base(used=1), ticks.burst(0)))
    late = replace(ticks.launch("b-9", ago=timedelta(seconds=90)), state=LaunchState.REQUESTED)
    decision = ticks.see(workers=(ticks.base(used=1), ticks.burst(0)), launches=(late,))

    assert explained(ticks, decision) == (
        "drained 1 worker and cancelled 1 launch without any worker:"
        " 1 of 250 slots are in use and no task is waiting"
    )


def test_the_drain_time_of_a_backlog_is_compared_with_the_forecast() -> None:
    ticks = Ticks(ScalingPolicy(max_launches_per_tick=100))
    ticks.learn().busy(50_000)

    sentence = explained(ticks, ticks.see(workers=(ticks.base(used=10),)))

    assert sentence.startswith(
        "launched nothing: no task is waiting; the backlog was drained after 5.0 s, predicted were "
    )
    assert sentence.endswith(" s")


def test_a_dry_run_names_what_would_have_been_done() -> None:
    ticks = Ticks(ScalingPolicy(dry_run=True))

    assert explained(ticks, ticks.learn().busy(100_000)).startswith("would have launched 20 workers: ")
