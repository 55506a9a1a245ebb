"""Recomputing recorded decisions gives the same decisions."""

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_autoscaler.audit.recompute import recompute
from signalbox_autoscaler.audit.records import IDLE_INTERVAL, DecisionRecorder, Evaluation
from signalbox_autoscaler.model import (
    QueueSnapshot,
    ScalingAction,
    ScalingDecisionRecord,
    ScalingPolicy,
    SizingState,
)
from signalbox_autoscaler.sizing import decide
from signalbox_core.errors import InvalidInput
from support.fakes.snapshots import NOW, TICK, Ticks


def record_load_cycles(tick_count: int = 200) -> list[ScalingDecisionRecord]:
    """Rising and falling load with launches and surplus workers, recorded and decoded again."""
    ticks, recorder, recorded = Ticks(), DecisionRecorder(), []
    state = SizingState()
    for tick in range(tick_count):
        phase = tick % 50
        backlog = 30_000 if 5 <= phase < 20 else 0
        used = 200 if backlog else 2
        bursts = (
            tuple(ticks.burst(number, used=3, processed=tick) for number in range(3)) if phase > 20 else ()
        )
        launches = (
            (ticks.launch(workers=3, ago=timedelta(seconds=5 * max(0, phase - 6))),)
            if 6 <= phase < 40
            else ()
        )
        snapshot = QueueSnapshot(
            queue="invoices",
            taken_at=ticks.now,
            activities=backlog,
            workers=(ticks.base(used=used), *bursts),
            launches=launches,
        )
        decision = decide(ticks.policy, state, snapshot, ticks.now)
        recorded.append(
            recorder.record(
                Evaluation(policy=ticks.policy, state=state, snapshot=snapshot, decision=decision, epoch=3)
            )
        )
        state, ticks.now = decision.state, ticks.now + TICK
    return msgspec.json.decode(
        msgspec.json.encode([record for record in recorded if record]), type=list[ScalingDecisionRecord]
    )


def test_recomputing_a_log_reproduces_every_decision() -> None:
    records = record_load_cycles()
    assert {ScalingAction.LAUNCH, ScalingAction.RETIRE, ScalingAction.HOLD} <= {
        record.action for record in records
    }

    result = recompute(records)

    assert (result.decided, result.skipped, result.differences) == (len(records), 0, ())


def test_a_truncated_log_is_recomputed_from_its_next_state() -> None:
    records = record_load_cycles()
    with_state = [number for number, record in enumerate(records) if record.state is not None]

    result = recompute(records[1:])

    assert result.skipped == with_state[1] - 1
    assert result.differences == ()


def test_a_differing_decision_is_reported() -> None:
    records = record_load_cycles()
    number = next(number for number, record in enumerate(records) if record.launches)
    records[number] = replace(
        records[number], policy=replace(records[number].policy, max_launches_per_tick=1)
    )

    fields = {
        difference.field
        for difference in recompute(records).differences
        if difference.record is records[number]
    }

    assert {"launches", "binding"} <= fields


def test_a_record_of_a_newer_format_is_refused() -> None:
    with pytest.raises(InvalidInput, match="format 99"):
        recompute([replace(record_load_cycles(1)[0], format=99)])


def test_an_idle_queue_is_recorded_once_a_minute() -> None:
    recorder, state, recorded = DecisionRecorder(), SizingState(), []
    for tick in range(25):
        snapshot = QueueSnapshot(queue="idle", taken_at=NOW + tick * TICK)
        decision = decide(ScalingPolicy(), state, snapshot, snapshot.taken_at)
        recorded.append(
            recorder.record(
                Evaluation(policy=ScalingPolicy(), state=state, snapshot=snapshot, decision=decision, epoch=1)
            )
        )
        state = decision.state

    written = [record for record in recorded if record]
    assert [record.at - NOW for record in written] == [timedelta(0), IDLE_INTERVAL, 2 * IDLE_INTERVAL]
    assert recompute(written).differences == ()
