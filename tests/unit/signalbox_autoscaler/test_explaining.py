"""Decisions in sentences."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from signalbox_autoscaler.audit.explanation import explain
from signalbox_autoscaler.model import Decision, LaunchState, Policy, Snapshot
from support.fakes.snapshots import NOW, Ticks


def said(ticks: Ticks, decision: Decision, **seen: object) -> str:
    return explain(ticks.policy, replace(Snapshot(queue="invoices", taken_at=NOW), **seen), decision)


def test_a_launch_names_the_work_and_what_the_present_slots_would_need() -> None:
    ticks = Ticks(Policy(max_launches_per_tick=100))

    sentence = said(ticks, ticks.learn().busy(19_500))

    assert (
        sentence
        == "launched 4: 19,500 tasks left, 1.0 s each, 200 slots would need 39 s more than the 60 s target"
    )


def test_a_launch_says_what_capped_it() -> None:
    ticks = Ticks(Policy(max_rate_per_s=600))
    assert "launched 10" in (sentence := said(ticks, ticks.learn().busy(100_000)))
    assert sentence.endswith("; capped by the rate limit of 600 a second, which 690 slots use up")


def test_a_hint_is_told_apart_from_what_waits() -> None:
    ticks = Ticks()
    decision = ticks.learn().busy(600, hint_remaining=99_000, hint_max_in_flight=800)

    assert "600 tasks wait and 99,000 are still to be scheduled" in said(ticks, decision)


def test_a_spent_budget_says_what_is_left_and_what_a_worker_may_cost() -> None:
    ticks = Ticks(Policy(price_per_worker_s=Decimal("0.001"), max_lifetime_s=1_000))
    decision = ticks.learn().busy(100_000, hour_left=Decimal("0.99"))

    sentence = said(ticks, decision, hour_left=Decimal("0.99"))

    assert sentence.startswith("launched nothing: 100,000 tasks left, 1.0 s each, 200 slots would need ")
    assert sentence.endswith("; capped by the budget of this hour: 0.99 USD are left, a worker may cost 1")


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        pytest.param({}, "launched nothing: nothing waits", id="idle"),
        pytest.param(
            {"activities": 400},
            "sent a probe of 2: 400 tasks left, and nothing shows that they are more than tasks of ended workflows",
            id="probe",
        ),
        pytest.param(
            {"activities": 400, "backlog_stale": True, "workers_stale": True},
            "launched nothing: the backlog and the workers' heartbeats could not be read; what is there keeps working",
            id="stale",
        ),
    ],
)
def test_doing_nothing_or_little_has_its_reason(seen: dict[str, object], sentence: str) -> None:
    ticks = Ticks()

    assert said(ticks, ticks.see(**seen), **seen) == sentence


def test_draining_and_giving_up_are_said_together() -> None:
    ticks = Ticks()
    ticks.see(workers=(ticks.base(used=1), ticks.burst(0)))
    late = replace(ticks.launch("b-9", ago=timedelta(seconds=90)), state=LaunchState.REQUESTED)
    decision = ticks.see(workers=(ticks.base(used=1), ticks.burst(0)), launches=(late,))

    assert said(ticks, decision) == (
        "told 1 worker to drain and cancelled 1 launch of which no worker ever polled: 1 of 250 slots are in use and nothing waits"
    )


def test_the_end_of_a_backlog_is_compared_with_what_was_foreseen() -> None:
    ticks = Ticks(Policy(max_launches_per_tick=100))
    ticks.learn().busy(50_000)

    sentence = said(ticks, ticks.see(workers=(ticks.base(used=10),)))

    assert sentence.startswith("launched nothing: nothing waits; the backlog was gone after 5.0 s, ")
    assert sentence.endswith(" s were foreseen")


def test_a_dry_run_says_what_would_have_been_done() -> None:
    ticks = Ticks(Policy(dry_run=True))

    assert said(ticks, ticks.learn().busy(100_000)).startswith("would have launched 20: ")
