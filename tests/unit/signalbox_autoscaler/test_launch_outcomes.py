"""What the sizing algorithm learns from earlier launches: cold starts, workers, probes that failed."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from signalbox_autoscaler.model import Binding, LaunchState, ScalingAction, ScalingPolicy
from support.fakes.snapshots import Ticks

OLD = timedelta(minutes=30)


def test_a_new_leader_does_not_learn_the_age_of_running_workers_as_the_cold_start() -> None:
    ticks = Ticks()
    launch = replace(ticks.launch(ago=OLD), state=LaunchState.RUNNING)
    worker = replace(ticks.burst(0, used=50), started_at=ticks.now - OLD + timedelta(seconds=20))
    for _ in range(3):
        decision = ticks.see(activities=20_000, launches=(launch,), workers=(ticks.base(used=200), worker))

    assert decision.state.cold_start_s is None
    assert decision.state.joined == {launch.launch_id: 1}
    assert decision.terms.cold_start_s == ScalingPolicy().cold_start_s


def test_the_cold_start_ends_when_the_worker_starts_not_when_it_is_first_listed() -> None:
    """During an outage of Temporal a worker is listed long after its start."""
    ticks = Ticks()
    ticks.learn().busy(20_000)
    launch = ticks.launch(ago=timedelta(seconds=90))
    worker = replace(ticks.burst(0), started_at=ticks.now - timedelta(seconds=70))
    decision = ticks.see(activities=20_000, launches=(launch,), workers=(ticks.base(), worker))

    assert decision.state.cold_start_s == pytest.approx(20)


def test_a_launch_that_is_adopted_after_its_workers_were_seen_is_not_cancelled() -> None:
    ticks = Ticks()
    for _ in range(2):
        ticks.see(workers=(ticks.base(), ticks.burst(0, used=10)))
    launch = replace(ticks.launch(ago=OLD), state=LaunchState.RUNNING)
    decision = ticks.see(launches=(launch,), workers=(ticks.base(), ticks.burst(0, used=10)))

    assert decision.cancel == ()
    assert decision.state.joined == {launch.launch_id: 1}


def test_a_probe_that_was_not_launched_is_repeated_after_the_backoff() -> None:
    ticks = Ticks()
    waits: list[float] = []
    for _ in range(3):
        probe = ticks.see(activities=400)
        probed_at = ticks.now
        assert probe.action is ScalingAction.PROBE
        refused = tuple(replace(launch, state=LaunchState.FAILED) for launch in probe.launches)
        held = ticks.see(activities=400, launches=refused)
        assert (held.workers, held.binding) == (0, Binding.BACK_OFF)
        assert held.state.held_until is not None
        waits.append((held.state.held_until - probed_at).total_seconds())
        ticks.now = held.state.held_until

    assert waits == [5, 10, 20]


def test_a_probe_of_which_one_launch_was_made_counts() -> None:
    ticks = Ticks(ScalingPolicy(workers_per_launch=1))
    probe = ticks.see(activities=400)
    refused = replace(probe.launches[0], state=LaunchState.FAILED)
    made = replace(probe.launches[1], state=LaunchState.REQUESTED)
    ticks.see(activities=400, launches=(refused, made))
    ended = replace(made, state=LaunchState.ENDED)
    ticks.now += timedelta(seconds=30)
    decision = ticks.see(activities=400, launches=(ended,))

    assert (decision.workers, decision.state.probes) == (0, 1)
