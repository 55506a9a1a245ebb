"""Recorded decisions come out the same when they are decided again."""

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_autoscaler.audit.recompute import replay
from signalbox_autoscaler.audit.records import QUIET_EVERY, Made, Recorder
from signalbox_autoscaler.model import Action, DecisionRecord, Policy, Snapshot, State
from signalbox_autoscaler.sizing import decide
from signalbox_core.errors import InvalidInput
from support.fakes.snapshots import NOW, TICK, Ticks


def busy_story(looks: int = 200) -> list[DecisionRecord]:
    """A rise, a fall, a probe and a surplus, recorded, written and read."""
    ticks, recorder, kept = Ticks(), Recorder(), []
    state = State()
    for look in range(looks):
        phase = look % 50
        backlog = 30_000 if 5 <= phase < 20 else 0
        used = 200 if backlog else 2
        bursts = (
            tuple(ticks.burst(number, used=3, processed=look) for number in range(3)) if phase > 20 else ()
        )
        launches = (
            (ticks.launch(workers=3, ago=timedelta(seconds=5 * max(0, phase - 6))),)
            if 6 <= phase < 40
            else ()
        )
        snapshot = Snapshot(
            queue="invoices",
            taken_at=ticks.now,
            activities=backlog,
            workers=(ticks.base(used=used), *bursts),
            launches=launches,
        )
        decision = decide(ticks.policy, state, snapshot, ticks.now)
        kept.append(
            recorder.record(
                Made(policy=ticks.policy, state=state, snapshot=snapshot, decision=decision, epoch=3)
            )
        )
        state, ticks.now = decision.state, ticks.now + TICK
    return msgspec.json.decode(
        msgspec.json.encode([record for record in kept if record]), type=list[DecisionRecord]
    )


def test_a_replayed_log_reproduces_every_decision() -> None:
    records = busy_story()
    assert {Action.LAUNCH, Action.RETIRE, Action.HOLD} <= {record.action for record in records}

    replayed = replay(records)

    assert (replayed.decided, replayed.skipped, replayed.differences) == (len(records), 0, ())


def test_a_log_that_begins_in_the_middle_is_replayed_from_its_next_state() -> None:
    records = busy_story()
    with_state = [number for number, record in enumerate(records) if record.state is not None]

    replayed = replay(records[1:])

    assert replayed.skipped == with_state[1] - 1
    assert replayed.differences == ()


def test_a_decision_that_comes_out_another_way_is_told() -> None:
    records = busy_story()
    number = next(number for number, record in enumerate(records) if record.launches)
    records[number] = replace(
        records[number], policy=replace(records[number].policy, max_launches_per_tick=1)
    )

    fields = {
        difference.field for difference in replay(records).differences if difference.record is records[number]
    }

    assert {"launches", "binding"} <= fields


def test_a_record_of_a_later_format_is_refused() -> None:
    with pytest.raises(InvalidInput, match="format 99"):
        replay([replace(busy_story(1)[0], format=99)])


def test_an_idle_queue_is_recorded_once_a_minute() -> None:
    recorder, state, kept = Recorder(), State(), []
    for look in range(25):
        snapshot = Snapshot(queue="idle", taken_at=NOW + look * TICK)
        decision = decide(Policy(), state, snapshot, snapshot.taken_at)
        kept.append(
            recorder.record(Made(policy=Policy(), state=state, snapshot=snapshot, decision=decision, epoch=1))
        )
        state = decision.state

    written = [record for record in kept if record]
    assert [record.at - NOW for record in written] == [timedelta(0), QUIET_EVERY, 2 * QUIET_EVERY]
    assert replay(written).differences == ()
