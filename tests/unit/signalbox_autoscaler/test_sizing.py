"""The decisions of the sizing algorithm."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_autoscaler.model import (
    Binding,
    LaunchState,
    ScalingAction,
    ScalingDecision,
    ScalingPolicy,
    SizingState,
)
from support.fakes.snapshots import Ticks


def test_a_backlog_that_base_workers_cannot_drain_in_time_is_sized_by_littles_law() -> None:
    decision = Ticks(ScalingPolicy(max_launches_per_tick=100)).learn().busy(100_000)

    assert decision.terms.service_s == pytest.approx(1.0)
    assert decision.terms.need == decision.workers == 45  # (100,000·1 + 2·1·60 - 200·60) / (50·(60 - 20))
    assert decision.binding is Binding.NONE
    assert [launch.workers for launch in decision.launches] == [5] * 9


def test_no_worker_is_retired_while_its_slots_are_busy() -> None:
    ticks = Ticks()
    for tick in range(20):
        decision = ticks.see(
            workers=(
                ticks.base(200, used=200, processed=tick),
                ticks.burst(0, used=50),
                ticks.burst(1, used=50),
            )
        )

        assert decision.retire == ()


def test_a_closed_loop_scales_with_a_hint_and_not_without() -> None:
    without = Ticks().learn().busy(600)
    hinted = Ticks().learn().busy(600, hint_remaining=99_000, hint_max_in_flight=800)

    assert (without.workers, without.binding) == (0, Binding.DRAINS)
    assert (hinted.workers, hinted.binding) == (12, Binding.RUNNING_WORK)  # 800 in flight, 200 slots present


def test_surplus_workers_of_a_light_load_are_retired_within_30_s() -> None:
    ticks = Ticks()
    retired: set[str] = set()
    for tick in range(6):
        bursts = tuple(ticks.burst(number, used=1, processed=tick * 20) for number in range(3))
        retired |= set(ticks.see(workers=(ticks.base(200, used=1, processed=tick * 20), *bursts)).retire)

    assert retired == {f"burst:b-1:{number}" for number in range(3)}


def test_the_least_busy_workers_are_retired_first_and_never_more_than_the_surplus() -> None:
    ticks = Ticks()
    retired: tuple[str, ...] = ()
    for tick in range(3):
        bursts = (ticks.burst(0, used=50), ticks.burst(1, used=2), ticks.burst(2, used=40))
        retired = ticks.see(workers=(ticks.base(10, used=10, processed=tick * 10), *bursts)).retire

    assert retired == ()  # 160 slots, 102 run: the surplus of 37 is less than a worker
    for tick in range(2):
        bursts = (ticks.burst(0, used=30), ticks.burst(1, used=2), ticks.burst(2, used=20))
        retired = ticks.see(workers=(ticks.base(10, used=10, processed=tick * 10), *bursts)).retire
    assert retired == ("burst:b-1:1",)


@pytest.mark.parametrize("source", ["policy", "temporal"])
def test_a_rate_limit_caps_the_launches(source: str) -> None:
    policy = ScalingPolicy(max_rate_per_s=600) if source == "policy" else ScalingPolicy()
    decision = Ticks(policy).learn().busy(100_000, effective_rate_per_s=600 if source == "temporal" else None)

    assert (decision.workers, decision.binding) == (
        10,
        Binding.RATE_LIMIT,
    )  # 1.15·600·1 s = 690 slots, 200 present
    assert decision.terms.need == 45


def test_a_launch_without_workers_is_cancelled_and_no_longer_counted() -> None:
    ticks = Ticks()
    first = ticks.learn().busy(50_000)
    lost = replace(first.launches[0], state=LaunchState.REQUESTED)
    others = tuple(replace(launch, state=LaunchState.CANCELLED) for launch in first.launches[1:])

    waiting = ticks.busy(50_000, launches=(lost, *others))
    assert waiting.terms.pending == lost.workers * 50
    ticks.now += timedelta(seconds=60)
    late = ticks.busy(50_000, launches=(lost, *others))

    assert late.cancel == (lost.launch_id,)
    assert late.terms.pending == 0
    assert late.terms.need > waiting.terms.need


def test_launches_without_workers_open_the_circuit_breaker_for_its_hold_time() -> None:
    ticks = Ticks(ScalingPolicy(breaker_launches=2, breaker_hold_s=100))
    ticks.learn().busy(20_000)
    dead = tuple(ticks.launch(name, ago=timedelta(seconds=61)) for name in ("b-1", "b-2"))
    held = ticks.busy(20_000, launches=dead)
    ticks.now += timedelta(seconds=100)
    again = ticks.busy(20_000)

    assert (held.workers, held.binding, held.cancel) == (0, Binding.BREAKER, ("b-1", "b-2"))
    assert again.workers > 0


def test_refused_launches_are_retried_with_exponential_backoff() -> None:
    ticks = Ticks()
    ticks.learn().busy(20_000)
    held_s: list[float] = []
    for number in range(4):
        refused = replace(ticks.launch(f"b-{number}"), state=LaunchState.FAILED)
        decision = ticks.busy(20_000, launches=(refused,))
        assert (decision.workers, decision.binding) == (0, Binding.BACK_OFF)
        assert decision.state.held_until is not None
        held_s.append((decision.state.held_until - ticks.now).total_seconds() + 5)
        ticks.now += timedelta(seconds=300)

    assert held_s == [5, 10, 20, 40]


@pytest.mark.parametrize(
    ("left", "binding"), [("hour_left", Binding.HOUR_BUDGET), ("day_left", Binding.DAY_BUDGET)]
)
def test_an_exhausted_budget_stops_launches_and_is_the_binding_constraint(
    left: str, binding: Binding
) -> None:
    ticks = Ticks(ScalingPolicy(price_per_worker_s=Decimal("0.001"), max_lifetime_s=1_000))

    some = ticks.learn().busy(100_000, **{left: Decimal("3.99")})
    none = ticks.busy(100_000, **{left: Decimal("0.99")})

    assert (some.workers, some.binding, some.terms.reserve) == (3, binding, Decimal("3.000"))
    assert (none.action, none.workers, none.binding) == (ScalingAction.HOLD, 0, binding)


def test_the_caps_per_tick_per_minute_and_in_total_hold() -> None:
    policy = ScalingPolicy(max_workers=50, max_launches_per_tick=20, max_launches_per_minute=30)
    ticks = Ticks(policy)
    first = ticks.learn().busy(1_000_000)
    second = ticks.busy(1_000_000, launches=first.launches)
    ticks.now += timedelta(seconds=55)
    open_now = tuple(
        replace(launch, requested_at=ticks.now, eta_at=ticks.now + timedelta(seconds=20))
        for launch in first.launches + second.launches
    )
    third = ticks.busy(1_000_000, launches=open_now)

    assert (first.workers, first.binding) == (20, Binding.PER_TICK)
    assert (second.workers, second.binding) == (10, Binding.PER_MINUTE)
    assert (third.workers, third.binding) == (20, Binding.MAX_WORKERS)


def test_400_tasks_of_a_terminated_workflow_get_at_most_two_probe_workers() -> None:
    ticks = Ticks()
    probe = ticks.see(activities=400)
    sent = probe.workers
    for tick in range(1, 12):  # a minute, in which the probe workers find no real task
        probes = (
            ticks.burst(0, launch=probe.launches[0].launch_id),
            ticks.burst(1, launch=probe.launches[0].launch_id),
        )
        decision = ticks.see(activities=400, launches=probe.launches, workers=probes if tick > 4 else ())
        sent += decision.workers

    assert probe.action is ScalingAction.PROBE
    assert sent == 2


def test_a_probe_that_finds_work_is_followed_by_the_full_launch() -> None:
    ticks = Ticks()
    probe = ticks.see(activities=40_000)
    name = probe.launches[0].launch_id
    decision = probe
    for tick in range(1, 8):
        done = max(0, tick - 4) * 250
        probes = (
            tuple(ticks.burst(number, used=50, processed=done, launch=name) for number in range(2))
            if tick > 4
            else ()
        )
        decision = ticks.see(activities=40_000, launches=probe.launches, workers=probes)

    assert decision.action is ScalingAction.LAUNCH
    assert decision.workers == decision.terms.need > 10


def test_a_killed_burst_worker_is_not_counted_after_three_heartbeats() -> None:
    ticks = Ticks(ScalingPolicy(heartbeat_s=5))
    capacities = [
        ticks.see(
            workers=(ticks.burst(0, used=50, heartbeat_age=timedelta(seconds=5 * missed)),)
        ).terms.capacity
        for missed in range(5)
    ]

    assert capacities == [50, 50, 50, 50, 0]


@pytest.mark.parametrize("stale", ["backlog_stale", "workers_stale"])
def test_stale_observations_hold(stale: str) -> None:
    decision = Ticks().learn().busy(100_000, **{stale: True})

    assert (decision.action, decision.binding) == (ScalingAction.HOLD, Binding.STALE)


def test_a_backlog_that_drains_before_a_worker_could_start_launches_nothing() -> None:
    decision = Ticks(ScalingPolicy(slo_s=10, efficiency_floor=0.1)).learn().busy(5_000)

    assert (decision.workers, decision.binding) == (0, Binding.TOO_SHORT)
    assert decision.terms.drain_s == pytest.approx(25, rel=0.15)


def test_the_cold_start_is_learned_from_the_first_heartbeat() -> None:
    ticks = Ticks()
    ticks.learn().busy(20_000)
    launch = ticks.launch(ago=timedelta(seconds=12))
    decision = ticks.see(activities=20_000, launches=(launch,), workers=(ticks.base(), ticks.burst(0)))

    assert decision.state.cold_start_s == pytest.approx(12)
    assert decision.terms.pending == 0


def test_the_first_completions_of_long_activities_do_not_inflate_the_service_time() -> None:
    """At 65 s three of 200 have completed: 200·65/3 would give 4,300 s."""
    ticks = Ticks()
    decision: ScalingDecision | None = None
    for tick in range(14):
        decision = ticks.see(
            activities=500, workers=(ticks.base(200, used=200, processed=0 if tick < 13 else 3),)
        )

    assert decision is not None
    assert decision.terms.service_s == pytest.approx(65, abs=5)


def test_a_straggler_does_not_inflate_the_service_time_of_a_later_backlog() -> None:
    """One activity runs for a minute; the activities of the backlog that follows take a second."""
    ticks = Ticks().learn()
    for _ in range(12):
        ticks.see(workers=(ticks.base(used=1, processed=50),))
    decision = ticks.see(activities=20_000, workers=(ticks.base(used=200, processed=50),))

    assert decision.terms.service_s == pytest.approx(1.0, rel=0.6)


def test_activities_that_just_began_do_not_inflate_the_service_time() -> None:
    ticks = Ticks().learn()
    ticks.see(workers=(ticks.base(used=0, processed=50),))
    decision = ticks.see(activities=20_000, workers=(ticks.base(used=200, processed=50),))

    assert decision.terms.service_s == pytest.approx(1.0, rel=0.1)


def test_hung_workers_get_no_further_workers() -> None:
    ticks = Ticks()
    decision = ticks.see(activities=500, workers=(ticks.base(200, used=200, processed=0),))
    for _ in range(121):
        decision = ticks.see(activities=500, workers=(ticks.base(200, used=200, processed=0),))

    assert decision.workers == 0


def test_the_forecast_is_reported_with_the_actual_drain_time() -> None:
    ticks = Ticks(ScalingPolicy(max_launches_per_tick=100))
    launched = ticks.learn().busy(50_000)
    for _ in range(9):
        ticks.busy(20_000)
    over = ticks.see(workers=(ticks.base(used=10),))
    later = ticks.see(workers=(ticks.base(used=10),))

    assert over.foreseen_s == launched.predicted_drain_s == pytest.approx(60, abs=10)
    assert over.drained_s == 50
    assert (later.drained_s, later.foreseen_s) == (None, None)


def test_the_state_survives_encoding() -> None:
    ticks = Ticks()
    ticks.learn().busy(100_000)

    assert msgspec.json.decode(msgspec.json.encode(ticks.state), type=SizingState) == ticks.state
